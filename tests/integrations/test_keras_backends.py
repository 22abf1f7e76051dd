"""Keras on PyTorch, JAX and TensorFlow: the same programs as processes, the whole record, and nothing disturbed."""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autolog.testing import recording
from tests.waiting import LONG

PROGRAM = Path(__file__).parent.parent / "programs" / "keras_digits.py"
AUTOLOG = Path(sys.executable).parent / "autolog"
BACKENDS = ("torch", "jax", "tensorflow")


def told(recording):
    assert not recording.problems
    return recording


def process(directory, backend, *command):
    """Run a command on a backend, in a directory, under a strict autolog; what it printed."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("AUTOLOG")}
    done = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=LONG, check=False,
        env=kept | {
            "KERAS_BACKEND": backend, "AUTOLOG_DIR": str(directory / "runs"), "AUTOLOG_STRICT": "1",
            "AUTOLOG_SIDECAR": "0", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0",
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def needs(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")


# -- a program of realistic size ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The program's record and what it says itself, by backend; each is run once."""
    done = {}

    def run(backend):
        needs(backend)
        if backend not in done:
            directory = tmp_path_factory.mktemp(backend)
            process(directory, backend, str(AUTOLOG), "run", str(PROGRAM), "--dropout", "0.2")
            done[backend] = recording(directory / "runs"), json.loads((directory / "result.json").read_text())
        return done[backend]

    run.done = done
    return run


def callbacks_of(fit):
    return {told["class"]: told for told in fit.facts["callbacks"]}


@pytest.mark.parametrize("backend", BACKENDS)
def test_training(digits, backend):
    """The first fit: a schedule, early stopping, checkpoints."""
    record, result = digits(backend)
    fit = told(record).children[0]
    assert [(one.name, one.kind, one.status) for one in record.children] == [
        ("digits", "fit", "completed"), ("digits", "fit", "completed"), ("digits", "evaluate", "completed"),
    ]  # fmt: skip
    history = result["history"]
    epochs = len(history["loss"])
    for name, values in history.items():  # 320 rows in batches of 32: ten steps an epoch
        assert fit.points(name) == [(10 * (epoch + 1), epoch, value) for epoch, value in enumerate(values)]
    named = {name for name in fit.metric_names if not name.startswith("autolog/")}  # those are of weights
    assert named == {*history, "batch_loss", "batch_accuracy", "learning_rate"}
    batches = sorted(fit.points("batch_loss"))
    assert [(step, epoch) for step, epoch, _ in batches] == [(n + 1, n // 10) for n in range(10 * epochs)]
    # Keras hands the mean since the epoch began: after its last batch it is the epoch's value.
    assert [value for step, _, value in batches if step % 10 == 0] == pytest.approx(history["loss"], rel=1e-6)
    assert [step for step, _ in sorted(fit.series("learning_rate"))] == list(range(1, 10 * epochs + 1))
    assert sorted(fit.series("learning_rate"))[29][1] == pytest.approx(
        0.02 * 0.5 * (1 + math.cos(math.pi * 19 / 60)), rel=1e-5
    )
    best = max(range(epochs), key=history["val_accuracy"].__getitem__)
    stopping = callbacks_of(fit)["EarlyStopping"]
    stopped = epochs - 1 if epochs < 12 else None
    assert (stopping["stopped_epoch"], stopping["best_epoch"], stopping["restored_epoch"]) == (stopped, best, best)
    assert (stopping["monitor"], stopping["patience"], stopping["best"]) == (
        "val_accuracy",
        2,
        max(history["val_accuracy"]),
    )
    assert fit.facts["training"] == {
        "epochs": 12, "initial_epoch": 0, "epochs_done": epochs, "steps_done": 10 * epochs,
        "stopped_early": epochs < 12,
    }  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_parameters_and_facts(digits, backend):
    record, _ = digits(backend)
    fit = record.children[0]
    optimizer = {name: value for name, value in fit.params.items() if name.startswith("optimizer.")}
    assert {name: value for name, value in fit.params.items() if name not in optimizer} == {
        "batch_size": 32, "epochs": 12, "initial_epoch": 0, "shuffle": True, "validation_freq": 1,
        "validation_split": 0.2, "callbacks": ["EarlyStopping", "ModelCheckpoint", "CSVLogger"],
        "loss.class": "SparseCategoricalCrossentropy", "loss.name": "sparse_categorical_crossentropy",
        "loss.from_logits": False, "loss.ignore_class": None, "loss.reduction": "sum_over_batch_size",
        "metrics": ["accuracy"], "run_eagerly": False, "steps_per_execution": 1, "jit_compile": backend == "jax",
    }  # fmt: skip
    assert optimizer["optimizer.class"] == "Adam"
    assert optimizer["optimizer.beta_2"] == 0.999
    assert optimizer["optimizer.learning_rate.class_name"] == "CosineDecay"
    assert optimizer["optimizer.learning_rate.config.warmup_steps"] == 10
    model = dict(fit.facts["model"])
    assert "batch_normalization" in model.pop("summary")
    assert model == {
        "name": "digits", "class": "Functional", "backend": backend, "dtype_policy": "float32", "layers": 6,
        "parameters": 148, "trainable_parameters": 132, "non_trainable_parameters": 16,
    }  # fmt: skip
    assert fit.facts["data"] == {
        "x": {"type": "numpy.ndarray", "shape": [400, 8, 8, 1], "dtype": "float32"},
        "y": {"type": "numpy.ndarray", "shape": [400], "dtype": "int64"},
        "reader": "ArrayDataAdapter", "batch_size": 32, "batches": 10,
    }  # fmt: skip
    assert record.run.facts["command"]["argv"] == [str(PROGRAM), "--dropout", "0.2"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_files(digits, backend):
    record, result = digits(backend)
    fit, values = record.children[0], result["history"]["val_accuracy"]
    improved = [epoch for epoch, value in enumerate(values) if value > max(values[:epoch], default=-1)]
    saved = [asset for asset in fit.assets if asset.kind == "model"]
    assert [(asset.name, asset.step, asset.epoch) for asset in saved] == [
        ("best.keras", 10 * (epoch + 1), epoch) for epoch in improved
    ]
    assert [asset.metadata["score"] for asset in saved] == [values[epoch] for epoch in improved]
    checkpoint = callbacks_of(fit)["ModelCheckpoint"]
    assert (checkpoint["saved"], checkpoint["best"], checkpoint["last"]["epoch"]) == (
        len(improved), max(values), improved[-1],
    )  # fmt: skip
    (final,) = [asset for asset in record.run.assets if asset.kind == "model"]
    assert (final.name, final.metadata["saved_by"]) == ("final.keras", "keras.Model.save")
    assert [asset.name for asset in fit.assets if asset.kind == "file"] == ["architecture.json"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_tuning_and_evaluation(digits, backend):
    """The second fit: another optimizer, from the epoch where the first one ended."""
    record, result = digits(backend)
    _, tuned, evaluation = record.children
    first = len(result["history"]["loss"])
    for name, values in result["tuned"].items():  # Keras reports the learning rate here
        assert tuned.points(name) == [(13 * (n + 1), first + n, value) for n, value in enumerate(values)]
    assert tuned.params["optimizer.class"] == "SGD"
    assert tuned.params["optimizer.learning_rate"] == pytest.approx(0.05)
    reductions = callbacks_of(tuned)["ReduceLROnPlateau"]["reductions"]
    assert [one["epoch"] for one in reductions] == [first + 1, first + 2, first + 3]
    assert [one["learning_rate"] for one in reductions][:2] == pytest.approx(result["tuned"]["learning_rate"][2:])
    assert tuned.facts["training"]["initial_epoch"] == first
    assert {name: evaluation.series(name) for name in result["scores"]} == {
        name: [(result["steps"], value)] for name, value in result["scores"].items()
    }


# -- nothing is disturbed ----------------------------------------------------------------------------------------------

IMPORTS = """
import contextlib, copy, inspect, multiprocessing, pickle, random, sys, warnings
import numpy as np
import keras
from keras import Sequential, layers
from keras.callbacks import EarlyStopping, ModelCheckpoint
from keras.optimizers import Adam
"""

TRAIN = """
keras.utils.set_random_seed(5)
x = np.random.rand(64, 4).astype("float32")
y = (x.sum(axis=1) > 2).astype("float32")
schedule = keras.optimizers.schedules.PolynomialDecay(0.05, 20)
model = Sequential([layers.Dense(6), layers.Dropout(0.5), layers.Dense(1, "sigmoid")])
optimizer = Adam(schedule, gradient_accumulation_steps=2)
model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
stopping = EarlyStopping(patience=1, restore_best_weights=True)
checkpoint = ModelCheckpoint("best.weights.h5", save_weights_only=True)
given = [stopping, checkpoint]
history = model.fit(x, y, epochs=4, batch_size=16, validation_split=0.25, callbacks=given, verbose=0)
print(history.history, given == [stopping, checkpoint], sorted(vars(model)), sorted(vars(stopping)))
print(model.evaluate(x, y, verbose=0), int(model.optimizer.iterations), random.random(), np.random.rand())
print([model.train_on_batch(x, y) for _ in range(3)], model.test_on_batch(x, y, return_dict=True))
weights = [*model.get_weights(), model.predict(x, verbose=0)]
twin = keras.models.clone_model(model)
twin(x[:1])
twin.set_weights(model.get_weights())
weights += [copy.deepcopy(model).get_weights(), pickle.loads(pickle.dumps(model)).get_weights()]
model.save("model.keras")
weights += keras.models.load_model("model.keras").get_weights()
for function in (keras.Model.fit, keras.Model.evaluate, model.fit, keras.callbacks.CallbackList.__init__,
                 keras.Model.save, keras.Model.train_on_batch, keras.optimizers.Optimizer.__setattr__):
    print(inspect.signature(function), inspect.getfullargspec(function), function.__name__, function.__qualname__,
          function.__module__, function.__doc__ and len(function.__doc__))
print(type(history).__name__, [type(one).__name__ for one in (history, stopping)], stopping.model is model)

class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
    def call(self, x):
        return self.dense(x)
    def train_step(self, *args):
        return super().train_step(*args)
class Failing(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            raise LookupError("in a callback")
own = Own()
own.compile(keras.optimizers.SGD(0.1), "mse")
own.fit(x, y, batch_size=16, epochs=2, verbose=0)
try:
    own.fit(x, y, batch_size=16, verbose=0, callbacks=[Failing()])
except LookupError as error:
    print(error, error.__context__, error.__cause__)
with contextlib.suppress(TypeError):  # an old Keras on JAX leaves none behind where a fit has failed
    weights += own.get_weights()
print(sorted(name for name in sys.modules if name in ("torch", "jax", "tensorflow", "sklearn", "pandas", "matplotlib")))
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_transparent(transparent, backend):
    needs(backend)
    more = {"AUTOLOG_SIDECAR": "1"} if backend == "torch" else {}
    compared = transparent(IMPORTS, TRAIN, KERAS_BACKEND=backend, **more)
    assert compared.off.code == 0, compared.off.stderr
    for outcome in (compared.first, compared.late):
        fit, evaluation, loop, own, failed = told(outcome.recording).children
        assert (fit.kind, fit.status, evaluation.kind, own.status) == ("fit", "completed", "evaluate", "completed")
        # Two batches of 16 of 48 rows make a step; TensorFlow builds this model in its first batch only.
        assert [step for step, _ in fit.series("loss")][:2] == [1, 3]
        assert fit.facts["model"]["parameters"] == 4 * 6 + 6 + 6 + 1
        assert [step for step, _ in sorted(own.series("batch_loss"))] == list(range(1, 9))
        assert own.facts["model"]["parameters"] == 5
        assert len(loop.series("loss")) == 3
        assert len(loop.series("test_loss")) == 1
        assert failed.status == "failed"
        assert [step for step, _ in failed.series("batch_loss")] == [9, 10]


SEVERAL = """
import keras, numpy as np
from autolog.integrations.keras_rates import formula
x = np.ones((40, 2), "float32")
schedules = keras.optimizers.schedules
for data, options in [((x, x), {"batch_size": 4}), ((x, x), {"batch_size": 4, "steps_per_epoch": 4}), (DATA, {})]:
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(schedules.ExponentialDecay(0.1, 5, 0.5)), "mse", steps_per_execution=4)
    model.fit(*(data if isinstance(data, tuple) else (data,)), epochs=2, verbose=0, **options)
    print(int(model.optimizer.iterations))
for schedule in [schedules.CosineDecay(0.1, 9, warmup_target=0.2, warmup_steps=5),
                 schedules.InverseTimeDecay(0.1, 4, 0.5), schedules.PiecewiseConstantDecay([2, 5], [0.3, 0.2, 0.1])]:
    by_keras = [float(schedule(step)) for step in range(20)]
    assert np.allclose([formula(schedule)(step) for step in range(20)], by_keras, rtol=1e-5, atol=1e-9), by_keras
"""


ORDER = """
import keras
from autolog.integrations.keras_rates import Rates
rates = Rates(keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5)), {})
rates.at(19), rates.at(15)
print(rates.epoch_end(20, {}), list(rates.epoch_end(24, {})))
"""


def test_the_last_rate_is_recorded_once_where_batches_are_told_out_of_order(tmp_path):
    needs("jax")
    assert process(tmp_path, "jax", sys.executable, "-c", ORDER).split() == ["{}", "['learning_rate']"]


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_several_steps_in_one_execution(tmp_path, backend):
    needs(backend)
    sliced = "__import__('tensorflow').data.Dataset.from_tensor_slices((x, x)).batch(4)"
    script = SEVERAL.replace("DATA", sliced if backend == "tensorflow" else "(x, x)")
    shown = process(tmp_path, backend, sys.executable, "-c", f"import autolog\n{script}")
    children = told(recording(tmp_path / "runs")).children
    for child, line in zip(children, shown.splitlines(), strict=True):
        made = int(line)
        assert child.series("loss")[-1][0] == made
        steps = [step for step, _ in sorted(child.series("batch_loss"))]
        epoch = made // 2
        assert steps == [min(n, epoch) + base for base in (0, epoch) for n in range(4, epoch + 4, 4)]
        rates = [rate for _, rate in sorted(child.series("learning_rate"))]
        assert rates == [pytest.approx(0.1 * 0.5 ** ((step - 1) / 5), rel=1e-5) for step in steps]
