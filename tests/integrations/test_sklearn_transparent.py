"""Nothing of a program changes under autolog: every kind of scikit-learn program, as a process, with and without it."""

import pytest
from sklearn.model_selection import cross_val_predict


def told(recording):
    assert not recording.problems
    return recording


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
from sklearn.utils import estimator_html_repr
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
print(estimator_html_repr(clone(search)))
print(pickle.dumps(SVC.fit), isinstance(forest, BaseEstimator), len(inspect.getsource(SVC.__mro__[1].fit)))
"""


def test_transparent(transparent):
    compared = transparent(IMPORTS, TRAIN, AUTOLOG_SIDECAR="1")
    assert compared.off.code == 0, compared.off.stderr
    for outcome in (compared.first, compared.late):
        names = [child.name for child in told(outcome.recording).children]
        tried = [f"candidate {place}" for place in range(3)]
        assert names == ["RandomForestClassifier", "RandomizedSearchCV", *tried, "MLPClassifier"]
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


EVERYWHERE = """
import asyncio, copy, joblib, os, pickle, sys, threading, warnings
import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import accuracy_score, confusion_matrix, make_scorer, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier


class Drawing(ClassifierMixin, BaseEstimator):
    \"\"\"Draws a number whenever it is asked for anything, and counts.\"\"\"

    asked = 0

    def __init__(self, depth=2):
        self.depth = depth

    def fit(self, X, y):
        self.model_ = DecisionTreeClassifier(max_depth=self.depth).fit(X, y)
        self.classes_ = self.model_.classes_
        self.drawn_ = np.random.rand()
        return self

    def predict(self, X):
        type(self).asked += 1
        np.random.rand()
        return self.model_.predict(X)


def scorer(model, X, y):
    np.random.rand()
    return accuracy_score(y, model.predict(X))


def fit_there(model, X, y):
    return model.fit(X, y).predict(X)
"""

PLACES = """
X, y = load_iris(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y)
weights = []
drawing = Drawing().fit(X_train, y_train)
weights += [accuracy_score(y_test, drawing.predict(X_test)), drawing.score(X_test, y_test), Drawing.asked]
search = GridSearchCV(Drawing(), {"depth": [1, 3]}, cv=2, scoring=scorer).fit(X, y)
weights += [search.best_score_, search.cv_results_["mean_test_score"], cross_val_score(Drawing(), X, y, cv=3)]
weights += [Drawing.asked, cross_val_predict(AdaBoostClassifier(n_estimators=5), X, y, cv=2)]
if "processes" in sys.argv:
    weights += Parallel(n_jobs=2)(delayed(fit_there)(clone(Drawing(depth)), X, y) for depth in (1, 2))
    weights.append(GridSearchCV(Drawing(), {"depth": [1, 3]}, cv=2, n_jobs=2).fit(X, y).best_estimator_.predict(X))
with joblib.parallel_backend("threading", n_jobs=2):
    weights += Parallel()(delayed(fit_there)(SVC(C=c), X, y) for c in (1, 2))
threads = [threading.Thread(target=fit_there, args=(SVC(), X, y)) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]


async def together():
    async def one(c):
        await asyncio.sleep(0)
        return SVC(C=c).fit(X, y).score(X, y)

    return await asyncio.gather(one(1), one(2))


weights += asyncio.run(together())
warm = RandomForestClassifier(2, warm_start=True).fit(X, y)
warm.set_params(n_estimators=4).fit(X, y)
lines = SGDClassifier()
for start in range(0, 90, 30):
    lines.partial_fit(X[start:start + 30], y[start:start + 30], classes=[0, 1, 2])
weights += [warm.predict_proba(X), lines.coef_, confusion_matrix(y, warm.predict(X))]
for model in (drawing, search, warm, lines):
    twin = pickle.loads(pickle.dumps(model))
    weights += [twin.predict(X), copy.deepcopy(model).predict(X)]
    print(type(model).__name__, sorted(vars(model)), len(pickle.dumps(model)),
          sorted(clone(model).get_params()))
child = os.fork()
if child == 0:
    code = 0 if SVC().fit(X, y).score(X, y) > 0.9 else 1
    os._exit(code)
print(os.waitpid(child, 0)[1], Drawing.asked, np.random.rand())
"""


def test_transparent_everywhere(transparent):
    compared = transparent(EVERYWHERE, PLACES, "processes")
    assert compared.off.code == 0, compared.off.stderr
    for outcome in (compared.first, compared.late):
        fits = [child for child in told(outcome.recording).children if child.parent is None]
        assert [child.name for child in fits[:4]] == [
            "Drawing", "GridSearchCV", "Drawing", "AdaBoostClassifier",
        ]  # fmt: skip
        assert fits[2].kind == "cross_validation"
        if "func" in cross_val_predict.__code__.co_freevars:  # it cannot be watched in scikit-learn 1.3
            assert fits[3].kind == "cross_validation"
        assert sum(child.name == "RandomForestClassifier" for child in fits) == 1
        assert fits[0].metric_names == {"accuracy_score_X_test", "score_X_test"}
        assert all(child.status == "completed" for child in fits)
        assert outcome.stderr == compared.off.stderr


FAILING = """
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import cross_val_score


class Broken(BaseEstimator):
    def fit(self, X, y):
        raise LookupError("no such thing") from ValueError("because")
"""


@pytest.mark.parametrize(
    "body",
    [
        "Broken().fit([[0]], [0])",
        "accuracy_score([0, 1], LogisticRegression().fit([[0], [1]], [0, 1]).predict([[0], [1], [0]]))",
        "cross_val_score(Broken(), [[0], [1]], [0, 1], cv=2, scoring='accuracy', error_score='raise')",
        "LogisticRegression().fit([[0], [1]], [0, 1]).score([[0, 1]], [0])",
    ],
    ids=["fit", "metric", "validation", "score"],
)
def test_transparent_errors_elsewhere(transparent, body):
    compared = transparent(FAILING, body)
    assert compared.off.code != 0
    for outcome in (compared.first, compared.late):
        assert told(outcome.recording).children
