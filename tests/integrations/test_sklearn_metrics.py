"""Which fit a score or metric belongs to, and what it is called: by the identity of the predictions."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import sklearn.metrics
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import (
    accuracy_score,
    adjusted_rand_score,
    auc,
    classification_report,
    confusion_matrix,
    f1_score,
    fbeta_score,
    mean_squared_error,
    precision_recall_curve,
    precision_recall_fscore_support,
    r2_score,
    roc_auc_score,
    roc_curve,
    silhouette_samples,
    silhouette_score,
)
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import autolog
from autolog.integrations import sklearn_predictions
from autolog.integrations.sklearn_allowance import allowance
from tests.integrations.conftest import environment

X, Y = load_breast_cancer(return_X_y=True)
X = StandardScaler().fit_transform(X)
X_train, X_test, y_train, y_test = train_test_split(X, Y, random_state=0)


def told(recording):
    assert not recording.problems
    return recording


def content(recording, asset):
    (path,) = recording.root.glob(f"*/*/{asset.path}")
    return json.loads(path.read_text("utf-8"))


@pytest.fixture
def only_what_the_program_measures(monkeypatch):
    monkeypatch.setattr(allowance, "affords", lambda *_, **__: False)


@pytest.fixture
def time_enough(monkeypatch):
    monkeypatch.setattr(allowance, "seconds", 1000.0)


@pytest.mark.usefixtures("only_what_the_program_measures")
def test_metrics_belong_to_the_fit_whose_predictions_they_judge(autolog_run):
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X_train, y_train)
    line = make_pipeline(StandardScaler(), LogisticRegression()).fit(X_train, y_train)
    of_tree, of_line = tree.predict(X_test), line.predict(X_test)
    scores = line.predict_proba(X_test)[:, 1]
    expected = {
        "accuracy_score_X_test": accuracy_score(y_test, of_line),
        "f1_score_macro_X_test": f1_score(y_test, of_line, average="macro"),
        "f1_score_X_test": f1_score(y_test, y_pred=of_line),
        "fbeta_score_beta=2_X_test": fbeta_score(y_test, of_line, beta=2),
        "roc_auc_score_X_test": roc_auc_score(y_test, scores),
        "accuracy_score_X_train": accuracy_score(y_train, line.predict(X_train)),
        "score_X_test": line.score(X_test, y=y_test),
    }
    of_the_tree = sklearn.metrics.accuracy_score(y_test, of_tree)
    false, true, _ = roc_curve(y_test, scores)
    expected["auc_X_test"] = auc(false, true)
    recording = told(autolog_run.read())
    first, second = recording.children
    assert {name: first.series(name) for name in first.metric_names} == {"accuracy_score_X_test": [(0, of_the_tree)]}
    assert {name: second.series(name) for name in second.metric_names - {"n_iter_"}} == {
        name: [(0, value)] for name, value in expected.items()
    }
    assert not recording.run.metrics


@pytest.mark.usefixtures("only_what_the_program_measures")
def test_what_cannot_be_traced_is_the_runs_own(autolog_run):
    forest = RandomForestClassifier(3, random_state=0).fit(X_train, y_train)
    decided = (forest.predict_proba(X_test)[:, 1] > 0.3).astype(int)
    value = accuracy_score(y_test, decided)
    assert auc([0, 1], [0, 1]) == 0.5
    recording = told(autolog_run.read())
    assert recording.run.series("accuracy_score_y_test") == [(0, value)]
    assert recording.run.metric_names == {"accuracy_score_y_test"}
    assert not recording.children[0].metrics


def test_a_metric_alone_begins_no_run(autolog_run):
    assert accuracy_score([0, 1], [0, 1]) == 1.0
    assert not autolog_run.read().records


@pytest.mark.usefixtures("only_what_the_program_measures")
def test_matrices_curves_and_reports(autolog_run):
    model = LogisticRegression().fit(X_train, y_train)
    predicted, scores = model.predict(X_test), model.decision_function(X_test)
    matrix = confusion_matrix(y_test, predicted)
    x, y, _ = roc_curve(y_test, scores)
    precision, recall, _ = precision_recall_curve(y_test, scores)
    text = classification_report(y_test, predicted)
    report = classification_report(y_test, predicted, output_dict=True)
    each = f1_score(y_test, predicted, average=None)
    parts = precision_recall_fscore_support(y_test, predicted)
    recording = told(autolog_run.read())
    (fit,) = recording.children
    assets = {asset.name: asset for asset in fit.assets}
    stored = content(recording, assets["confusion_matrix_X_test"])
    assert (stored["matrix"], stored["labels"]) == (matrix.tolist(), ["0", "1"])
    curve = content(recording, assets["roc_curve_X_test"])
    assert (curve["x"], curve["y"], curve["x_label"]) == (x.tolist(), y.tolist(), "false positive rate")
    curve = content(recording, assets["precision_recall_curve_X_test"])
    assert (curve["x"], curve["y"]) == (recall.tolist(), precision.tolist())
    (path,) = recording.root.glob(f"*/*/{assets['classification_report_X_test'].path}")
    assert path.read_text("utf-8") == text
    assert fit.series("classification_report_X_test.macro avg.f1-score") == [(0, report["macro avg"]["f1-score"])]
    assert [fit.series(f"f1_score_None_X_test.{place}") for place in (0, 1)] == [[], []]
    assert [fit.series(f"f1_score_X_test.{place}") for place in (0, 1)] == [[(0, value)] for value in each]
    assert fit.series("precision_recall_fscore_support_X_test.recall.1") == [(0, parts[1][1])]


@pytest.mark.usefixtures("time_enough")
def test_what_was_judged_is_kept_as_data_once(autolog_run):
    model = LogisticRegression().fit(X_train, y_train)
    predicted = model.predict(X_test)
    accuracy_score(y_test, predicted)
    f1_score(y_test, predicted)
    x, y = load_diabetes(return_X_y=True)
    line = Ridge().fit(x, y)
    guessed = line.predict(x)
    error, r2 = mean_squared_error(y, guessed), r2_score(y, guessed)
    recording = told(autolog_run.read())
    first, second = recording.children
    (asset,) = [asset for asset in first.assets if asset.name == "autolog/confusion_matrix_X_test"]
    assert content(recording, asset)["matrix"] == confusion_matrix(y_test, predicted).tolist()
    (asset,) = [asset for asset in second.assets if asset.name == "autolog/residuals_x"]
    curve = content(recording, asset)
    assert (curve["x"], curve["y"]) == (guessed.tolist(), (y - guessed).tolist())
    assert second.series("mean_squared_error_x") == [(0, error)]
    assert second.series("r2_score_x") == [(0, r2)]


@pytest.mark.usefixtures("only_what_the_program_measures")
def test_clusters(autolog_run):
    model = KMeans(2, n_init=1, random_state=0)
    labels = model.fit_predict(X)
    values = silhouette_score(X, labels), adjusted_rand_score(Y, model.labels_)
    silhouette_samples(X, labels)
    (fit,) = told(autolog_run.read()).children
    assert (fit.series("silhouette_score_X"), fit.series("adjusted_rand_score_X")) == (
        [(0, values[0])],
        [(0, values[1])],
    )
    assert [(asset.name, asset.kind) for asset in fit.assets] == [("silhouette_samples_X", "histogram")]


@pytest.mark.usefixtures("only_what_the_program_measures")
def test_the_best_estimator_of_a_search_is_the_searchs(autolog_run):
    search = GridSearchCV(SVC(), {"C": [0.1, 1.0]}, cv=2).fit(X_train, y_train)
    value = search.best_estimator_.score(X_test, y_test)
    search.score(X_test, y_test)
    fit = told(autolog_run.read()).children[0]
    assert fit.series("score_X_test") == [(0, value), (1, value)]


@pytest.mark.usefixtures("only_what_the_program_measures")
def test_a_second_fit_of_one_object_has_its_own(autolog_run):
    model = SVC().fit(X_train[:, :5], y_train)
    first = model.score(X_test[:, :5], y_test)
    model.fit(X_train, y_train)
    second = model.score(X_test, y_test)
    one, two = told(autolog_run.read()).children
    assert one.series("score") == [(0, first)]  # an expression has no name
    assert two.series("score_X_test") == [(0, second)]


@pytest.mark.usefixtures("only_what_the_program_measures")
def test_what_frameworks_measure_inside_their_fits_is_theirs(autolog_run):
    with autolog.start_run().child("trainer", "fit", "transformers"):
        accuracy_score([0, 1], [0, 1])
    recording = told(autolog_run.read())
    assert not recording.run.metrics
    assert not recording.children[0].metrics


def test_nothing_is_held_and_everything_comes_back(autolog_run):
    before = accuracy_score.__closure__, pickle.dumps(accuracy_score)
    model = SVC().fit(X_train, y_train)
    made = model.predict(X_test)
    assert sklearn_predictions.trace(made) is not None
    assert sklearn_predictions.trace(made[:5]) is not None
    assert sklearn_predictions.trace(np.array(made)) is None
    number = len(sklearn_predictions._made)
    del made
    assert len(sklearn_predictions._made) == number - 1
    assert (accuracy_score.__closure__, pickle.dumps(accuracy_score)) == before
    told(autolog_run.read())


ORDERS = """
import autolog
from sklearn.svm import SVC
from sklearn.metrics import accuracy_score
"""


@pytest.mark.parametrize("first", [True, False], ids=["autolog first", "autolog last"])
def test_functions_imported_by_name_before_and_after(tmp_path, first):
    lines = ORDERS.strip().splitlines()
    script = "\n".join([*(lines if first else reversed(lines)), ""]) + (
        "m = SVC().fit([[0.], [1.]], [0, 1])\nX = [[1.], [0.]]\nprint(accuracy_score([0, 0], m.predict(X)))\n"
        "autolog.disable('sklearn')\naccuracy_score([0, 0], m.predict(X))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(tmp_path), cwd=tmp_path, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    from autolog.testing import recording

    (fit,) = told(recording(tmp_path / "runs")).children
    assert done.stdout == "0.5\n"
    assert fit.series("accuracy_score_X") == [(0, 0.5)]
