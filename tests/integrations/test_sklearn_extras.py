"""What autolog computes itself: right, safe, named as what it is, and left out where there is no time."""

import inspect
import json
import random
import re

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.cluster import DBSCAN, KMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor, VotingClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import (
    accuracy_score,
    auc,
    confusion_matrix,
    f1_score,
    mean_absolute_error,
    mean_squared_error,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
    roc_curve,
    silhouette_score,
)
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import estimator_html_repr

import autolog
from autolog.integrations import sklearn_extras, sklearn_safe
from autolog.integrations.sklearn_allowance import Allowance, allowance

IRIS = load_iris(return_X_y=True)
CANCER = load_breast_cancer(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)


@pytest.fixture(autouse=True)
def _time_enough(monkeypatch):
    monkeypatch.setattr(allowance, "seconds", 1000.0)
    monkeypatch.setattr(allowance, "_costs", {})


def told(recording):
    assert not recording.problems
    return recording


def content(recording, fit, name):
    (asset,) = [asset for asset in fit.assets if asset.name == name]
    (path,) = recording.root.glob(f"*/*/{asset.path}")
    return json.loads(path.read_text("utf-8"))


def training(fit):
    return {name.removeprefix("autolog/training_"): fit.series(name)[0][1] for name in fit.metric_names if "/" in name}


def test_classifiers(autolog_run):
    x, y = CANCER
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    recording = told(autolog_run.read())
    (fit,) = recording.children
    predicted, scores = model.predict(x), model.decision_function(x)
    assert training(fit) == pytest.approx(
        {
            "accuracy": accuracy_score(y, predicted),
            "precision_macro": precision_score(y, predicted, average="macro"),
            "recall_macro": recall_score(y, predicted, average="macro"),
            "f1_macro": f1_score(y, predicted, average="macro"),
            "roc_auc": roc_auc_score(y, scores),
        }
    )
    assert fit.facts["training"] == {"rows": 569, "of": 569}
    stored = content(recording, fit, "autolog/training_confusion_matrix")
    assert stored["matrix"] == confusion_matrix(y, predicted).tolist()
    curve = content(recording, fit, "autolog/training_roc")
    assert auc(curve["x"], curve["y"]) == pytest.approx(roc_auc_score(y, scores))
    expected = roc_curve(y, scores, drop_intermediate=False)
    assert curve["x"] == pytest.approx(expected[0].tolist())
    assert curve["y"] == pytest.approx(expected[1].tolist())
    curve = content(recording, fit, "autolog/training_pr")
    assert curve["x"][-1] == 1.0
    assert curve["y"][-1] == pytest.approx(y.mean())


def test_labels_of_any_kind_and_a_sample_of_rows(autolog_run):
    x = np.arange(5000.0).reshape(-1, 1)
    y = np.where(x[:, 0] < 1000, "low", "high")
    model = DecisionTreeClassifier(max_depth=1).fit(pd.DataFrame(x, columns=["a"]), pd.Series(y))
    sparse_one = RidgeClassifier().fit(sparse.csr_matrix(x), y)
    first, second = told(autolog_run.read()).children
    assert first.facts["training"] == second.facts["training"] == {"rows": 1000, "of": 5000}
    assert training(first)["accuracy"] == accuracy_score(y[::5], model.predict(pd.DataFrame(x[::5], columns=["a"])))
    assert training(second)["accuracy"] == accuracy_score(y[::5], sparse_one.predict(x[::5]))


def test_regressors(autolog_run):
    x, y = DIABETES
    model = Ridge().fit(x, y)
    recording = told(autolog_run.read())
    (fit,) = recording.children
    predicted = model.predict(x)
    assert training(fit) == pytest.approx(
        {
            "r2": r2_score(y, predicted),
            "mse": mean_squared_error(y, predicted),
            "rmse": mean_squared_error(y, predicted) ** 0.5,
            "mae": mean_absolute_error(y, predicted),
        }
    )
    curve = content(recording, fit, "autolog/training_residuals")
    assert curve["x"] == predicted.tolist()
    assert curve["y"] == (y - predicted).tolist()


def test_clusterers(autolog_run):
    x, _ = IRIS
    model = KMeans(3, n_init=1, random_state=0).fit(x)
    noisy = DBSCAN(eps=0.5).fit(x)
    first, second = told(autolog_run.read()).children
    assert training(first)["silhouette"] == pytest.approx(silhouette_score(x, model.labels_))
    assert first.facts["clusters"] == {str(place): int((model.labels_ == place).sum()) for place in range(3)}
    assert second.facts["clusters"]["-1"] == int((noisy.labels_ == -1).sum())
    assert not training(second)


def test_searches_through_their_best(autolog_run):
    x, y = IRIS
    search = GridSearchCV(SVC(), {"C": [0.1, 1.0]}, cv=2).fit(x, y)
    fit = told(autolog_run.read()).children[0]
    assert training(fit)["accuracy"] == accuracy_score(y, search.predict(x))


def doubled(x):
    return x * 2


class Mine(LogisticRegression):
    def predict(self, X):
        raise AssertionError("nobody has asked for predictions")


UNSAFE = [
    Mine(max_iter=500),
    DummyClassifier(strategy="stratified"),
    KNeighborsClassifier(),
    SVC(kernel=lambda a, b: a @ b.T),
    RandomForestClassifier(2, verbose=1),
    make_pipeline(FunctionTransformer(doubled), LogisticRegression(max_iter=500)),
    make_pipeline(StandardScaler(copy=False), LogisticRegression()),
    make_pipeline(Mine(max_iter=500)),
    VotingClassifier([("a", Mine(max_iter=500)), ("b", SVC())]),
]


@pytest.mark.parametrize("estimator", UNSAFE, ids=lambda estimator: type(estimator).__name__)
def test_what_is_not_known_to_be_safe_is_not_asked(autolog_run, estimator, capfd):
    x, y = IRIS
    estimator.fit(x.copy(), y)
    capfd.readouterr()
    (fit,) = told(autolog_run.read()).children
    assert not training(fit)
    assert not [asset for asset in fit.assets if "training" in asset.name]


def test_every_name_on_the_list_is_scikit_learns():
    modules = {}
    for module, name in sklearn_safe._KNOWN:
        modules.setdefault(module, __import__(f"sklearn.{module}", fromlist=["x"]))
        if module == "feature_extraction":
            from sklearn.feature_extraction import text

            modules[module] = text
        kind = getattr(modules[module], name, None)
        if name.startswith("PassiveAggressive") and kind is None:
            continue  # on its way out of scikit-learn
        assert kind is not None, (module, name)
        assert kind.__module__.split(".")[1] == module
        predicts = hasattr(kind, "predict")
        assert predicts or hasattr(kind, "transform"), name
        if predicts:  # nothing that a call could draw from
            source = inspect.getsource(kind.predict)
            assert "check_random_state" not in source


def test_nothing_moves(autolog_run, monkeypatch):
    """Generators, estimator and data are as they are without what autolog computes."""
    x, y = CANCER
    found = []
    for seconds in (1000.0, -1000.0):
        monkeypatch.setattr(allowance, "seconds", seconds)
        np.random.seed(0)  # noqa: NPY002  the generator that must not move
        random.seed(0)
        data = pd.DataFrame(x.copy())
        models = [
            RandomForestClassifier(5).fit(data, y),
            GradientBoostingClassifier(n_estimators=3).fit(data, y),
            make_pipeline(StandardScaler(), SVC()).fit(data, y),
        ]
        after = (np.random.get_state()[1].tolist(), random.getstate(), np.geterr())  # noqa: NPY002  the same
        states = [sorted(vars(model)) for model in models]
        predictions = [model.predict(data).tolist() for model in models]
        found.append((after, states, predictions, data.equals(pd.DataFrame(x)), estimator_html_repr(models[0])))
    assert [len(training(fit)) for fit in told(autolog_run.read()).children] == [5, 5, 5, 0, 0, 0]
    first, second = (int(re.search(r"sk-container-id-(\d+)", one[4])[1]) for one in found)
    assert second == first + 1  # the pictures between had no numbers of the program's
    assert found[0][:4] == found[1][:4]
    assert found[0][3]


def test_importances_and_coefficients_by_name(autolog_run):
    frame, y = load_iris(return_X_y=True, as_frame=True)
    forest = RandomForestClassifier(5, random_state=0).fit(frame, y)
    line = make_pipeline(StandardScaler(), SelectKBest(k=2), LogisticRegression()).fit(frame, y)
    plain = Ridge().fit(frame.to_numpy(), y)
    mixed = frame.assign(kind=np.where(y == 0, "a", "b"))
    steps = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    binary = make_pipeline(steps, LogisticRegression(max_iter=5000)).fit(mixed, y == 1)
    first, second, third, fourth = told(autolog_run.read()).children
    names = list(frame.columns)
    assert first.facts["feature_importances"] == dict(zip(names, forest.feature_importances_.tolist(), strict=True))
    coefficients = second.facts["coefficients"]
    kept = line[:-1].get_feature_names_out().tolist()
    assert coefficients["values"] == {
        str(label): dict(zip(kept, row.tolist(), strict=True)) for label, row in enumerate(line[-1].coef_)
    }
    assert coefficients["intercept"] == line[-1].intercept_.tolist()
    assert third.facts["coefficients"]["values"] == {f"x{place}": value for place, value in enumerate(plain.coef_)}
    assert list(fourth.facts["coefficients"]["values"]) == ["True"]
    assert list(fourth.facts["coefficients"]["values"]["True"]) == binary[0].get_feature_names_out().tolist()


def test_of_many_features_the_largest(autolog_run):
    x = np.eye(1500)
    y = np.arange(1500.0)
    Ridge().fit(x, y)
    (fit,) = told(autolog_run.read()).children
    values = fit.facts["coefficients"]["values"]
    assert len(values) == 1000
    assert {"x0", "x1499"} <= set(values)
    assert "x750" not in values


def test_diagram_and_fingerprint(autolog_run):
    x, y = IRIS
    model = make_pipeline(StandardScaler(), SVC()).fit(x, y)
    recording = told(autolog_run.read())
    (fit,) = recording.children
    (asset,) = [asset for asset in fit.assets if asset.name == "estimator"]
    (path,) = recording.root.glob(f"*/*/{asset.path}")
    text = path.read_text("utf-8")
    assert "StandardScaler" in text
    assert "<style>" in text
    assert isinstance(clone(model)[-1], SVC)
    data = fit.facts["data"]
    assert (data["X"]["fingerprint"], data["X"]["complete"]) == (
        autolog.media.datasets.fingerprint(x)["fingerprint"],
        True,
    )
    assert data["y"]["fingerprint"].startswith("sha256:")


def test_what_there_is_no_time_for_is_said(autolog_run, monkeypatch):
    monkeypatch.setattr(allowance, "seconds", 0.0)
    x, y = IRIS
    RandomForestRegressor(3).fit(x, y)
    (fit,) = told(autolog_run.read()).children
    assert fit.facts["fit"]["left_out"] == [
        "fingerprint of X", "fingerprint of y", "diagram", "feature importances", "training values",
    ]  # fmt: skip
    assert not fit.assets
    assert set(fit.facts) == {"data", "fit"}


def test_the_account():
    account = Allowance(seconds=0.001, share=0.01)
    assert account.affords("a", 0.001)
    assert not account.affords("a", 0.002)
    account.earn(10)
    assert account.affords("a", 0.1)
    with account.paying("a"):
        sum(range(1000))
    assert account.seconds < 0.101
    assert account.affords("a", 1000.0)  # it is known what it has cost
    account.seconds = -1.0
    assert not account.affords("a", 0.0)


def test_an_extra_that_fails_leaves_the_others(autolog_run, monkeypatch):
    autolog.configure(strict=False)

    def broken(*_):
        raise OSError("no picture today")

    monkeypatch.setattr(sklearn_extras, "_diagram", broken)
    Ridge().fit(*DIABETES)
    recording = autolog_run.read()
    (fit,) = recording.children
    assert fit.status == "completed"
    assert "r2" in training(fit)
    assert fit.facts["fit"]["method"] == "fit"
    assert any("no picture today" in problem for problem in recording.problems)
    assert sklearn.__version__
