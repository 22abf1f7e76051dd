"""scikit-learn: real fits, and the whole record of each compared with what the estimator itself says."""

import json
import threading
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import autolog
from autolog import events
from autolog.integrations import sklearn_results
from autolog.integrations.sklearn_allowance import allowance
from tests.waiting import PATIENCE

X, Y = load_iris(return_X_y=True)


@pytest.fixture(autouse=True)
def _no_extras(monkeypatch):
    """No time for what test_sklearn_extras.py is about."""
    monkeypatch.setattr(allowance, "affords", lambda *_, **__: False)


def told(recording):
    """The recording, which must be readable and free of errors of ours."""
    assert not recording.problems
    return recording


def test_one_fit_whole_record(autolog_run):
    model = SVC(C=0.5).fit(X, Y)
    recording = told(autolog_run.read())
    (fit,) = recording.children
    assert (fit.name, fit.kind, fit.integration, fit.parent, fit.status) == ("SVC", "fit", "sklearn", None, "completed")
    assert fit.params == model.get_params()
    assert set(fit.sources.values()) == {"sklearn"}
    assert fit.facts["data"] == {
        "X": {"type": "numpy.ndarray", "shape": [150, 4], "dtype": "float64", "variable": "X"},
        "y": {"type": "numpy.ndarray", "shape": [150], "dtype": "int64", "variable": "Y"},
    }
    facts = fit.facts["fit"]
    assert facts.pop("duration_s") > 0
    assert facts == {
        "estimator": "sklearn.svm._classes.SVC",
        "method": "fit",
        "n_features_in_": 4,
        "fit_status_": 0,
        "left_out": ["fingerprint of X", "fingerprint of y", "diagram", "training values"],
    }
    kinds = [type(record) for record in fit.records]
    # n_iter_ of a support vector machine is one number for each pair of classes: no metric.
    assert kinds == [events.Child, events.Params, events.Fact, events.Fact, events.ChildEnd]
    assert recording.run.status == "completed"


def test_pipeline_reports_through_the_outermost(autolog_run):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=2.0, max_iter=300)).fit(X, y=Y)
    (fit,) = told(autolog_run.read()).children
    assert fit.name == "Pipeline"
    assert fit.facts["fit"]["nested"] == {"StandardScaler": 1, "LogisticRegression": 1}
    for name, value in model.get_params(deep=True).items():
        if isinstance(value, (int, float, str, type(None))):
            assert fit.params[name] == value
    assert fit.params["logisticregression"] == "LogisticRegression"
    assert fit.params["steps"] == [
        ["standardscaler", "StandardScaler"], ["logisticregression", "LogisticRegression"],
    ]  # fmt: skip
    assert set(fit.facts["data"]) == {"X", "y"}


def test_frame_with_names(autolog_run):
    frame, target = load_iris(return_X_y=True, as_frame=True)
    StandardScaler().fit_transform(frame, target)
    (fit,) = told(autolog_run.read()).children
    assert fit.facts["data"]["X"] == {
        "type": "pandas.DataFrame",
        "shape": [150, 4],
        "columns": list(frame.columns),
        "dtypes": {"float64": 4},
        "variable": "frame",
    }
    assert fit.facts["data"]["y"] == {
        "type": "pandas.Series", "shape": [150], "dtype": "int64", "name": "target", "variable": "target",
    }  # fmt: skip
    assert fit.facts["fit"]["method"] == "fit_transform"


def test_every_way_to_fit(autolog_run):
    scaler = StandardScaler()
    scaler.partial_fit(X[:75]).partial_fit(X[75:])
    clusters = KMeans(3, n_init=1, random_state=0)
    clusters.fit_predict(X)

    def fit_it(estimator):
        estimator.fit(X)

    fit_it(scaler)
    recording = told(autolog_run.read())
    assert [(fit.name, fit.facts["fit"]["method"]) for fit in recording.children] == [
        ("StandardScaler", "partial_fit"),
        ("KMeans", "fit_predict"),
        ("StandardScaler", "fit"),
    ]
    kmeans = recording.children[1]
    assert kmeans.series("inertia_") == [(0, clusters.inertia_)]
    assert kmeans.series("n_iter_") == [(0, float(clusters.n_iter_))]


def test_calls_of_partial_fit_are_one_child(autolog_run):
    model, other = MLPClassifier((4,), random_state=0), SGDClassifier(random_state=0)
    for start in range(0, 150, 30):
        batch = slice(start, start + 30)
        model.partial_fit(X[batch], Y[batch], classes=[0, 1, 2])
        other.partial_fit(X[batch], Y[batch], classes=[0, 1, 2])
        model.score(X, Y)
    last = SGDClassifier(random_state=0).partial_fit(X, Y, classes=[0, 1, 2])
    last.fit(X, Y)
    one, two, third, fourth = told(autolog_run.read()).children
    assert [fit.name for fit in (one, two)] == ["MLPClassifier", "SGDClassifier"]
    assert one.series("loss_curve_") == list(enumerate(model.loss_curve_, start=1))
    assert [step for step, _ in one.series("loss_")] == [1, 2, 3, 4, 5]
    assert [step for step, _ in one.series("score_X")] == [1, 2, 3, 4, 5]
    assert one.series("score_X")[-1][1] == model.score(X, Y)
    assert (one.facts["fit"]["calls"], one.facts["fit"]["method"], one.status) == (5, "partial_fit", "completed")
    assert two.facts["fit"]["calls"] == 5
    assert (third.facts["fit"]["method"], fourth.facts["fit"]["method"]) == ("partial_fit", "fit")
    assert sum(isinstance(record, events.Params) for record in one.records) == 1


def test_a_series_ends_with_its_object_and_with_an_error(autolog_run):
    model = SGDClassifier(random_state=0).partial_fit(X, Y, classes=[0, 1, 2])
    del model
    broken = SGDClassifier(random_state=0).partial_fit(X, Y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="features"):
        broken.partial_fit(X[:, :2], Y)
    first, second = told(autolog_run.read()).children
    assert (first.status, second.status) == ("completed", "failed")
    assert first.end.time < second.end.time
    assert second.facts["fit"]["calls"] == 1


def test_warm_start_goes_on_in_one_child(autolog_run):
    model = GradientBoostingClassifier(n_estimators=2, warm_start=True, random_state=0)
    for count in (2, 4, 5):
        model.set_params(n_estimators=count).fit(X, Y)
    (fit,) = told(autolog_run.read()).children
    assert fit.series("train_score_") == list(enumerate(model.train_score_.tolist(), start=1))
    assert fit.params["n_estimators"] == 5
    params = [record for record in fit.records if isinstance(record, events.Params)]
    assert [list(record.values) for record in params[1:]] == [["n_estimators"]] * 2
    assert fit.facts["fit"]["calls"] == 3


def test_curves(autolog_run):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network = MLPClassifier((5,), max_iter=4, random_state=0).fit(X, Y)
    boosting = GradientBoostingClassifier(n_estimators=3, random_state=0).fit(X, Y)
    first, second = told(autolog_run.read()).children
    assert first.series("loss_curve_") == list(enumerate(network.loss_curve_, start=1))
    assert first.series("loss_") == [(0, network.loss_)]
    assert first.series("n_iter_") == [(0, 4.0)]
    assert second.series("train_score_") == list(enumerate(boosting.train_score_.tolist(), start=1))
    assert first.metric_names == {"best_loss_", "loss_", "loss_curve_", "n_iter_"}


def test_failing_fit(autolog_run):
    with pytest.raises(ValueError, match="at least 2 classes") as caught:
        LogisticRegression().fit(X, np.ones(150))
    SVC().fit(X, Y)
    failed, next_one = told(autolog_run.read()).children
    assert failed.status == "failed"
    assert failed.end.exception["type"] == "ValueError"
    assert failed.end.exception["message"] == str(caught.value)
    assert next_one.status == "completed"
    assert next_one.parent is None


class Odd(StandardScaler):
    """An estimator whose parameters cannot be read."""

    def get_params(self, deep=True):
        if deep:
            raise OSError("no parameters today")
        return {}


def test_parameters_that_cannot_be_told_are_absent(autolog_run):
    Odd().fit(X)
    with pytest.raises((AttributeError, TypeError)):
        Pipeline([("scale", StandardScaler)]).fit(X)
    assert all(child.params == {} for child in told(autolog_run.read()).children)


def test_error_of_ours_leaves_the_fit_alone(autolog_run, monkeypatch):
    autolog.configure(strict=False)

    def broken(*_):
        raise OSError("no facts today")

    monkeypatch.setattr(sklearn_results, "attributes", broken)
    scaler = StandardScaler().fit(X)
    assert scaler.mean_.shape == (4,)
    recording = autolog_run.read()
    (fit,) = recording.children
    assert fit.status == "completed"
    assert fit.params == scaler.get_params()
    assert any("sklearn.fit.end" in problem and "no facts today" in problem for problem in recording.problems)


def test_threads_of_joblib_belong_to_the_fit(autolog_run):
    with joblib.parallel_backend("threading", n_jobs=2):
        VotingClassifier([("a", SVC()), ("b", LogisticRegression(max_iter=500))], n_jobs=2).fit(X, Y)
        RandomForestClassifier(5, n_jobs=2, random_state=0).fit(X, Y)
    first, second = told(autolog_run.read()).children
    assert (first.name, second.name) == ("VotingClassifier", "RandomForestClassifier")
    assert first.facts["fit"]["nested"] == {"SVC": 1, "LogisticRegression": 1}


def test_threads_of_the_user_have_fits_of_their_own(autolog_run):
    gate = threading.Barrier(2)

    class Waiting(StandardScaler):
        def get_params(self, deep=True):
            if deep:
                gate.wait(PATIENCE)  # both fits have begun now
            return super().get_params(deep)

    threads = [threading.Thread(target=Waiting().fit, args=(X,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    children = told(autolog_run.read()).children
    assert [(fit.name, fit.parent, fit.status) for fit in children] == [("Waiting", None, "completed")] * 2


def test_fits_belong_to_the_current_child_run(autolog_run):
    with autolog.child_run("fold 1", kind="fold"):
        SVC().fit(X, Y)
    fold, fit = told(autolog_run.read()).children
    assert (fold.name, fit.parent) == ("fold 1", fold.id)


def test_disabled(autolog_run):
    autolog.disable("sklearn")
    try:
        SVC().fit(X, Y)
        assert autolog.current_run() is None
    finally:
        autolog.enable("sklearn")
    assert not autolog_run.read().records


def test_objects_are_as_they_were(autolog_run):
    model = SGDClassifier(random_state=0, max_iter=2000)
    twin = clone(model)
    model.fit(X, Y)
    assert set(vars(model)) == set(vars(twin.fit(X, Y)))
    assert not [name for name in vars(model) if "autolog" in name]
    assert len(told(autolog_run.read()).children) == 2


def test_version_is_within_what_is_tested():
    from autolog.integrations.sklearn import integration

    oldest, newest = integration.tested
    assert oldest <= ".".join(sklearn.__version__.split(".")[:2]) <= newest


def test_nothing_of_the_data_is_kept(autolog_run):
    frame = pd.DataFrame({"secret": [12345.678, 2.0, 3.0, 4.0]})
    SVC().fit(frame, [0, 1, 0, 1])
    text = json.dumps([repr(record) for record in told(autolog_run.read()).children[0].records])
    assert "secret" in text
    assert "12345.678" not in text
