"""Loops of a program's own over ``train_on_batch``: one training for each model, with the values that Keras returns."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import pytest

import autolog
from autolog.integrations.keras import integration

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def network(name="small", optimizer=None):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)], name=name)
    model.compile(optimizer or keras.optimizers.SGD(0.01), "mse", metrics=["mae"])
    return model


def data(count=16):
    x = np.random.default_rng(0).random((count, 4)).astype("float32")
    return x, x.sum(axis=1)


def told(recording):
    assert not recording.problems
    return recording


def test_loop(autolog_run):
    model, (x, y) = network(), data()
    losses, tested = [], []
    for step in range(6):
        losses.append(model.train_on_batch(x, y))  # a list: loss and mae
        if step % 3 == 2:
            tested.append(model.test_on_batch(x, y, return_dict=True))
        autolog.log_metric("mine", step)
    recording = told(autolog_run.read())
    (loop,) = recording.children
    assert (loop.name, loop.kind, loop.integration) == ("small", "fit", "keras")
    assert loop.series("loss") == [(step + 1, values[0]) for step, values in enumerate(losses)]
    assert loop.series("mae") == [(step + 1, values[1]) for step, values in enumerate(losses)]
    assert loop.series("test_loss") == [(3, tested[0]["loss"]), (6, tested[1]["loss"])]
    assert loop.metric_names == {"loss", "mae", "test_loss", "test_mae"}
    # What the program logs between the calls is at the loop's step.
    assert recording.run.series("mine") == [(step + 1, step) for step in range(6)]
    assert loop.params["optimizer.class"] == "SGD"
    assert loop.params["loss"] == "mse"
    assert loop.facts["model"]["parameters"] == model.count_params()
    assert loop.facts["data"]["x"] == {"type": "numpy.ndarray", "shape": [16, 4], "dtype": "float32"}
    assert [asset.name for asset in loop.assets] == ["architecture.json"]


def test_two_models_and_a_schedule(autolog_run):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    accumulating = keras.optimizers.SGD(schedule, gradient_accumulation_steps=2)
    one, other, (x, y) = network("one", accumulating), network("other"), data()
    for step in range(4):
        one.train_on_batch(x, y)
        if step == 2:
            other.optimizer.learning_rate = 0.5
        other.train_on_batch(x, y)
    first, second = told(autolog_run.read()).children
    assert [child.name for child in (first, second)] == ["one", "other"]
    assert [step for step, _ in first.series("loss")] == [0, 1, 1, 2]
    assert [rate for _, rate in first.series("learning_rate")] == pytest.approx(
        [0.1 * 0.5 ** (n / 2) for n in range(4)]
    )
    assert [step for step, _ in second.series("loss")] == [1, 2, 3, 4]
    assert second.series("learning_rate") == [(3, 0.5)]
    assert int(keras.ops.convert_to_numpy(one.optimizer.iterations)) == 2


def test_a_fit_is_another_training(autolog_run):
    model, (x, y) = network(), data()
    model.train_on_batch(x, y)
    model.train_on_batch(x, y)
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    model.train_on_batch(x, y)
    first, fit, second = told(autolog_run.read()).children
    assert [child.kind for child in (first, fit, second)] == ["fit"] * 3
    assert [step for step, _ in first.series("loss")] == [1, 2]
    assert [step for step, _ in fit.series("loss")] == [4]
    assert [step for step, _ in second.series("loss")] == [5]
    assert [child.status for child in (first, fit)] == ["completed"] * 2


def test_only_tests(autolog_run):
    model, (x, y) = network(), data()
    values = [model.test_on_batch(x[:8], y[:8]), model.test_on_batch(x[8:], y[8:])]
    (evaluation,) = told(autolog_run.read()).children
    assert evaluation.kind == "evaluate"
    assert evaluation.series("loss") == [(1, values[0][0]), (2, values[1][0])]


def test_failure(autolog_run):
    model, (x, y) = network(), data()
    model.train_on_batch(x, y)
    with pytest.raises(ValueError, match="incompatible"):
        model.train_on_batch(x[:, :2], y)
    model.train_on_batch(x, y)
    failed, next_one = told(autolog_run.read()).children
    assert (failed.status, failed.end.exception["type"]) == ("failed", "ValueError")
    assert [step for step, _ in next_one.series("loss")] == [2]


class Overriding(keras.Model):
    """Has a loop of its own, without ``super().fit``."""

    def __init__(self):
        super().__init__(name="overriding")
        self.dense = keras.layers.Dense(1)

    def call(self, x):
        return self.dense(x)

    def fit(self, x, y, epochs):
        for _ in range(epochs):
            loss = self.train_on_batch(x, y)
        return loss


class Extending(Overriding):
    def fit(self, *args, **kwargs):
        return keras.Model.fit(self, *args, **kwargs)


def test_fit_of_ones_own(autolog_run):
    x, y = data()
    overriding, extending = Overriding(), Extending()
    for model in (overriding, extending):
        model.compile("sgd", "mse")
    loss = overriding.fit(x, y, epochs=3)
    history = extending.fit(x, y, epochs=3, batch_size=16, verbose=0).history
    first, second = told(autolog_run.read()).children
    assert first.series("loss")[-1] == (3, loss)
    assert [value for _, value in second.series("loss")] == history["loss"]
    assert first.facts["model"]["architecture"] == "left out: Overriding is a class of the program's own"


def test_the_next_run_has_its_own(autolog_run):
    model, (x, y) = network(), data()
    model.train_on_batch(x, y)
    autolog.finish()
    model.train_on_batch(x, y)
    first, second = told(autolog_run.read()).children
    assert [step for step, _ in first.series("loss") + second.series("loss")] == [1, 2]


def test_inside_a_fit_and_off(autolog_run):
    (x, y), inner = data(), network("inner")

    class Inner(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            inner.train_on_batch(x, y)

    network().fit(x, y, verbose=0, callbacks=[Inner()])
    autolog.disable(integration.name)
    try:
        network().train_on_batch(x, y)
    finally:
        autolog.enable(integration.name)
    (fit,) = told(autolog_run.read()).children
    assert fit.name == "small"
    assert len(fit.series("loss")) == 1
