"""Trainings inside trainings, and beside other tools: the outermost owner reports, and nothing is recorded twice."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autolog.testing import recording
from tests.integrations.conftest import environment

PROGRAM = Path(__file__).parents[1] / "programs" / "nesting.py"
NEEDED = (
    "sklearn", "torch", "keras", "lightning", "transformers", "skorch", "mlflow", "tensorboard", "tensorboardX",
)  # fmt: skip

LINE = ("lightning", "Line", {"loss": 3})
NET = ("transformers", "Net", {"loss": 2, "train_loss": 1})
LOOP = ("torch", "Linear", {"loss": 3})
# For each function of the program: integration, name and metrics (with their points) of every child run but candidates,
# the enclosing ones first. `dur` and `train_loss` are skorch's own history, by epoch; `loss` is each step's.
EXPECTED = {
    "lightning": [LINE],
    "lightning_tensorboard": [LINE],
    "transformers_alone": [NET],
    "transformers_tensorboard": [NET],
    "keras_alone": [("keras", "sequential", {"loss": 2})],
    "keras_with_a_scaler_inside": [("keras", "sequential", {"loss": 2})],
    "skorch_alone": [("sklearn", "NeuralNetClassifier", {"train_loss": 2}), ("torch", "Linear", {"loss": 6})],
    "skorch_in_a_search": [("sklearn", "GridSearchCV", {"best_score_": 1})],
    "skorch_in_a_cross_validation": [("sklearn", "NeuralNetClassifier", {"test_score": 2})],
    "loop_alone": [LOOP],
    "loop_in_an_estimator": [("sklearn", "Loop", {}), LOOP],
    "loop_in_a_pipeline": [("sklearn", "Pipeline", {}), LOOP],
    "loop_in_a_search": [("sklearn", "GridSearchCV", {"best_score_": 1})],
    "keras_in_a_pipeline": [("sklearn", "Pipeline", {}), ("keras", "sequential", {"loss": 2})],
    "lightning_in_an_estimator": [("sklearn", "Lit", {}), LINE],
    "pipeline": [("sklearn", "Pipeline", {})],
    "search": [("sklearn", "GridSearchCV", {"best_score_": 1})],
    "loop_with_tensorboard": [LOOP],
    "loop_with_tensorboardx": [LOOP],
    "mlflow_switched_on": [],
    "mlflow_pipeline": [("sklearn", "Pipeline", {})],
    "mlflow_search": [("sklearn", "GridSearchCV", {"best_score_": 1})],
    "mlflow_lightning": [LINE],
}
SERIES = {"loss", "train_loss", "best_score_", "test_score"}


def run(folder, **more):
    folder.mkdir()
    shutil.copy(PROGRAM, folder)
    (folder / "train.py").write_text("import autolog\nimport nesting\nnesting.main()\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=folder, env=environment(folder, KERAS_BACKEND="torch", **more),
        capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "told.json").read_text())


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the program left without autolog and with it, and what autolog recorded."""
    for name in NEEDED:
        pytest.importorskip(name)
    folder = tmp_path_factory.mktemp("nesting")
    return run(folder / "off", AUTOLOG="off"), run(folder / "on"), recording(folder / "on" / "runs")


def within(record, name):
    """All child runs inside the one of that name, the enclosing ones first."""
    known = {next(child.id for child in record.children if child.name == name and child.kind == "child")}
    found = []
    for child in record.children:  # in the order in which they began
        if child.parent in known:
            known.add(child.id)
            found.append(child)
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_the_outermost_owner_reports(told, name):
    found = within(told[2], name)
    # The last training of a loop shares the end of its run.
    assert {child.status for child in found} <= {"completed", "running"}
    shown = [child for child in found if child.kind != "candidate"]
    assert [(one.integration, one.name.partition("_")[0]) for one in shown] == [row[:2] for row in EXPECTED[name]]
    for child, (_, _, series) in zip(shown, EXPECTED[name], strict=True):
        counts = {metric: len(child.points(metric)) for metric in child.metric_names & SERIES}
        assert counts == series
        for metric in counts:
            points = [(step, epoch) for step, epoch, _ in child.points(metric)]
            assert len(set(points)) == len(points), f"{metric} twice at one step"


def test_every_case_is_expected(told):
    assert set(told[0]["weights"]) == set(EXPECTED)
    assert told[2].problems == []


def test_trainings_are_the_same(told):
    assert told[1]["weights"] == told[0]["weights"]


@pytest.mark.parametrize("tool", ["mlflow", "tensorboard"])
def test_the_records_of_other_tools_are_complete(told, tool):
    assert told[0][tool]
    assert told[1][tool] == told[0][tool]
