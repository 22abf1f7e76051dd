"""Each framework's own loop: snapshots at its epochs and steps, of the weights the program itself sees there."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from autolog import config
from autolog.integrations import weights
from autolog.testing import missing, recording

ROWS = 24


@pytest.fixture(autouse=True)
def on():
    config.configure(weights="epoch", weights_budget=1000.0)
    yield
    config.configure(weights=None, weights_budget=None, activations=None)


def rows():
    torch.manual_seed(0)
    x = torch.randn(ROWS, 4)
    return TensorDataset(x, x.sum(1, keepdim=True))


def net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1))


def norm(module):
    return float(
        torch.linalg.vector_norm(torch.cat([one.detach().double().reshape(-1) for one in module.parameters()]))
    )


def histograms(runs, asset):
    (path,) = runs.root.glob(f"*/*/{asset.path}")
    return json.loads(path.read_text("utf-8"))["histograms"]


def places(entry, name):
    return [(asset.step, asset.epoch) for asset in entry.assets if asset.name == name]


def check(runs, fit, told, names, gradients):
    """The record against what the program saw: ``told`` has ``(step, epoch, norm)`` of the ends of epochs."""
    assert places(fit, "weights") == [(step, epoch) for step, epoch, _ in told]
    assert fit.points("autolog/weight_norm") == [(step, epoch, pytest.approx(value)) for step, epoch, value in told]
    assert places(fit, "gradients") == gradients
    assert [point[:2] for point in fit.points("autolog/gradient_norm")] == gradients
    for asset in fit.assets:
        if asset.kind == "histograms":
            found = histograms(runs, asset)
            assert list(found) == names
            assert all(sum(one["counts"]) == one["count"] == np.prod(one["shape"]) for one in found.values())


# -- PyTorch loops -----------------------------------------------------------------------------------------------------


def torch_loop(loader, epochs, *, told, validate=None, restore=None):
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    step = 0
    for epoch in range(epochs):
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
            step += 1
        told.append((step, epoch, norm(model)))
        if validate is not None:
            model.eval()
            with torch.no_grad():
                for x, _ in validate:
                    model(x)
    if restore is not None:
        model.load_state_dict(restore)


NAMES = ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_a_loop_over_a_loader(autolog_run):
    config.configure(activations=True)
    told = []
    torch_loop(DataLoader(rows(), batch_size=8), 3, told=told)  # the model is gone when it returns
    whole = autolog_run.read()
    (fit,) = whole.children
    config.configure(activations=None)
    assert missing(weights.CAPTURES, whole) == []
    fit.assets = [asset for asset in fit.assets if asset.name != "activations"]
    check(autolog_run, fit, told, NAMES, [(1, 0), (4, 1), (7, 2)])


def test_a_loop_that_validates_and_puts_its_best_weights_back(autolog_run):
    told = []
    data = rows()
    torch_loop(
        DataLoader(data, batch_size=8), 2, told=told, validate=DataLoader(data, batch_size=4),
        restore=torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1)).state_dict(),
    )  # fmt: skip
    (fit,) = autolog_run.read().children
    check(autolog_run, fit, told, NAMES, [(1, 0), (4, 1)])


def no_loader(told):
    model, data = net(), rows().tensors
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for step in range(10):
        batch = slice(2 * step, 2 * step + 2)
        loss = torch.nn.functional.mse_loss(model(data[0][batch]), data[1][batch])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        told[step + 1] = norm(model)
    return model


def test_a_loop_without_a_loader(autolog_run):
    told = {}
    kept = no_loader(told)
    (fit,) = autolog_run.read().children
    assert kept is not None
    assert fit.series("autolog/weight_norm") == [(step, pytest.approx(told[step])) for step in (1, 2, 4, 8, 10)]
    assert [step for step, _ in places(fit, "gradients")] == [1, 2, 4, 8]


def gan():  # functions with `assert` are no place to train in: pytest has them call `locals()`
    generator, critic = net(), torch.nn.Linear(1, 1)
    first, second = torch.optim.SGD(critic.parameters(), lr=0.01), torch.optim.SGD(generator.parameters(), lr=0.01)
    loader = DataLoader(rows(), batch_size=8)
    for _ in range(2):
        for x, _ in loader:
            loss_critic = critic(generator(x).detach()).mean()
            first.zero_grad()
            loss_critic.backward()
            first.step()
            loss_generator = critic(generator(x)).square().mean()
            second.zero_grad()
            loss_generator.backward()
            second.step()


def test_a_gan(autolog_run):
    gan()
    (fit,) = autolog_run.read().children
    assert places(fit, "weights") == [(3, 0), (6, 1)]
    told = {
        (asset.name, asset.step, *sorted({name.split(".")[0] for name in histograms(autolog_run, asset)}))
        for asset in fit.assets
    }
    assert told == {
        ("gradients", 1, "Linear"),
        ("gradients", 1, "Sequential"),
        ("weights", 3, "Linear", "Sequential"),
        ("gradients", 4, "Linear"),
        ("gradients", 4, "Sequential"),
        ("weights", 6, "Linear", "Sequential"),
    }
    assert [step for step, _ in fit.series("autolog/gradient_norm")] == [1, 4]
    assert [step for step, _ in fit.series("autolog/gradient_norm-1")] == [1, 4]


# -- frameworks on torch -----------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("every", ["epoch", 4])
def test_lightning(autolog_run, tmp_path, every):
    import lightning

    config.configure(weights=every)
    told, steps = [], {}

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = net()

        def training_step(self, batch):
            return torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])

        def validation_step(self, batch):
            self.log("val", torch.nn.functional.mse_loss(self.net(batch[0]), batch[1]))

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=0.01)

        def on_train_batch_end(self, *args):
            steps[self.trainer.global_step] = norm(self)

        def on_train_epoch_end(self):
            told.append((self.trainer.global_step, self.current_epoch, norm(self)))

    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = lightning.Trainer(
        max_epochs=3, accelerator="cpu", accumulate_grad_batches=2, default_root_dir=tmp_path,
        enable_checkpointing=False, **quiet,
    )  # fmt: skip
    loader = DataLoader(rows(), batch_size=4)
    trainer.fit(Module(), loader, loader)
    (fit,) = autolog_run.read().children
    names = [f"net.{name}" for name in NAMES]
    if every == "epoch":
        check(autolog_run, fit, told, names, [(1, 0), (4, 1), (7, 2)])
    else:
        check(autolog_run, fit, [(4, 1, steps[4]), (8, 2, steps[8])], names, [(4, 1), (8, 2)])


@pytest.mark.filterwarnings("ignore")
def test_transformers(autolog_run, tmp_path):
    from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainerCallback, TrainingArguments

    told = []

    class Seen(TrainerCallback):
        def on_epoch_end(self, args, state, control, model, **parts):
            told.append((state.global_step, state.epoch, norm(model)))

    torch.manual_seed(0)
    model = BertForSequenceClassification(
        BertConfig(
            vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
            max_position_embeddings=8,
        )
    )  # fmt: skip
    data = [{"input_ids": torch.randint(0, 20, (8,)), "labels": torch.tensor(row % 2)} for row in range(16)]
    given = TrainingArguments(
        str(tmp_path), num_train_epochs=2, per_device_train_batch_size=4, gradient_accumulation_steps=2, use_cpu=True,
        disable_tqdm=True, save_strategy="no", report_to="none",
    )  # fmt: skip
    Trainer(model=model, args=given, train_dataset=data, callbacks=[Seen()]).train()
    (fit,) = autolog_run.read().children
    names = [name for name, _ in model.named_parameters()]
    check(autolog_run, fit, told, names, [(1, 0.5), (3, 1.5)])


# -- Keras and scikit-learn --------------------------------------------------------------------------------------------

KERAS = """
import autolog, json, keras, numpy as np
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
model.compile("adam", "mse")
told = []
class Seen(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        held = [keras.ops.convert_to_numpy(one).astype(float) for one in self.model.trainable_variables]
        told.append([int(keras.ops.convert_to_numpy(model.optimizer.iterations)), epoch,
                     float(np.sqrt(sum((one ** 2).sum() for one in held)))])
x = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
model.fit(x, x[:, :3], epochs=3, batch_size=4, verbose=0, callbacks=[Seen()])
print(json.dumps([told, [one.path for one in model.weights]]))
"""


@pytest.mark.parametrize("backend", ["torch", "jax", "tensorflow"])
def test_keras(tmp_path, backend):
    kept = {name: text for name, text in os.environ.items() if not name.startswith("AUTOLOG")}
    more = {"AUTOLOG_DIR": str(tmp_path), "AUTOLOG_STRICT": "1", "AUTOLOG_SIDECAR": "0", "KERAS_BACKEND": backend}
    done = subprocess.run(
        [sys.executable, "-c", KERAS],
        env={**kept, **more, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told, names = json.loads(done.stdout.splitlines()[-1])
    whole = recording(tmp_path)
    assert whole.problems == []
    (fit,) = whole.children
    taken = [asset for asset in fit.assets if asset.name == "weights"]
    assert [(asset.step, asset.epoch) for asset in taken] == [(step, epoch) for step, epoch, _ in told]
    assert fit.points("autolog/weight_norm") == [
        (step, epoch, pytest.approx(value, rel=1e-6)) for step, epoch, value in told
    ]
    found = json.loads(next(tmp_path.glob(f"*/*/{taken[-1].path}")).read_text("utf-8"))["histograms"]
    assert list(found) == [name for name in names if "seed" not in name]  # moving statistics too
    assert all(sum(one["counts"]) == np.prod(one["shape"]) for one in found.values())
    gradients = places(fit, "gradients")
    assert gradients == ([(step, epoch) for step, epoch, _ in told] if backend == "torch" else [])


@pytest.mark.filterwarnings("ignore")
def test_a_network_of_scikit_learn(autolog_run):
    from sklearn.neural_network import MLPRegressor

    from autolog.integrations.sklearn_allowance import allowance

    allowance.seconds = 1.0  # what other tests have spent is not the matter here
    x = np.random.default_rng(0).normal(size=(30, 4))
    fitted = MLPRegressor(hidden_layer_sizes=(5, 2), max_iter=5, random_state=0).fit(x, x.sum(1))
    (fit,) = autolog_run.read().children
    (asset,) = [asset for asset in fit.assets if asset.name == "weights"]
    found = histograms(autolog_run, asset)
    assert list(found) == ["coefs_.0", "coefs_.1", "coefs_.2", "intercepts_.0", "intercepts_.1", "intercepts_.2"]
    assert found["coefs_.0"]["counts"] == np.histogram(fitted.coefs_[0], 32)[0].tolist()
    everything = np.concatenate([one.ravel() for one in (*fitted.coefs_, *fitted.intercepts_)])
    assert fit.series("autolog/weight_norm")[0][1] == pytest.approx(np.linalg.norm(everything))
