"""What goes on record of a Keras model, its data, and the files it is saved in."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import pytest

from autolog.integrations import keras_model
from autolog.integrations.keras import integration
from autolog.testing import missing

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
layers = keras.layers


def compiled(model, **options):
    model.compile(**{"optimizer": "sgd", "loss": "mse", **options})
    return model


def network():
    keras.utils.set_random_seed(1)
    return compiled(keras.Sequential([layers.Input((4,)), layers.Dense(1)], name="small"))


def data(count=16):
    x = np.random.default_rng(0).random((count, 4)).astype("float32")
    return x, x[:, :1]


def only(autolog_run):
    recording = autolog_run.read()
    assert not recording.problems
    (child,) = recording.children
    return child


def architecture(autolog_run, child):
    (asset,) = [asset for asset in child.assets if asset.name == "architecture.json"]
    (directory,) = autolog_run.root.glob("*/*/")
    return keras.models.model_from_json((directory / asset.path).read_text())


def test_architecture_can_be_built_again(autolog_run):
    inner = keras.Sequential([layers.Input((3,)), layers.Dense(2, kernel_regularizer="l2"), layers.ReLU()])
    inputs = keras.Input((4,))
    x = layers.Dropout(0.3)(layers.Dense(3, activation="gelu")(inputs))
    model = compiled(keras.Model(inputs, [inner(x), layers.Dense(1)(x)], name="two"), loss=["mse", "mae"])
    x, y = data()
    model.fit(x, [x[:, :2], y], verbose=0)
    child = only(autolog_run)
    twin = architecture(autolog_run, child)
    assert [(layer.name, type(layer)) for layer in twin.layers] == [(layer.name, type(layer)) for layer in model.layers]
    assert [weight.shape for weight in twin.weights] == [weight.shape for weight in model.weights]
    assert twin.layers[1].activation is model.layers[1].activation
    assert child.facts["model"]["parameters"] == model.count_params()
    assert "inner" in child.facts["model"]["summary"] or inner.name in child.facts["model"]["summary"]


class Own(layers.Layer):
    def get_config(self):
        raise AssertionError("a program's own code is not asked")

    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (Own(), "Own is a class of the program's own"),
        (layers.Lambda(lambda x: x, name="same"), "same is a Lambda layer"),
        (layers.Dense(2, activation=lambda x: x, name="odd"), "activation of odd is a function of the program's own"),
    ],
)
def test_architecture_is_left_out(autolog_run, recwarn, layer, reason):
    model = compiled(keras.Sequential([layers.Input((4,)), layer, layers.Dense(1)]))
    model.fit(*data(), verbose=0)
    child = only(autolog_run)
    assert child.facts["model"]["architecture"] == f"left out: {reason}"
    assert "summary" in child.facts["model"]
    assert not child.assets
    assert not [warning for warning in recwarn if issubclass(warning.category, UserWarning)]


def test_texts_are_made_once_for_many_fits(autolog_run, monkeypatch):
    made = []
    real = keras_model._summary
    monkeypatch.setattr(keras_model, "_summary", lambda model: made.append(model) or real(model))
    model = network()
    for _ in range(3):
        model.fit(*data(), verbose=0)
    model.layers[-1].trainable = False
    with pytest.warns(UserWarning, match="trainable"):
        compiled(model).fit(*data(), verbose=0)
    assert len(made) == 2
    children = autolog_run.read().children
    assert [child.facts["model"]["trainable_parameters"] for child in children] == [5, 5, 5, 0]


def test_outputs_by_name(autolog_run):
    inputs = keras.Input((4,))
    outputs = {"height": layers.Dense(1, name="height")(inputs), "kind": layers.Dense(3, name="kind")(inputs)}
    model = compiled(
        keras.Model(inputs, outputs),
        loss={"height": "mse", "kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
        loss_weights={"height": 2.0, "kind": 0.5},
        metrics={"height": ["mae"], "kind": ["accuracy"]},
    )
    x, y = data()
    history = model.fit(x, {"height": y, "kind": np.zeros(16)}, epochs=2, validation_split=0.5, verbose=0).history
    child = only(autolog_run)
    assert {"height_loss", "kind_loss", "height_mae", "kind_accuracy", "val_kind_loss"} <= set(history)
    for name, values in history.items():
        assert [value for _, value in child.series(name)] == values
    assert child.params["loss.height"] == "mse"
    assert child.params["loss.kind.from_logits"] is True
    assert child.params["loss_weights.height"] == 2.0
    assert child.params["metrics.kind"] == ["accuracy"]
    assert child.facts["data"]["y"]["height"]["shape"] == [16, 1]


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return data(4)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_data_of_every_kind(autolog_run):
    torch = pytest.importorskip("torch")
    x, y = data(12)
    pairs = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    loader = torch.utils.data.DataLoader(pairs, batch_size=5)
    made = []

    def generator():
        while True:
            made.append(1)
            yield data(4)

    for given, options in [
        (loader, {}),
        (Batches(), {}),
        (generator(), {"steps_per_epoch": 2, "epochs": 2}),
        ((data(4) for _ in range(3)), {}),
    ]:
        network().fit(given, verbose=0, shuffle=False, **options)
    recording = autolog_run.read()
    assert not recording.problems
    loaded, batches, generated, exhausted = recording.children
    expected = {"type": "torch.DataLoader", "batch_size": 5}
    assert loaded.facts["data"] == {"x": expected, "reader": "TorchDataLoaderAdapter", "batches": 3, "batch_size": 5}
    assert batches.facts["data"]["reader"] == "PyDatasetAdapter"
    assert batches.facts["data"]["batches"] == 3
    assert generated.facts["data"]["reader"] == "GeneratorDataAdapter"
    assert [step for step, _ in generated.series("loss")] == [2, 4]
    assert [step for step, _ in exhausted.series("loss")] == [3]
    assert exhausted.facts["training"]["steps_done"] == 3
    assert "batches" not in exhausted.facts["data"]


def test_checkpoints_by_batches_and_files_of_ones_own(autolog_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, (x, y) = network(), data()
    every = keras.callbacks.ModelCheckpoint("{epoch}-{batch}.weights.h5", save_weights_only=True, save_freq=3)
    model.fit(x, y, batch_size=4, epochs=2, verbose=0, callbacks=[every, keras.callbacks.BackupAndRestore("backup")])
    model.save("mine.keras")
    recording = autolog_run.read()
    assert not recording.problems
    (child,) = recording.children
    saved = [asset for asset in child.assets if asset.kind == "model"]
    # Nothing of BackupAndRestore, which deletes what it has written.
    assert [(asset.name, asset.step, asset.epoch) for asset in saved] == [
        ("1-3.weights.h5", 3, 0),
        ("2-2.weights.h5", 6, 1),
    ]
    assert saved[0].size == (tmp_path / "1-3.weights.h5").stat().st_size
    assert saved[0].hash.startswith("sha256:")
    assert saved[0].metadata["saved_by"] == "ModelCheckpoint"
    checkpoint = child.facts["callbacks"][0]
    assert (checkpoint["class"], checkpoint["saved"]) == ("ModelCheckpoint", 2)
    assert checkpoint["last"]["path"] == "2-2.weights.h5"
    (mine,) = recording.run.assets
    assert (mine.name, mine.metadata["model"], mine.metadata["saved_by"]) == ("mine.keras", "small", "keras.Model.save")


def test_resumed_from_a_backup(autolog_run, tmp_path):
    class Failing(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise OSError("a disk")

    model, (x, y) = network(), data()
    with pytest.raises(OSError, match="a disk"):
        model.fit(
            x, y, epochs=4, verbose=0, callbacks=[keras.callbacks.BackupAndRestore(str(tmp_path / "backup")), Failing()]
        )
    model.fit(x, y, epochs=4, verbose=0, callbacks=[keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))])
    failed, resumed = autolog_run.read().children
    assert failed.status == "failed"
    assert failed.facts["training"]["epochs_done"] == 2
    assert resumed.params["initial_epoch"] == 0
    assert resumed.facts["training"]["initial_epoch"] == 2
    assert [epoch for _, epoch, _ in resumed.points("loss")] == [2, 3]


def test_saving_without_a_run_begins_none(autolog_run, tmp_path):
    network().save(tmp_path / "model.keras")
    assert not autolog_run.read().records


class Pair(keras.Model):
    """Trains by an optimizer of its own."""

    def __init__(self):
        super().__init__(name="pair")
        self.own = keras.optimizers.SGD(0.5)
        self.number = keras.Variable([1.0])

    def call(self, x):
        return x

    def train_step(self, data):
        self.own.apply([keras.ops.ones(1)], [self.number])
        return {"loss": 0.5}


def own_loop(model, x, y):
    loss_of, optimizer = keras.losses.MeanSquaredError(), keras.optimizers.SGD(0.01)
    mse_loss = loss_of(y, model(x))
    mse_loss.backward()
    optimizer.apply([one.value.grad for one in model.trainable_variables], model.trainable_variables)


def test_everything_that_it_says_it_captures(autolog_run, tmp_path):
    model, (x, y) = network(), data()
    saving = [
        keras.callbacks.ModelCheckpoint(str(tmp_path / "best.keras"), save_best_only=True),
        keras.callbacks.ModelCheckpoint(str(tmp_path / "last.weights.h5"), save_weights_only=True),
    ]
    model.fit(x, y, validation_split=0.5, batch_size=4, verbose=0, callbacks=saving)
    model.evaluate(x, y, batch_size=4, verbose=0)
    model.train_on_batch(x, y)
    model.test_on_batch(x, y)
    compiled(Pair()).fit(x, y, verbose=0)
    scaled = compiled(network(), optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(), 8.0))
    scaled.fit(x, y, verbose=0)
    own_loop(network(), x, y)
    recording = autolog_run.read()
    assert not recording.problems
    assert not missing(integration.captures, recording)


def test_versions_are_those_that_are_tested():
    oldest, newest = (tuple(map(int, version.split("."))) for version in integration.tested)
    assert oldest <= tuple(map(int, keras.__version__.split(".")[:2])) <= newest


def test_a_trainer_that_is_no_model_has_no_summary(autolog_run):
    """As in Keras' own tests: a layer that can be trained. What it does not have is absent."""
    from keras.src.models.model import Trainer
    from keras.src.trainers.trainer import Trainer as Abstract

    class Bare(Trainer, keras.layers.Dense):
        def __init__(self):
            keras.layers.Dense.__init__(self, 1)
            Trainer.__init__(self)

    assert issubclass(Trainer, Abstract)
    layer = Bare()
    layer.compile("sgd", "mse")
    layer.fit(np.ones((8, 2), "float32"), np.ones((8, 1), "float32"), verbose=0)
    (fit,) = autolog_run.read().children
    assert "summary" not in fit.facts["model"]
    assert "layers" not in fit.facts["model"]
    assert fit.facts["model"]["parameters"] == 3
