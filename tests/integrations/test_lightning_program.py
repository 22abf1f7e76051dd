"""A Lightning program of realistic size that knows nothing of autolog, under ``autolog run``: its whole record."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autolog.testing import recording
from tests.integrations.conftest import environment
from tests.waiting import LONG

PROGRAM = Path(__file__).parents[1] / "programs" / "lightning_shapes.py"
BATCHES, STEPS = 10, 5  # 120 rows in batches of 12, two batches a step


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The recording, what the program told of itself, and its folder."""
    folder = tmp_path_factory.mktemp("shapes")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "autolog"), "run", str(PROGRAM), "--epochs", "6", "--accumulate", "2"],
        cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=LONG, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return recording(folder / "runs"), json.loads((folder / "history.json").read_text()), folder


def points(listed):
    return [tuple(point) for point in listed]


def test_a_child_run_for_each_call_and_nothing_wrong(trained):
    told, own, _ = trained
    assert told.problems == []
    assert [(child.name, child.kind, child.integration, child.status) for child in told.children] == [
        ("Classifier", kind, "lightning", "completed") for kind in ("fit", "test", "predict")
    ]
    assert told.run.metrics == []
    assert 2 < own["epochs"] <= 6


def test_every_value_is_the_programs_own(trained):
    (fit, test, predict), own = trained[0].children, trained[1]
    stepped = points(own["loss"][1::2])  # the second batch of each step
    assert fit.points("train_loss_step") == stepped
    assert [step for step, _, _ in stepped] == list(range(1, own["steps"] + 1))
    rates = [(step, epoch, rate) for (step, epoch, _), rate in zip(stepped, own["lr"][1::2], strict=True)]
    for number in (1, 2):
        assert fit.points(f"lr-AdamW/pg{number}") == rates
    assert fit.points("train_loss_epoch") == points(own["epoch_loss"])
    assert fit.points("val_loss") == points(own["val"])
    assert [at[:2] for at in fit.points("val_acc")] == [tuple(at[:2]) for at in own["val"]]
    ends = [(STEPS * (epoch + 1), epoch) for epoch in range(own["epochs"])]
    for name in ("autolog/steps_per_second", "autolog/samples_per_second"):
        assert [at[:2] for at in fit.points(name)] == ends
    named = {name for name in fit.metric_names if not name.startswith("autolog/")}
    assert named == {
        "train_loss_step", "train_loss_epoch", "val_loss", "val_acc", "lr-AdamW/pg1", "lr-AdamW/pg2",
    }  # fmt: skip
    assert {name: value for name in test.metric_names for _, value in test.series(name)} == own["test"]
    assert predict.metrics == []


def test_everything_it_was_made_with(trained):
    told, _, _ = trained
    fit, test, predict = told.children
    params, facts = fit.params, fit.facts
    assert {name: params[name] for name in ("channels", "lr", "dropout", "count", "batch_size")} == {
        "channels": 6, "lr": 0.02, "dropout": 0.1, "count": 180, "batch_size": 12,
    }  # fmt: skip
    assert facts["changed_arguments"] == {
        "max_epochs": 6, "accumulate_grad_batches": 2, "gradient_clip_val": 1.0, "accelerator": "cpu",
    }  # fmt: skip
    assert (params["trainer.max_epochs"], params["trainer.log_every_n_steps"]) == (6, 50)
    assert (params["optimizer.name"], params["optimizer.lr"], params["optimizer.betas"]) == (
        "AdamW",
        0.02,
        [0.9, 0.999],
    )
    assert [params[f"optimizer.groups.{number}.weight_decay"] for number in (0, 1)] == [0.01, 0.0]
    assert (params["scheduler.name"], params["scheduler.T_max"], params["scheduler.interval"]) == (
        "CosineAnnealingLR", 20, "step",
    )  # fmt: skip
    assert (facts["model"]["class"], facts["model"]["parameters"]) == ("__main__.Classifier", 351)
    assert facts["model"]["summary"].splitlines()[0].split(" | ")[1].strip() == "Name"
    assert ["features.0", "Conv2d"] in facts["model"]["modules"]
    assert (facts["data"]["train_batches"], facts["data"]["train_rows"], facts["data"]["val"]["rows"]) == (10, 120, 30)
    assert test.facts["data"]["test"]["rows"] == 30
    assert predict.facts["data"]["predict_batches"] == [3]
    arguments = next(record.values for record in told.run.records if type(record).__name__ == "Args")
    assert (arguments["epochs"]["value"], arguments["lr"]["given"]) == (6, False)
    assert told.run.facts["seeds"]["lightning.seed_everything"]["seed"] == 7


def test_how_it_ended_and_what_it_left(trained):
    told, own, folder = trained
    fit, test, predict = told.children
    assert fit.facts["training"] == {
        "steps": own["steps"], "epochs": own["epochs"], "batches": BATCHES * own["epochs"],
        "stopped_by": "EarlyStopping" if own["stopped_epoch"] else "max_epochs",
    }  # fmt: skip
    callbacks = {fact["class"]: fact for fact in fit.facts["callbacks"]}
    assert callbacks["EarlyStopping"]["best_score"] == own["stopping_score"]
    assert callbacks["ModelCheckpoint"]["best_model_score"] == own["best_score"]
    checkpoints = fit.facts["checkpoints"]
    (best,) = [each for each in checkpoints if "best" in each]
    (last,) = [each for each in checkpoints if "last" in each]
    assert (best["path"], best["score"], best["monitor"]) == (own["best"], own["best_score"], "val_loss")
    assert (last["path"], last["step"]) == (own["last"], own["steps"])
    removed = {each["path"] for each in checkpoints if "removed" in each}
    assert removed
    assert not any(Path(path).exists() for path in removed)
    files = {asset.name: asset for asset in fit.assets}
    assert files["best"].metadata["path"] == own["best"]
    assert {Path(each["path"]).name for each in checkpoints} <= set(files)
    assert test.facts["restored_checkpoint"] == {"path": own["best"]}
    assert (len(own["predicted"]), predict.facts["data"]["predict"]["rows"]) == (30, 30)
    assert (folder / "lightning_logs" / "version_0").is_dir()  # the program's own logger has done its work
