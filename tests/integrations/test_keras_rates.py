"""Learning rates of Keras trainings: what each step was made with, without a call that anybody could notice."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import pytest

from autolog.integrations import keras_pure
from autolog.integrations.keras import AutologCallback
from autolog.integrations.keras_rates import formula

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
schedules = keras.optimizers.schedules


def fitted(optimizer, batches=6, epochs=1, callbacks=(), model=None):
    """Fit a small model for some batches of four rows; the model."""
    if model is None:
        model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)], name="small")
        model.compile(optimizer, "mse")
    x = np.ones((4 * batches, 2), "float32")
    model.fit(x, x[:, 0], epochs=epochs, batch_size=4, verbose=0, callbacks=list(callbacks))
    return model


def rates(autolog_run, name="learning_rate"):
    recording = autolog_run.read()
    assert not recording.problems
    return [sorted(child.series(name)) for child in recording.children]


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.ExponentialDecay(0.1, 3, 0.9),
        schedules.ExponentialDecay(0.1, 3, 0.9, staircase=True),
        schedules.InverseTimeDecay(0.1, 4, 0.5),
        schedules.InverseTimeDecay(0.1, 4, 0.5, staircase=True),
        schedules.PiecewiseConstantDecay([2, 5], [0.3, 0.2, 0.1]),
        schedules.PolynomialDecay(0.1, 7, 0.01, power=2.0),
        schedules.PolynomialDecay(0.1, 7, 0.01, power=0.5, cycle=True),
        schedules.CosineDecay(0.1, 9, alpha=0.1),
        schedules.CosineDecay(0.01, 9, warmup_target=0.2, warmup_steps=5),
        schedules.CosineDecayRestarts(0.1, 4, t_mul=1.0, m_mul=0.8, alpha=0.05),
    ],
    ids=lambda schedule: schedule.name,
)
def test_formulas_are_what_keras_calculates(schedule):
    at = formula(schedule)
    for step in range(40):
        by_keras = float(keras.ops.convert_to_numpy(schedule(keras.ops.convert_to_tensor(step, "int32"))))
        assert at(step) == pytest.approx(by_keras, rel=2e-5, abs=1e-9), step


def test_every_class_of_schedule_is_known():
    """A new one would be recorded too, but once for each epoch or as often as there is time."""
    classes = {name for name in dir(schedules) if isinstance(getattr(schedules, name), type)}
    assert classes == {
        "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "LearningRateSchedule",
        "PiecewiseConstantDecay", "PolynomialDecay",
    }  # fmt: skip
    assert formula(schedules.CosineDecayRestarts(0.1, 4)) is None  # t_mul is 2: asked, not calculated


class Warmup(schedules.LearningRateSchedule):
    """As in many tutorials: no ``get_config``."""

    def __init__(self, size, warmup=4):
        self.size = keras.ops.cast(size, "float32")
        self.warmup = warmup

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        return keras.ops.rsqrt(self.size) * keras.ops.minimum(keras.ops.rsqrt(step), step * self.warmup**-1.5)


class Counting(schedules.LearningRateSchedule):
    def __init__(self):
        self.calls = 0

    def __call__(self, step):
        self.calls += 1
        return 0.1


def test_schedule_of_ones_own(autolog_run):
    schedule = Warmup(64)
    fitted(keras.optimizers.Adam(schedule), epochs=2)
    (child,) = autolog_run.read().children
    series = dict(child.series("learning_rate"))
    # As often as there is time, at least once for each epoch.
    assert {6, 12} <= set(series)
    for step, rate in series.items():
        assert rate == pytest.approx(float(schedule(step - 1)), rel=1e-5)
    assert child.params["optimizer.learning_rate.class_name"] == "Warmup"
    assert child.params["optimizer.learning_rate.config.warmup"] == 4
    assert child.params["optimizer.beta_1"] == 0.9


def test_schedule_with_side_effects_is_left_alone(autolog_run):
    bare, seen, asked = Counting(), Counting(), Counting()
    callback = AutologCallback(log_learning_rate=True)
    fitted(keras.optimizers.SGD(seen))
    fitted(keras.optimizers.SGD(asked), callbacks=[callback])
    silent, explicit = rates(autolog_run)
    fitted(keras.optimizers.SGD(bare), callbacks=[AutologCallback(log_learning_rate=False)])
    assert seen.calls == bare.calls == 6
    assert not silent
    assert explicit
    assert asked.calls > 6


def stateful(kept=[]):  # noqa: B006  that is the point
    kept.append(1)
    return 0.1


def test_what_is_known_to_have_no_effect():
    import random

    total = 0

    def counting():
        nonlocal total
        total += 1
        return 0.1

    scale = 0.5
    assert keras_pure.is_pure(lambda: 0.1 * scale)
    assert keras_pure.is_pure(lambda step: np.minimum(0.1, 0.2) * max(step, 1))
    assert keras_pure.is_pure(Warmup(4))
    for impure in (
        counting,
        stateful,
        Counting(),
        lambda: print("rate") or 0.1,
        random.random,
        lambda: 0.1 * random.random(),
        np.random.default_rng,
        lambda: keras.random.uniform(()),
    ):
        assert not keras_pure.is_pure(impure)


class Setting(keras.callbacks.Callback):
    """Sets the rate before some steps, and at the end of an epoch for the next."""

    def on_train_batch_begin(self, batch, logs=None):
        if batch in (1, 3):
            self.model.optimizer.learning_rate = 0.1 * batch

    def on_epoch_end(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 0.8


def test_rate_that_is_set(autolog_run):
    fitted(keras.optimizers.SGD(0.05), batches=4, epochs=2, callbacks=[Setting()])
    (series,) = rates(autolog_run)
    single = [
        (step, float(np.float32(rate))) for step, rate in [(2, 0.1), (4, 0.3), (4, 0.3), (6, 0.1), (8, 0.3), (8, 0.3)]
    ]
    assert series == single  # the last one of each epoch is Keras' word at its end, for the steps it had


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="this Keras has none yet")
def test_several_optimizers(autolog_run):
    parts = keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(
            keras.optimizers.SGD(0.5, name="rest"),
            {".*bias": keras.optimizers.Adam(schedules.ExponentialDecay(0.1, 2, 0.5), name="biases")},
        )
    )
    model = fitted(parts)
    (child,) = autolog_run.read().children
    assert child.series("learning_rate_rest") == [(6, 0.5)]
    decayed = [(step + 1, pytest.approx(0.1 * 0.5 ** (step / 2), rel=1e-5)) for step in range(6)]
    assert sorted(child.series("learning_rate_biases")) == decayed
    assert child.params["optimizer.class"] == "MultiOptimizer"
    assert child.params["optimizer.rest.class"] == "SGD"
    assert child.params["optimizer.biases.learning_rate.config.decay_rate"] == 0.5
    assert int(model.optimizer.iterations) == 6


def test_scaled_loss(autolog_run):
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1, dtype="mixed_float16")], name="half")
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=8.0), "mse")
    fitted(None, model=model)
    (child,) = autolog_run.read().children
    assert int(model.optimizer.inner_optimizer.iterations) == 6
    assert child.series("learning_rate") == [(6, float(np.float32(0.1)))]
    assert child.series("dynamic_scale") == [(6, 8.0)]
    assert child.params["optimizer.inner_optimizer.class"] == "SGD"
    assert child.params["optimizer.initial_scale"] == 8.0


class Duel(keras.Model):
    """Two optimizers of its own, as in a GAN; Keras is told of none."""

    def __init__(self):
        super().__init__(name="duel")
        self.one, self.other = keras.Variable([1.0]), keras.Variable([2.0])

    def compile(self, first, second):
        super().compile()
        self.first, self.second = first, second

    def call(self, x):
        return x

    def train_step(self, data):
        self.first.apply([keras.ops.ones(1)], [self.one])
        for _ in range(2):
            self.second.apply([keras.ops.ones(1)], [self.other])
        return {"gap": 0.5}


def test_optimizers_of_the_models_own(autolog_run):
    model = Duel()
    model.compile(keras.optimizers.SGD(0.25), keras.optimizers.Adam(0.5))
    fitted(None, model=model, epochs=2)
    (child,) = autolog_run.read().children
    assert child.facts["optimizers"] == [
        {"name": "optimizer", "updates": 0},
        {"name": "first", "updates": 12},
        {"name": "second", "updates": 24},
    ]
    assert [step for step, _ in child.series("gap")] == [6, 12]  # batches: there is no one optimizer to count
    assert child.series("learning_rate_first") == [(6, 0.25), (12, 0.25)]
    assert child.series("learning_rate_second") == [(6, 0.5), (12, 0.5)]
    assert "learning_rate" not in child.metric_names
    assert (child.params["first.class"], child.params["second.class"]) == ("SGD", "Adam")
