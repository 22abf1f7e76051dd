"""A program of realistic size that knows nothing of autolog, under ``autolog run``: its whole record."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autolog.testing import recording
from tests.integrations.conftest import environment
from tests.waiting import LONG

PROGRAM = Path(__file__).parents[1] / "programs" / "torch_vae.py"
EPOCHS, BATCHES = 4, 7  # 100 rows in batches of 16


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The recording, what the program told of itself, and its folder."""
    folder = tmp_path_factory.mktemp("vae")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "autolog"), "run", str(PROGRAM), "--beta", "0.25"],
        cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=LONG, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return recording(folder / "runs"), json.loads((folder / "out" / "history.json").read_text()), folder


def test_one_training_and_nothing_wrong(trained):
    told, _, _ = trained
    assert told.problems == []
    assert [(child.name, child.kind, child.integration) for child in told.children] == [("VAE", "fit", "torch")]


def test_every_value_is_the_programs_own(trained):
    (fit,), history = trained[0].children, trained[1]
    steps = range(1, EPOCHS * BATCHES + 1)
    epochs = [1 + number // BATCHES for number in range(EPOCHS * BATCHES)]  # as the program counts them
    for name, own in (("loss", "loss"), ("recon_loss", "recon_loss"), ("kl_loss", "kl_loss"), ("grad_norm", "norm")):
        assert fit.points(name) == list(zip(steps, epochs, history[own], strict=True)), name
    for number in (1, 2):
        rates = [rates[number - 1] for rates in history["lr"]]
        assert fit.points(f"lr-AdamW/pg{number}") == list(zip(steps, epochs, rates, strict=True))
    assert [value for _, value in fit.series("amp_scale")] == history["scale"]
    speeds = fit.points("autolog/samples_per_second")
    assert [(step, epoch) for step, epoch, _ in speeds] == [(BATCHES * epoch, epoch) for epoch in range(1, EPOCHS + 1)]
    assert fit.metric_names == {
        "loss", "recon_loss", "kl_loss", "grad_norm", "lr-AdamW/pg1", "lr-AdamW/pg2", "amp_scale",
        "autolog/samples_per_second", "autolog/weight_norm", "autolog/gradient_norm",
    }  # fmt: skip


def test_everything_it_was_made_with(trained):
    told, _, _ = trained
    (fit,) = told.children
    assert fit.params["optimizer.name"] == "AdamW"
    assert fit.params["optimizer.betas"] == [0.9, 0.999]
    assert fit.params["optimizer.initial_lr"] == 0.005
    assert (fit.params["optimizer.groups.0.weight_decay"], fit.params["optimizer.groups.1.weight_decay"]) == (0.01, 0.0)
    assert fit.params["scheduler.name"] == "LambdaLR"
    assert [group["parameters"] for group in fit.facts["optimizers"][0]["groups"]] == [2564, 114]
    assert fit.facts["schedulers"][0]["class"] == "torch.optim.lr_scheduler.LambdaLR"
    model = fit.facts["model"]
    assert (model["class"], model["parameters"], model["trainable_parameters"]) == ("__main__.VAE", 2678, 2678)
    assert model["training"] is True
    assert model["summary"].splitlines()[:4] == [
        "VAE  2,678",
        "  encoder: Encoder  438",
        "    conv: Conv2d  40  weight [4, 1, 3, 3], bias [4]",
        "    norm: BatchNorm2d  8  weight [4], bias [4]",
    ]
    assert [name for name, _ in model["modules"]][:3] == ["encoder", "encoder.conv", "encoder.norm"]
    assert fit.facts["data"] == {
        "train_batches": 7, "batch_size": 16, "train_rows": 100, "dataset": "Subset", "workers": 0, "drop_last": False,
    }  # fmt: skip
    assert [(data["batch_size"], data["train_rows"]) for data in fit.facts["evaluation_data"]] == [(10, 20)]
    arguments = next(record.values for record in told.run.records if type(record).__name__ == "Args")
    assert (arguments["beta"]["value"], arguments["beta"]["given"], arguments["lr"]["given"]) == (0.25, True, False)


def test_its_files(trained):
    (fit,), _, folder = trained[0].children, trained[1], trained[2]
    last = [asset for asset in fit.assets if asset.name == "last.pt"]
    best = [asset for asset in fit.assets if asset.name == "best.pt"]
    assert [asset.step for asset in last] == [BATCHES * epoch for epoch in range(1, EPOCHS + 1)]
    assert {asset.step for asset in best} <= {asset.step for asset in last}
    assert best
    for assets in (last, best):
        file = folder / "out" / assets[-1].name
        assert assets[-1].uri.endswith(str(file))
        assert assets[-1].size == file.stat().st_size
        assert assets[-1].hash is not None
