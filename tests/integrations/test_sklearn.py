"""scikit-learn: real fits, and the whole record of each compared with what the estimator itself says."""

import json
import threading
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import autolog
from autolog import events
from autolog.integrations import sklearn_results

X, Y = load_iris(return_X_y=True)


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
        "X": {"type": "numpy.ndarray", "shape": [150, 4], "dtype": "float64"},
        "y": {"type": "numpy.ndarray", "shape": [150], "dtype": "int64"},
    }
    facts = fit.facts["fit"]
    assert facts.pop("duration_s") > 0
    assert facts == {
        "estimator": "sklearn.svm._classes.SVC",
        "method": "fit",
        "n_features_in_": 4,
        "fit_status_": 0,
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
    assert fit.params["logisticregression"] == repr(model[-1])
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
    }
    assert fit.facts["data"]["y"] == {"type": "pandas.Series", "shape": [150], "dtype": "int64", "name": "target"}
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
        ("StandardScaler", "partial_fit"),
        ("KMeans", "fit_predict"),
        ("StandardScaler", "fit"),
    ]
    kmeans = recording.children[2]
    assert kmeans.series("inertia_") == [(0, clusters.inertia_)]
    assert kmeans.series("n_iter_") == [(0, float(clusters.n_iter_))]


def test_search(autolog_run):
    search = GridSearchCV(make_pipeline(StandardScaler(), SVC()), {"svc__C": [0.01, 1.0], "svc__kernel": ["rbf"]}, cv=3)
    search.fit(X, Y)
    (fit,) = told(autolog_run.read()).children
    assert fit.params["best_params_.svc__C"] == search.best_params_["svc__C"]
    assert fit.params["best_params_.svc__kernel"] == "rbf"
    assert fit.sources["best_params_.svc__C"] == "sklearn.search"
    assert fit.series("best_score_") == [(0, search.best_score_)]
    assert fit.facts["fit"]["nested"] == {"Pipeline": 7, "StandardScaler": 7, "SVC": 7}
    assert fit.facts["fit"]["n_splits_"] == 3
    assert fit.facts["search"]["candidates"] == 2
    assert fit.facts["search"]["best_index_"] == search.best_index_
    for index, candidate in enumerate(fit.facts["search"]["results"]):
        assert candidate.pop("params") == search.cv_results_["params"][index]
        for name, value in candidate.items():
            assert value == search.cv_results_[name][index], name


def test_large_search_keeps_the_best(autolog_run, monkeypatch):
    monkeypatch.setattr(sklearn_results, "CANDIDATES", 2)
    search = GridSearchCV(SVC(), {"C": [1e-4, 1.0, 2.0, 1e-5]}, cv=2).fit(X, Y)
    (fit,) = told(autolog_run.read()).children
    assert fit.facts["search"]["candidates"] == 4
    kept = [candidate["params"]["C"] for candidate in fit.facts["search"]["results"]]
    best = np.argsort(search.cv_results_["rank_test_score"], kind="stable")[:2]
    assert kept == [search.cv_results_["params"][index]["C"] for index in best]


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


def test_cross_validation_is_a_fit_for_each_fold(autolog_run):
    cross_val_score(SVC(), X, Y, cv=3)
    children = told(autolog_run.read()).children
    assert [fit.name for fit in children] == ["SVC"] * 3
    assert [fit.facts["data"]["X"]["shape"] for fit in children] == [[100, 4]] * 3


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


def test_user_classes(autolog_run):
    class Mine(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.inner_ = SVC().fit(X, y)
            return self

    class Decorated(SVC):
        pass

    Mine().fit(X, Y)
    Decorated().fit(X, Y)
    children = told(autolog_run.read()).children
    assert [fit.name for fit in children] == ["SVC", "Decorated"]


class Odd(StandardScaler):
    """An estimator whose parameters cannot be read."""

    def get_params(self, deep=True):
        if deep:
            raise OSError("no parameters today")
        return {}


def test_error_of_ours_leaves_the_fit_alone(autolog_run):
    autolog.configure(strict=False)
    scaler = Odd().fit(X)
    assert scaler.mean_.shape == (4,)
    recording = autolog_run.read()
    (fit,) = recording.children
    assert fit.status == "completed"
    assert fit.params == {}
    assert any("sklearn.params" in problem and "no parameters today" in problem for problem in recording.problems)


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
                gate.wait(60)  # both fits have begun now
            return super().get_params(deep)

    threads = [threading.Thread(target=Waiting().fit, args=(X,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    children = told(autolog_run.read()).children
    assert [(fit.name, fit.parent, fit.status) for fit in children] == [("Waiting", None, "completed")] * 2


def test_processes_of_joblib_are_silent(autolog_run):
    search = GridSearchCV(SVC(), {"C": [0.1, 1.0]}, cv=2, n_jobs=2).fit(X, Y)
    recording = told(autolog_run.read())
    (fit,) = recording.children
    assert fit.series("best_score_") == [(0, search.best_score_)]
    assert sum(isinstance(record, events.RunStart) for record in recording.records) == 1


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


IMPORTS = """
import copy, inspect, io, pickle, random
import numpy as np
from sklearn.svm import SVC
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import RandomizedSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
"""

TRAIN = """
random.seed(3)
np.random.seed(3)
X, y = load_digits(return_X_y=True)
X, y = X[:300], y[:300]
forest = RandomForestClassifier(5).fit(X, y)                 # draws from numpy's global generator
search = RandomizedSearchCV(make_pipeline(StandardScaler(), SGDClassifier()),
                            {"sgdclassifier__alpha": np.logspace(-5, -1, 20)}, n_iter=3, cv=2)
search.fit(X, y)
network = MLPClassifier((8,), max_iter=5, verbose=True).fit(X, y)
weights = [forest.feature_importances_, search.best_estimator_[-1].coef_, *network.coefs_]
print(search.best_params_, network.loss_curve_, np.random.rand(), random.random())
for model in (forest, search, network):
    twin = pickle.loads(pickle.dumps(model))
    print(len(pickle.dumps(model)), pickle.dumps(model) == pickle.dumps(copy.deepcopy(model)))
    weights.append(twin.predict(X))
    print(clone(model), sorted(vars(model)), copy.copy(model).get_params().keys())
for function in (SVC.fit, SVC().fit, StandardScaler.fit_transform, SVC.__init__):
    print(inspect.signature(function), inspect.getfullargspec(function), function.__name__, function.__qualname__,
          function.__module__, function.__doc__ and len(function.__doc__))
print(pickle.dumps(SVC.fit), isinstance(forest, BaseEstimator), len(inspect.getsource(SVC.__mro__[1].fit)))
"""


def test_transparent(transparent):
    compared = transparent(IMPORTS, TRAIN, AUTOLOG_SIDECAR="1")
    assert compared.off.code == 0, compared.off.stderr
    for outcome in (compared.first, compared.late):
        names = [child.name for child in told(outcome.recording).children]
        assert names[:3] == ["RandomForestClassifier", "RandomizedSearchCV", "MLPClassifier"]
        assert outcome.stderr == compared.off.stderr.replace("/off/", f"/{outcome.recording.root.parent.name}/")


STOP = """
class Stop(SVC):
    def _validate_targets(self, y):
        raise {}
Stop().fit([[0], [1]], [0, 1])
"""


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("SVC(C=-1).fit([[0], [1]], [0, 1])", None),
        ("LogisticRegression().fit([[0], [1]], [0, 0])", "failed"),
        (
            STOP.format("KeyboardInterrupt('enough')"),
            "interrupted",
        ),
        (
            STOP.format("SystemExit(7)"),
            "failed",
        ),
    ],
    ids=["parameter", "data", "interrupt", "exit"],
)
def test_transparent_errors(transparent, body, status):
    compared = transparent("from sklearn.svm import SVC\nfrom sklearn.linear_model import LogisticRegression", body)
    assert compared.off.code != 0
    for outcome in (compared.first, compared.late):
        # A parameter that scikit-learn refuses is refused before anything is fitted.
        assert [child.status for child in told(outcome.recording).children] == ([status] if status else [])


def test_originals_come_back(restores):
    restores(
        "sklearn",
        packages=["sklearn"],
        imports="from sklearn.svm import SVC\nfrom sklearn.datasets import load_iris",
        use="SVC().fit(*load_iris(return_X_y=True))",
        expect=["sklearn.base.config_context"],
    )


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
