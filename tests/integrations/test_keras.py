"""Keras 3 on the backend at hand: real training, and the whole record compared with what Keras itself says."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import pytest

import autolog
from autolog import events
from autolog.integrations import keras_model, keras_steps
from autolog.integrations.keras import AutologCallback

# Keras itself reads tensors in a way that numpy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def data(count=96):
    generator = np.random.default_rng(0)
    x = generator.random((count, 4)).astype("float32")
    return x, (x.sum(axis=1) > 2).astype("float32")


def network(**compile_options):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.layers.Input((4,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(1, activation="sigmoid"),
        ],
        name="small",
    )
    options = {"optimizer": keras.optimizers.Adam(0.01), "loss": "binary_crossentropy", "metrics": ["accuracy"]}
    model.compile(**{**options, **compile_options})
    return model


def told(recording):
    assert not recording.problems
    return recording


def test_fit_whole_record(autolog_run):
    model = network()
    x, y = data()
    history = model.fit(x, y, epochs=3, batch_size=16, validation_data=(x[:32], y[:32]), verbose=0).history
    recording = told(autolog_run.read())
    (fit,) = recording.children
    assert (fit.name, fit.kind, fit.integration, fit.parent, fit.status) == ("small", "fit", "keras", None, "completed")

    # 96 samples in batches of 16: 6 optimizer steps an epoch.
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert fit.points(name) == [(6 * (epoch + 1), epoch, value) for epoch, value in enumerate(history[name])]
    rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    assert fit.points("learning_rate") == [(6, 0, rate), (12, 1, rate), (18, 2, rate)]
    batches = sorted(fit.points("batch_loss"))
    assert [(step, epoch) for step, epoch, _ in batches] == [(step, (step - 1) // 6) for step in range(1, 19)]
    # Keras hands the mean since the epoch began: after its last batch it is the epoch's value.
    assert [value for step, _, value in batches if step % 6 == 0] == history["loss"]
    assert {name for name in fit.metric_names if not name.startswith("autolog/")} == {
        *history,
        "learning_rate",
        "batch_loss",
        "batch_accuracy",
    }

    parameters = {name: value for name, value in fit.params.items() if not name.startswith("optimizer.")}
    assert parameters == {
        "batch_size": 16,
        "epochs": 3,
        "initial_epoch": 0,
        "shuffle": True,
        "validation_freq": 1,
        "validation_split": 0.0,
        "loss": "binary_crossentropy",
        "metrics": ["accuracy"],
        "run_eagerly": False,
        "steps_per_execution": 1,
        "jit_compile": model.jit_compile,
    }
    for name, value in model.optimizer.get_config().items():
        assert fit.params[f"optimizer.{name}"] == value
    assert fit.params["optimizer.class"] == "Adam"
    assert fit.sources["epochs"] == "keras.fit"
    assert fit.sources["loss"] == "keras.compile"

    described = fit.facts["model"]
    assert described["parameters"] == model.count_params() == 49
    assert described["trainable_parameters"] == 49
    assert described["layers"] == len(model.layers)
    assert described["backend"] == keras.backend.backend()
    assert "dense" in described["summary"]
    assert fit.facts["data"] == {
        "reader": "ArrayDataAdapter",
        "batch_size": 16,
        "batches": 6,
        "x": {"type": "numpy.ndarray", "shape": [96, 4], "dtype": "float32"},
        "y": {"type": "numpy.ndarray", "shape": [96], "dtype": "float32"},
        "validation_data": {
            "type": "tuple",
            "length": 2,
            "parts": [
                {"type": "numpy.ndarray", "shape": [32, 4], "dtype": "float32"},
                {"type": "numpy.ndarray", "shape": [32], "dtype": "float32"},
            ],
        },
    }
    counts = {kind: sum(type(record) is kind for record in fit.records) for kind in map(type, fit.records)}
    assert fit.facts["training"] == {
        "epochs": 3,
        "initial_epoch": 0,
        "epochs_done": 3,
        "steps_done": 18,
        "stopped_early": False,
    }
    assert counts == {
        events.Child: 1, events.Params: 2, events.Fact: 3, events.Asset: 1, events.Metrics: 18 + 3, events.ChildEnd: 1,
    }  # fmt: skip


def test_two_fits_and_evaluate(autolog_run):
    model = network()
    x, y = data()
    model.fit(x, y, epochs=1, batch_size=32, verbose=0)
    values = model.evaluate(x, y, verbose=0, return_dict=True)
    model.predict(x, verbose=0)
    model.fit(x, y, epochs=4, initial_epoch=2, batch_size=32, verbose=0)
    first, evaluation, second = told(autolog_run.read()).children
    assert [child.kind for child in (first, evaluation, second)] == ["fit", "evaluate", "fit"]
    assert [point[:2] for point in first.points("loss")] == [(3, 0)]
    assert {name: evaluation.series(name) for name in values} == {name: [(3, value)] for name, value in values.items()}
    assert [point[:2] for point in second.points("loss")] == [(6, 2), (9, 3)]
    assert int(model.optimizer.iterations) == 9


def test_steps_are_optimizer_steps(autolog_run):
    model = network(optimizer=keras.optimizers.SGD(0.1, gradient_accumulation_steps=3))
    x, y = data()
    model.fit(x, y, epochs=2, batch_size=8, verbose=0)  # 12 batches, 4 steps an epoch
    (fit,) = told(autolog_run.read()).children
    assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == 8
    assert [step for step, _ in fit.series("loss")] == [4, 8]
    assert sorted(step for step, _ in fit.series("batch_loss")) == [batch // 3 for batch in range(1, 25)]


def test_learning_rates(autolog_run):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=3, decay_rate=0.5)
    x, y = data()
    scheduled = network(optimizer=keras.optimizers.SGD(schedule))
    scheduled.fit(x, y, epochs=2, batch_size=32, verbose=0)
    told_by_keras = network()
    callback = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    history = told_by_keras.fit(x, y, epochs=2, batch_size=32, verbose=0, callbacks=[callback]).history
    first, second = told(autolog_run.read()).children
    # The rate that each step was made with: after n updates, the schedule says what the next one gets.
    expected = [float(keras.ops.convert_to_numpy(schedule(step))) for step in range(6)]
    assert sorted(first.series("learning_rate")) == [
        (step + 1, pytest.approx(rate, rel=1e-6)) for step, rate in enumerate(expected)
    ]
    assert first.params["optimizer.learning_rate.config.decay_rate"] == 0.5
    assert [value for _, value in second.series("learning_rate")] == history["learning_rate"]
    assert second.params["callbacks"] == ["LearningRateScheduler"]


def test_functions_and_objects_in_compile(autolog_run, recwarn):
    def my_loss(y, predicted):
        return keras.losses.mean_squared_error(y, predicted)

    model = network(
        optimizer=keras.optimizers.SGD(lambda: 0.1),
        loss=my_loss,
        metrics=[keras.metrics.AUC(name="auc", num_thresholds=7), lambda y, predicted: predicted],
    )
    x, y = data()
    model.fit(x, y, epochs=1, verbose=0)
    # Keras warns when it serializes a lambda: nobody asked it to.
    assert not [warning for warning in recwarn if issubclass(warning.category, UserWarning)]
    (fit,) = told(autolog_run.read()).children
    assert fit.params["loss"] == "my_loss"
    assert fit.params["metrics"][0]["class"] == "AUC"
    assert fit.params["metrics"][0]["num_thresholds"] == 7
    assert fit.params["metrics"][1] == "<lambda>"


class Raising(keras.callbacks.Callback):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def on_epoch_end(self, epoch, logs=None):
        raise self.error


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), "interrupted"), (ZeroDivisionError("in a callback"), "failed")]
)
def test_error_in_a_callback(autolog_run, error, status):
    model = network()
    with pytest.raises(type(error)) as caught:
        model.fit(*data(), epochs=2, batch_size=32, verbose=0, callbacks=[Raising(error)])
    assert caught.value is error
    model.fit(*data(), epochs=1, batch_size=32, verbose=0)
    failed, next_one = told(autolog_run.read()).children
    assert failed.status == status
    assert failed.end.exception["message"] == str(error)
    assert failed.series("loss") == []
    assert sorted(step for step, _ in failed.series("batch_loss")) == [1, 2, 3]
    assert next_one.status == "completed"
    assert [step for step, _ in next_one.series("loss")] == [6]


class Broken(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)

    def call(self, x):
        return self.dense(x)

    def train_step(self, *args):
        raise ArithmeticError("in train_step")


def test_error_in_train_step_and_before(autolog_run):
    model = Broken()
    model.compile(loss="mse")
    with pytest.raises(ArithmeticError, match="in train_step"):
        model.fit(*data(), verbose=0)
    with pytest.raises((ValueError, RuntimeError), match="incompatible"):
        network().fit(data()[0][:, :2], data()[1], verbose=0)
    with pytest.raises(ValueError, match="compile"):
        keras.Sequential([keras.layers.Dense(1)]).fit(*data())
    children = told(autolog_run.read()).children
    assert [child.status for child in children] == ["failed"] * 3
    assert children[0].end.exception["type"] == "ArithmeticError"


class Custom(Broken):
    """A training step with an optimizer of its own that Keras does not know of."""

    def train_step(self, *args):
        return {"mine": 0.5}


def test_custom_train_step_counts_batches(autolog_run):
    model = Custom()
    model.compile(loss="mse")
    model.fit(*data(), epochs=2, batch_size=32, verbose=0)
    (fit,) = told(autolog_run.read()).children
    assert fit.series("mine") == [(3, 0.5), (6, 0.5)]
    assert sorted(fit.series("batch_mine")) == [(step, 0.5) for step in range(1, 7)]


def test_explicit_callback_is_the_same_and_alone(autolog_run):
    x, y = data()
    network().fit(x, y, epochs=2, batch_size=32, verbose=0)
    mine = AutologCallback()
    callbacks = [mine]
    network().fit(x, y, epochs=2, batch_size=32, verbose=0, callbacks=callbacks)
    assert callbacks == [mine]
    automatic, explicit = told(autolog_run.read()).children
    assert sorted(explicit.points("batch_loss")) == sorted(automatic.points("batch_loss"))
    assert explicit.points("loss") == automatic.points("loss")
    assert explicit.params.pop("callbacks") == ["AutologCallback"]
    del explicit.params["optimizer.name"], automatic.params["optimizer.name"]  # some versions of Keras number them
    assert explicit.params == automatic.params


def test_explicit_callback_while_disabled(autolog_run):
    x, y = data()
    autolog.disable("keras")
    try:
        model = network()
        model.fit(x, y, epochs=1, batch_size=32, verbose=0)
        assert autolog.current_run() is None
        history = model.fit(
            x, y, epochs=1, batch_size=32, verbose=0, validation_data=(x, y), callbacks=[AutologCallback()]
        ).history
        values = model.evaluate(x, y, verbose=0, callbacks=[AutologCallback()], return_dict=True)
    finally:
        autolog.enable("keras")
    fit, evaluation = told(autolog_run.read()).children
    assert (fit.kind, fit.status, evaluation.kind, evaluation.status) == ("fit", "completed", "evaluate", "completed")
    assert fit.series("val_loss") == [(6, history["val_loss"][0])]
    assert evaluation.series("loss") == [(6, values["loss"])]
    assert "epochs" not in fit.params  # only a wrapped fit knows its arguments
    assert fit.params["loss"] == "binary_crossentropy"


class Inner(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        network().fit(*data(), epochs=1, batch_size=48, verbose=0)
        self.model.evaluate(*data(), verbose=0)
        autolog.log_metric("mine", epoch)


def test_inside_a_fit(autolog_run):
    network().fit(*data(), epochs=2, batch_size=32, verbose=0, callbacks=[Inner()])
    fit, *evaluations = told(autolog_run.read()).children
    assert [(one.kind, one.parent) for one in evaluations] == [("evaluate", fit.id)] * 2
    assert [step for step, _ in fit.series("loss")] == [3, 6]
    assert len(fit.series("batch_loss")) == 6
    assert fit.points("mine") == [(3, 0, 0.0), (6, 1, 1.0)]


def test_custom_loop_with_a_callback_list(autolog_run):
    model = network()
    x, y = data()
    callbacks = keras.callbacks.CallbackList([], model=model, epochs=2)
    callbacks.on_train_begin()
    for epoch in range(2):
        callbacks.on_epoch_begin(epoch)
        for batch in range(3):
            callbacks.on_train_batch_begin(batch)
            logs = model.train_on_batch(x[:8], y[:8], return_dict=True)
            callbacks.on_train_batch_end(batch, logs)
        callbacks.on_epoch_end(epoch, logs)
    callbacks.on_train_end()
    (fit,) = told(autolog_run.read()).children
    assert fit.status == "completed"
    assert [step for step, _ in fit.series("loss")] == [3, 6]
    assert len(fit.series("batch_loss")) == 6


def test_long_model_has_no_summary(autolog_run, monkeypatch):
    monkeypatch.setattr(keras_model, "_LAYERS", 2)
    network().fit(*data(), verbose=0)
    (fit,) = told(autolog_run.read()).children
    assert "summary" not in fit.facts["model"]
    assert fit.facts["model"]["architecture"] == "left out: more than 2 layers"
    assert not fit.assets
    assert fit.facts["model"]["parameters"] == 49


def test_error_of_ours_leaves_the_fit_alone(autolog_run, monkeypatch):
    autolog.configure(strict=False)
    monkeypatch.setattr(keras_steps.Steps, "epoch_end", lambda self: 1 / 0)
    history = network().fit(*data(), epochs=2, batch_size=32, verbose=0).history
    assert len(history["loss"]) == 2
    recording = autolog_run.read()
    assert recording.children[0].status == "completed"
    assert any("keras.on_epoch_end" in problem for problem in recording.problems)


IMPORTS = "import numpy as np, keras"

FAILING = """
keras.utils.set_random_seed(5)
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
class Stop(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            raise KeyboardInterrupt
try:
    model.fit(np.ones((64, 4)), np.ones(64), batch_size=8, verbose=0, callbacks=[Stop()])
except KeyboardInterrupt as error:
    print(repr(error), error.__context__, error.__cause__)
"""


def test_transparent_interrupt(transparent):
    compared = transparent(IMPORTS, FAILING)
    assert compared.off.stdout.startswith("KeyboardInterrupt()")
    for outcome in (compared.first, compared.late):
        (fit,) = told(outcome.recording).children
        assert fit.status == "interrupted"
        assert [step for step, _ in fit.series("batch_loss")] == [1, 2]


# Keras has estimators in scikit-learn's style, which that integration watches.
WITHOUT_SKLEARN = """
import os, sys
os.environ["AUTOLOG_DISABLE"] = "seeds,sklearn"
if "autolog" in sys.modules:
    sys.modules["autolog"].disable("sklearn")
"""


def test_originals_come_back(restores):
    restores(
        "keras",
        packages=["keras"],
        imports=WITHOUT_SKLEARN + IMPORTS,
        use="model = keras.Sequential([keras.layers.Dense(1)])\nmodel.compile('sgd', 'mse')\n"
        "model.fit(np.ones((8, 2)), np.ones(8), verbose=0)\nmodel.train_on_batch(np.ones((8, 2)), np.ones(8))",
        expect=["Trainer.fit", "Trainer.evaluate", "Trainer.train_on_batch", "CallbackList.__init__", "Model.save"],
    )
