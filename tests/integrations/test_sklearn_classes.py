"""Estimators that are not scikit-learn's: seen, left as they are, and never asked for anything."""

import abc
import copy
import importlib.util
import inspect
import pickle
import types

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin, clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import autolog
from autolog import current, patching
from autolog.integrations.sklearn_allowance import allowance

X, Y = load_iris(return_X_y=True)
VENDORED = "joblib.externals.cloudpickle"  # of joblib before 1.6


@pytest.fixture(autouse=True)
def _no_extras(monkeypatch):
    monkeypatch.setattr(allowance, "affords", lambda *_, **__: False)


def told(recording):
    assert not recording.problems
    return recording


class Mean(RegressorMixin, BaseEstimator):
    """Fits without a word of scikit-learn."""

    def __init__(self, shift=0.0, inner=None):
        self.shift = shift
        self.inner = inner

    def fit(self, X, y, sample_weight=None):
        """Take the mean."""
        if len(X) == 0:
            raise ValueError("nothing to fit")
        self.mean_ = float(np.mean(y)) + self.shift
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


class Deep(ClassifierMixin, BaseEstimator):
    """Fits with scikit-learn's help."""

    def fit(self, X, y):
        self.model_ = make_pipeline(StandardScaler(), SVC()).fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(X)


class Passing(SVC):
    """Calls the method it overrides."""

    def fit(self, X, y):
        return super().fit(X, y)


class NotPassing(SVC):
    """Does not."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self


class Decorated(SVC):
    """Overrides nothing."""


class Batches(TransformerMixin, BaseEstimator):
    def partial_fit(self, X, y=None):
        self.seen_ = getattr(self, "seen_", 0) + len(X)
        return self

    def fit_transform(self, X, y=None):
        return self.partial_fit(X).transform(X)

    def transform(self, X):
        return X


def test_each_is_one_child(autolog_run):
    target = Y.astype(float)
    Mean(shift=1.0, inner=LogisticRegression(C=3.0)).fit(X, target)
    deep = Deep().fit(X, Y)
    Passing(C=2.0).fit(X, Y)
    NotPassing().fit(X, Y)
    Decorated().fit(X, y=Y)
    value = accuracy_score(Y, deep.predict(X))
    children = told(autolog_run.read()).children
    assert [(fit.name, fit.kind, fit.integration, fit.status) for fit in children] == [
        (name, "fit", "sklearn", "completed") for name in ("Mean", "Deep", "Passing", "NotPassing", "Decorated")
    ]
    mean, deep, passing, other, _ = children
    assert (mean.params["shift"], mean.params["inner__C"]) == (1.0, 3.0)
    assert mean.facts["fit"]["mean_"] == target.mean() + 1.0
    assert mean.facts["data"]["X"]["variable"] == "X"
    assert set(mean.facts["data"]) == {"X", "y"}
    assert deep.facts["fit"]["nested"] == {"Pipeline": 1, "StandardScaler": 1, "SVC": 1}
    assert deep.series("accuracy_score_X") == [(0, value)]
    assert "nested" not in passing.facts["fit"]
    assert passing.params["C"] == 2.0
    assert other.facts["fit"]["method"] == "fit"


def test_methods_and_series(autolog_run):
    one = Batches()
    one.partial_fit(X[:50]).partial_fit(X[50:])
    Batches().fit_transform(X)
    first, second = told(autolog_run.read()).children
    assert (first.facts["fit"]["method"], first.facts["fit"]["calls"]) == ("partial_fit", 2)
    assert first.facts["fit"]["seen_"] == 150
    assert second.facts["fit"]["method"] == "fit_transform"


def test_switched_off_and_on_a_class_is_seen_as_before(autolog_run):
    autolog.disable("sklearn")
    autolog.enable("sklearn")
    Batches().fit_transform(X)
    (fit,) = told(autolog_run.read()).children
    assert fit.facts["fit"]["method"] == "fit_transform"


def test_inside_a_pipeline_or_search_it_is_a_part(autolog_run):
    make_pipeline(StandardScaler(), Mean()).fit(X, Y)
    GridSearchCV(Mean(), {"shift": [0.0, 1.0]}, cv=2).fit(X, Y)
    first, second, *_ = told(autolog_run.read()).children
    assert first.facts["fit"]["nested"] == {"StandardScaler": 1, "Mean": 1}
    assert second.facts["fit"]["nested"] == {"Mean": 5}


def test_a_failing_fit(autolog_run):
    with pytest.raises(ValueError, match="nothing to fit"):
        Mean().fit([], [])
    Mean().fit(X, Y)
    failed, fit = told(autolog_run.read()).children
    assert (failed.status, failed.end.exception["type"], fit.status) == ("failed", "ValueError", "completed")


def test_what_another_framework_trains_inside_is_its_own(autolog_run):
    class Wrapper(BaseEstimator):
        def fit(self, X, y=None):
            assert current.fit_in_progress() is None
            with current.ensure_run().child("net", "fit", "keras"):
                SVC().fit(X, Y)
            return self

    Wrapper().fit(X)
    outer, inner = told(autolog_run.read()).children
    assert (outer.name, outer.integration, inner.name, inner.parent) == ("Wrapper", "sklearn", "net", outer.id)


def test_the_class_is_what_it_was(autolog_run):
    function = patching.original(Mean.fit)
    assert function is not Mean.fit
    assert Mean.fit.__doc__ == "Take the mean."
    assert str(inspect.signature(Mean.fit)) == "(self, X, y, sample_weight=None)"
    assert inspect.getsource(Mean.fit).startswith("    def fit(self, X, y, sample_weight=None):")
    assert isinstance(Mean.fit, types.FunctionType)
    model = Mean().fit(X, Y)
    assert pickle.loads(pickle.dumps(model)).mean_ == model.mean_
    assert copy.deepcopy(model).mean_ == model.mean_
    assert clone(Mean(shift=2.0)).shift == 2.0
    autolog.disable("sklearn")
    try:
        assert vars(Mean)["fit"] is Mean.fit is function
        assert vars(Mean)["predict"] is patching.original(Mean.predict) is Mean.predict
    finally:
        autolog.enable("sklearn")
    assert Mean.fit is not function
    told(autolog_run.read())


@pytest.mark.parametrize("mixin", [ClassifierMixin, TransformerMixin])
def test_pickled_by_value_it_knows_nothing_of_us(autolog_run, mixin):
    cloudpickle = pytest.importorskip("cloudpickle" if importlib.util.find_spec("cloudpickle") else VENDORED)

    def make():
        class Local(mixin, BaseEstimator):
            def fit_transform(self, X, y=None):
                return X

            def fit(self, X, y):
                self.most_ = int(np.bincount(y).argmax())
                return self

            def predict(self, X):
                return np.full(len(X), self.most_)

        return Local

    model = make()().fit(X, Y)
    pickled = cloudpickle.dumps(model)
    assert b"autolog" not in pickled
    assert cloudpickle.loads(pickled).predict(X[:1]) == model.predict(X[:1])
    told(autolog_run.read())


def test_abstract_and_other_attributes_stay(autolog_run):
    class Base(BaseEstimator, abc.ABC):
        @abc.abstractmethod
        def fit(self, X):
            """To be written."""

    class Lazy(BaseEstimator):
        fit = property(lambda self: lambda X: self)

    class Concrete(Base):
        def fit(self, X):
            return self

    with pytest.raises(TypeError, match="abstract"):
        Base()
    assert Base.__abstractmethods__ == {"fit"}
    assert isinstance(vars(Lazy)["fit"], property)
    Lazy().fit(X)
    Concrete().fit(X)
    assert [fit.name for fit in told(autolog_run.read()).children] == ["Concrete"]


def test_results_of_boosting_libraries(autolog_run):
    class Boosted(BaseEstimator):
        """As XGBoost and LightGBM leave them."""

        def fit(self, X, y):
            self.evals_result_ = {"validation_0": {"rmse": [3.0, 2.0, 1.5]}}
            return self

    Boosted().fit(X, Y)
    (fit,) = told(autolog_run.read()).children
    assert fit.series("validation_0-rmse") == [(1, 3.0), (2, 2.0), (3, 1.5)]
