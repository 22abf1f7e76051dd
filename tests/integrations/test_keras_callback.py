"""``AutologCallback`` and its options, which batches go on record, and Keras' own dispatch of callbacks."""

import copy
import math
import os
import pickle
import threading

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import pytest

import autolog
from autolog import config
from autolog.integrations import keras_steps, weights
from autolog.integrations.keras import AutologCallback

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def network(name="small"):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)], name=name)
    model.compile("sgd", "mse")
    return model


def fit(model, batches=6, epochs=1, callbacks=None, **more):
    x = np.random.default_rng(0).random((4 * batches, 4)).astype("float32")
    return model.fit(x, x[:, 0], batch_size=4, epochs=epochs, verbose=0, callbacks=callbacks, **more)


def told(recording):
    assert not recording.problems
    return recording


def test_options(autolog_run):
    fit(network(), callbacks=[AutologCallback(log_batches=False, log_learning_rate=False, log_model=False)])
    fit(network(), epochs=2, callbacks=[AutologCallback(every_n_batches=4)])
    less, some = told(autolog_run.read()).children
    assert {name for name in less.metric_names if not name.startswith("autolog/")} == {"loss"}
    assert "summary" not in less.facts["model"]
    assert less.facts["model"]["parameters"] == 5
    assert not less.assets
    assert [step for step, _ in sorted(some.series("batch_loss"))] == [4, 10]  # the fourth batch of each epoch
    assert [step for step, _ in some.series("loss")] == [6, 12]


def test_weights_are_recorded_as_asked(autolog_run, monkeypatch):
    monkeypatch.setattr(weights, "process_budget", weights.Budget(1000.0))
    fit(network(), epochs=3, callbacks=[AutologCallback(weights="epoch")])  # though the setting says off
    fit(network(), epochs=3, callbacks=[AutologCallback(weights=12)])
    config.configure(weights="epoch")
    try:
        fit(network(), callbacks=[AutologCallback(weights="off")])
    finally:
        config.configure(weights=None)
    taken = [
        [asset.step for asset in child.assets if asset.name == "weights"] for child in told(autolog_run.read()).children
    ]
    assert taken == [[6, 12, 18], [12], []]
    with pytest.raises(ValueError, match="AutologCallback: setting 'weights' must be"):
        AutologCallback(weights="often")


def test_run(autolog_run):
    with autolog.start_run(name="mine") as run:
        trial = run.open_child("trial", "trial")
        fit(network(), callbacks=[AutologCallback(run=trial)])
        network().evaluate(np.ones((4, 4)), np.ones(4), verbose=0, callbacks=[AutologCallback(run=trial)])
        fit(network())
        trial.close_child()
    trial, first, evaluation, second = told(autolog_run.read()).children
    assert [child.parent for child in (first, evaluation, second)] == [trial.id, trial.id, None]


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "2"])
def test_wrong_option(wrong):
    with pytest.raises(ValueError, match="every_n_batches"):
        AutologCallback(every_n_batches=wrong)


def test_callback_is_like_any_other():
    callback = AutologCallback(every_n_batches=3)
    for twin in (copy.deepcopy(callback), pickle.loads(pickle.dumps(callback))):
        assert isinstance(twin, keras.callbacks.Callback)
        assert twin.options == callback.options


def test_many_batches_are_thinned_and_that_is_said(autolog_run, monkeypatch):
    monkeypatch.setattr(keras_steps, "_FIRST", 3)
    monkeypatch.setattr(keras_steps, "_A_SECOND", 0)

    class Breaking(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 4:
                self.model.set_weights([np.full((4, 1), math.nan, "float32"), np.zeros(1, "float32")])

    history = fit(network(), callbacks=[Breaking()]).history
    recording = told(autolog_run.read())
    (child,) = recording.children
    points = sorted(child.series("batch_loss"))
    assert len(points) == 4
    # Which three are the first is up to Keras' threads; the one that is not finite is never left out.
    assert [step for step, value in points if math.isnan(value)] in ([5], [5, 6], [6])
    assert math.isnan(history["loss"][0])
    assert len(child.series("loss")) == 1
    notices = [record for record in recording.records if getattr(record, "kind", "") == "notice"]
    assert [notice.where for notice in notices] == ["keras.batches"]
    assert "200 times a second" in notices[0].detail
    assert child.facts["batches_left_out"] == 2


def test_dispatch_is_keras_own(autolog_run):
    """Batch callbacks go to threads where Keras alone would send them there, and nowhere else."""

    class Watching(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.seen = self.among._async_train, self.among._async_test, self.among._executor is not None

    class Slow(Watching):
        def on_train_batch_end(self, batch, logs=None):
            pass

    def dispatched(kind, *more):
        callback = kind()
        given = keras.callbacks.CallbackList([callback, *more], model=network(), add_history=True)
        callback.among = given
        fit(given.model, callbacks=given)
        return callback.seen

    autolog.disable("keras")
    try:
        alone = dispatched(Watching), dispatched(Slow)
    finally:
        autolog.enable("keras")
    assert alone == ((True, True, True), (False, True, True))
    assert (dispatched(Watching), dispatched(Slow)) == alone
    assert (dispatched(Watching, AutologCallback()), dispatched(Slow, AutologCallback())) == alone
    for child in told(autolog_run.read()).children:
        assert [step for step, _ in sorted(child.series("batch_loss"))] == [1, 2, 3, 4, 5, 6]


def test_logged_beside_it_has_the_step(autolog_run):
    class Logging(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            autolog.log_metric("done", batch)

        def on_train_batch_end(self, batch, logs=None):
            autolog.log_metric("mine", batch)

    fit(network(), batches=3, epochs=2, callbacks=[Logging()])
    (child,) = told(autolog_run.read()).children
    assert child.points("mine") == [(step + 1, step // 3, step % 3) for step in range(6)]
    assert [step for step, _ in child.series("done")][1:] == [1, 2, 3, 4, 5]


def test_in_threads(autolog_run):
    histories = {}

    def train(name, epochs):
        histories[name] = fit(network(name), epochs=epochs).history["loss"]

    autolog.start_run()
    threads = [threading.Thread(target=train, args=(name, epochs)) for name, epochs in [("one", 2), ("other", 3)]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    children = told(autolog_run.read()).children
    assert {child.name: [value for _, value in child.series("loss")] for child in children} == histories
    assert [child.status for child in children] == ["completed"] * 2
