"""A program of realistic size that knows nothing of autolog, under ``autolog run``: its whole record."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from autolog.integrations.sklearn import integration
from autolog.integrations.sklearn_allowance import allowance
from autolog.testing import missing, recording
from tests.integrations.conftest import environment
from tests.waiting import LONG

PROGRAM = Path(__file__).parents[1] / "programs" / "sklearn_income.py"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The recording, and what the program printed."""
    folder = tmp_path_factory.mktemp("income")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "autolog"), "run", str(PROGRAM), "--rows", "1000"],
        cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=LONG, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return recording(folder / "runs"), done.stdout


def shown(text, pattern):
    """The numbers that the program printed in the line that matches."""
    return [float(number) for number in re.search(pattern, text).groups()]


def table(told, fit, name):
    (asset,) = [asset for asset in fit.assets if asset.name == name]
    (path,) = told.root.glob(f"*/*/{asset.path}")
    return json.loads(path.read_text("utf-8"))


def test_every_fit_is_there_once(trained):
    told, _ = trained
    assert told.problems == []
    assert told.run.status == "completed"
    top = [(child.name, child.kind) for child in told.children if child.parent is None]
    assert top == [
        *[("Pipeline", "cross_validation")] * 3,
        ("GridSearchCV", "fit"), ("Pipeline", "fit"), ("ColumnTransformer", "fit"), ("MLPClassifier", "fit"),
        ("GradientBoostingClassifier", "fit"), ("SGDClassifier", "fit"), ("Pipeline", "fit"), ("KMeans", "fit"),
    ]  # fmt: skip
    assert {(child.integration, child.status) for child in told.children} == {("sklearn", "completed")}
    assert not told.run.metrics


def test_cross_validation(trained):
    told, text = trained
    for child, name in zip(told.children[:3], ("logistic", "forest", "boosting"), strict=True):
        accuracy, area = shown(text, rf"{name}: accuracy ([\d.]+), AUC ([\d.]+)")
        assert child.series("autolog/mean_test_accuracy")[0][1] == pytest.approx(accuracy, abs=1e-4)
        folds = [value for _, value in child.series("test_roc_auc")]
        assert len(folds) == 4
        assert np.mean(folds) == pytest.approx(area, abs=1e-4)
        assert [step for step, _ in child.series("fit_time")] == [0, 1, 2, 3]
        assert child.params["cross_validation.scoring"] == ["accuracy", "roc_auc"]
        assert child.params["cross_validation.function"] == "cross_validate"
        assert child.facts["data"]["X"]["variable"] == "X_train"
        assert child.facts["data"]["X"]["shape"] == [750, 5]
        assert child.facts["fit"]["nested"]["ColumnTransformer"] == 4
    assert told.children[1].params["model__n_estimators"] == 20
    assert told.children[1].params["prepare__numeric__fill__strategy"] == "median"
    assert told.children[1].params["model"] == "RandomForestClassifier"


def test_the_search_and_what_it_predicts(trained):
    told, text = trained
    search = next(child for child in told.children if child.name == "GridSearchCV")
    candidates = [child for child in told.children if child.parent == search.id]
    assert [child.kind for child in candidates] == ["candidate"] * 8
    assert search.facts["search"]["candidates"] == 8
    stored = table(told, search, "cv_results_")
    column = stored["columns"].index("mean_test_score")
    for child, row in zip(candidates, stored["rows"], strict=True):
        assert child.series("mean_test_score") == [(0, row[column])]
        assert len(child.series("test_score")) == 4
        assert set(child.params) == {"model__C", "prepare__numeric__fill__strategy"}
    best = f"{{'model__C': {search.params['best_params_.model__C']}, 'prepare__numeric__fill__strategy': "
    assert f"best: {best}'{search.params['best_params_.prepare__numeric__fill__strategy']}'}}" in text
    assert search.series("best_score_")[0][1] == max(row[column] for row in stored["rows"])
    accuracy, area = shown(text, r"\naccuracy ([\d.]+), AUC ([\d.]+)")
    assert search.series("accuracy_score_X_test")[0][1] == pytest.approx(accuracy, abs=1e-4)
    assert search.series("roc_auc_score_X_test")[0][1] == pytest.approx(area, abs=1e-4)
    matrix = table(told, search, "confusion_matrix_X_test")
    assert str(np.array(matrix["matrix"])) in text
    (points, _) = shown(text, r"(\d+) points, at most ([\d.]+)")
    assert len(table(told, search, "roc_curve_X_test")["x"]) == points
    (report,) = [asset for asset in search.assets if asset.name == "classification_report_X_test"]
    (path,) = told.root.glob(f"*/*/{report.path}")
    assert path.read_text("utf-8") in text


def test_the_other_models(trained):
    told, text = trained
    forest, _, network, boosting, stream, amount, groups = [
        child for child in told.children if child.kind == "fit" and child.parent is None
    ][1:]
    assert forest.series("score_X_test")[0][1] == pytest.approx(shown(text, r"forest: ([\d.]+)\n")[0], abs=1e-4)
    epochs, loss = shown(text, r"network: (\d+) epochs, loss ([\d.]+)")
    assert [step for step, _ in network.series("loss_curve_")] == list(range(1, int(epochs) + 1))
    assert network.series("loss_curve_")[-1][1] == network.series("loss_")[0][1] == pytest.approx(loss, abs=1e-4)
    assert len(network.series("validation_scores_")) == epochs
    assert [step for step, _ in boosting.series("train_score_")] == list(range(1, 16))
    scores = [float(number) for number in re.findall(r"stream: ([\d.]+)", text)]
    assert [step for step, _ in stream.series("score")] == [1, 2, 3, 4, 5]
    assert [value for _, value in stream.series("score")] == pytest.approx(scores, abs=1e-4)
    assert (stream.facts["fit"]["calls"], stream.facts["fit"]["method"]) == (5, "partial_fit")
    r2, error = shown(text, r"income: R2 ([\d.]+), off by (\d+)")
    assert amount.series("r2_score_X_test")[0][1] == pytest.approx(r2, abs=1e-4)
    assert amount.series("mean_absolute_error_X_test")[0][1] == pytest.approx(error, abs=0.6)
    assert groups.series("inertia_")[0][1] == pytest.approx(shown(text, r"inertia ([\d.]+)")[0], abs=0.06)
    for child in (forest, network, boosting, amount, groups):
        own = {name for name in child.metric_names if not name.startswith("autolog/")}
        assert (
            own
            == {
                "Pipeline": {"score_X_test"} if child is forest else {"r2_score_X_test", "mean_absolute_error_X_test"},
                "MLPClassifier": {"loss_", "loss_curve_", "n_iter_", "best_validation_score_", "validation_scores_"},
                "GradientBoostingClassifier": {"train_score_"},
                "KMeans": {"inertia_", "n_iter_"},
            }[child.name]
        )


def test_what_is_told_to_be_captured_is(trained, autolog_run, monkeypatch):
    monkeypatch.setattr(allowance, "seconds", 1000.0)  # what the program has no time for when the machine is slow
    x, y = load_diabetes(return_X_y=True)
    forest = RandomForestRegressor(3, random_state=0).fit(x, y)
    mean_squared_error(y, forest.predict(x))
    KMeans(2, n_init=1, random_state=0).fit(x)
    x, y = load_breast_cancer(return_X_y=True)
    line = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    accuracy_score(y, line.predict(x))
    told, _ = trained
    classifier = next(child for child in told.children if child.name == "GridSearchCV")
    assert "training" in classifier.facts or "training values" in classifier.facts["fit"]["left_out"]
    assert missing(integration.captures, told, autolog_run.read()) == []
