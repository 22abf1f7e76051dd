"""Fabric, both packages: the loop is plain PyTorch's, the rest is Fabric's own words."""

import importlib

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import autolog
from autolog.testing import missing

pytestmark = pytest.mark.filterwarnings("ignore")


def line():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))


def loader(rows=32):
    x = torch.linspace(-1, 1, rows * 4).reshape(rows, 4)
    return DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=8)


def train(fabric, tmp_path, epochs=2):
    """A loop as Fabric's users write it; returns the losses it has seen."""
    model = line()
    model, optimizer = fabric.setup(model, torch.optim.SGD(model.parameters(), lr=0.1))
    batches, seen = fabric.setup_dataloaders(loader()), []
    for epoch in range(epochs):
        for x, y in batches:
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(x), y)
            fabric.backward(loss)
            optimizer.step()
            seen.append(loss.item())
            fabric.log("mse", loss, step=10 * len(seen))
        fabric.log_dict({"epoch_mean": torch.tensor(seen[-4:]).mean(), "done": epoch})
        fabric.save(tmp_path / f"at-{epoch}.ckpt", {"model": model, "optimizer": optimizer, "steps": len(seen)})
    state = {"model": model, "steps": 0}
    fabric.load(tmp_path / "at-0.ckpt", state)
    return seen


@pytest.mark.parametrize(
    ("package", "name"), [("lightning.fabric", "fabric"), ("lightning_fabric", "lightning_fabric")]
)
def test_whole_record_of_a_loop(package, name, autolog_run, tmp_path):
    fabric = importlib.import_module(package).Fabric(accelerator="cpu", devices=1)
    fabric.launch()
    seen = train(fabric, tmp_path)
    whole = autolog_run.read()
    (fit,) = whole.children
    assert (whole.problems, fit.name, fit.integration) == ([], "Sequential", "torch")
    assert [value for _, value in fit.series("loss")] == seen
    assert [step for step, _ in fit.series("loss")] == list(range(1, 9))
    assert fit.points("mse") == [(10 * step, (step - 1) // 4, seen[step - 1]) for step in range(1, 9)]
    assert [(step, epoch) for step, epoch, _ in fit.points("epoch_mean")] == [(4, 0), (8, 1)]
    assert fit.series("done") == [(4, 0), (8, 1)]
    assert {key: value for key, value in whole.run.params.items() if key.startswith("fabric.")} == {
        "fabric.accelerator": "CPUAccelerator", "fabric.strategy": "SingleDeviceStrategy",
        "fabric.precision": "32-true", "fabric.world_size": 1, "fabric.device": "cpu",
    }  # fmt: skip
    assert [(asset.name, asset.step, asset.metadata["saved_by"]) for asset in fit.assets] == [
        ("at-0.ckpt", 4, "Fabric.save"), ("at-1.ckpt", 8, "Fabric.save"),
    ]  # fmt: skip
    assert whole.run.facts["restored_checkpoint"] == {"path": str(tmp_path / "at-0.ckpt"), "steps": 4}
    assert fit.params["optimizer.lr"] == 0.1
    assert missing(autolog.plugins.built_in(name).captures, whole) == []


def test_loggers_beside_it_and_an_explicit_one_record_nothing_twice(autolog_run, tmp_path):
    from lightning.fabric import Fabric
    from lightning.fabric.loggers import CSVLogger

    from autolog.integrations.lightning import AutologLogger

    loggers = [AutologLogger(), CSVLogger(tmp_path)]
    fabric = Fabric(accelerator="cpu", devices=1, loggers=loggers)
    seen = train(fabric, tmp_path, epochs=1)
    whole = autolog_run.read()
    told = [value for entry in (whole.run, *whole.children) for _, value in entry.series("mse")]
    assert (whole.problems, told) == ([], seen)
    assert whole.run.params["fabric.loggers"] == ["AutologLogger", "CSVLogger"]


SCRIPT = """
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))
fabric = Fabric(accelerator="cpu", devices=1)
fabric.seed_everything(4)
model, optimizer = fabric.setup(torch.compile(model, backend="eager"), torch.optim.Adam(model.parameters()))
x = torch.randn(16, 4)
for _ in range(3):
    loss = model(x).square().mean()
    fabric.backward(loss)
    optimizer.step()
    optimizer.zero_grad()
    fabric.log("mine", loss)
fabric.save("saved.ckpt", {"model": model, "optimizer": optimizer})
weights = [parameter.data for parameter in model.parameters()]
print(type(model).__name__, sorted(vars(fabric)))
fabric.backward(model(x))
"""


def test_training_is_the_same_with_and_without(transparent):
    compared = transparent("import torch\nfrom lightning.fabric import Fabric", SCRIPT)
    assert (compared.off.code, compared.off.told["error"]["type"]) == (1, "builtins.RuntimeError")
    for outcome in (compared.first, compared.late):
        (fit,) = outcome.recording.children
        assert (len(fit.series("mine")), outcome.recording.problems) == (3, [])


def test_disable_restores_the_originals(restores):
    restores(
        "lightning_fabric", ["lightning_fabric"], "import torch\nfrom lightning_fabric import Fabric",
        "Fabric(accelerator='cpu', devices=1).setup(torch.nn.Linear(1, 1))",
        ["Fabric.setup", "Fabric.log_dict", "Fabric.save", "Fabric.load", "_SubprocessScriptLauncher.launch"],
    )  # fmt: skip
