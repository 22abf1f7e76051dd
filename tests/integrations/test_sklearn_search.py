"""Searches and cross-validation: one child run each, with candidates and folds, whatever processes do the work."""

import json

import numpy as np
import pytest
from scipy.stats import uniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  makes the next import possible
from sklearn.linear_model import Ridge
from sklearn.metrics import accuracy_score
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import autolog
from autolog import events

X, Y = load_iris(return_X_y=True)
DECORATED = "func" in cross_val_predict.__code__.co_freevars


def told(recording):
    assert not recording.problems
    return recording


def table(recording, fit, name):
    """The rows of a stored table."""
    (asset,) = [asset for asset in fit.assets if asset.name == name]
    (path,) = recording.root.glob(f"*/*/{asset.path}")
    content = json.loads(path.read_text("utf-8"))
    return [dict(zip(content["columns"], row, strict=True)) for row in content["rows"]]


@pytest.mark.parametrize("jobs", [None, 2], ids=["here", "processes"])
def test_search(autolog_run, jobs):
    grid = {"svc__C": [0.01, 1.0], "svc__kernel": ["rbf"]}
    search = GridSearchCV(make_pipeline(StandardScaler(), SVC()), grid, cv=3, n_jobs=jobs, return_train_score=True)
    search.fit(X, Y)
    recording = told(autolog_run.read())
    fit, *candidates = recording.children
    assert (fit.kind, fit.params["best_params_.svc__C"]) == ("fit", search.best_params_["svc__C"])
    assert fit.sources["best_params_.svc__C"] == "sklearn.search"
    assert fit.series("best_score_") == [(0, search.best_score_)]
    inside = 7 if jobs is None else 1  # the refit alone is in this process
    assert fit.facts["fit"]["nested"] == {"Pipeline": inside, "StandardScaler": inside, "SVC": inside}
    facts = fit.facts["search"]
    assert (facts["candidates"], facts["candidates_as_runs"], facts["n_splits_"]) == (2, 2, 3)
    assert facts["best_index_"] == search.best_index_
    results = search.cv_results_
    for index, row in enumerate(table(recording, fit, "cv_results_")):
        assert row.pop("param_svc__C") == grid["svc__C"][index]
        assert row.pop("param_svc__kernel") == "rbf"
        assert row == {name: results[name][index] for name in row}
        assert set(row) == {name for name in results if not name.startswith("param")}
    assert [(child.name, child.kind, child.parent, child.status) for child in candidates] == [
        ("candidate 0", "candidate", fit.id, "completed"),
        ("candidate 1", "candidate", fit.id, "completed"),
    ]
    for index, child in enumerate(candidates):
        assert child.params == results["params"][index]
        assert child.series("mean_test_score") == [(0, results["mean_test_score"][index])]
        for kind in ("test_score", "train_score"):
            folds = [(fold, results[f"split{fold}_{kind}"][index]) for fold in range(3)]
            assert child.series(kind) == folds
    assert sum(isinstance(record, events.RunStart) for record in recording.records) == 1


def test_the_best_candidates_are_runs_and_all_are_in_the_table(autolog_run):
    autolog.configure(search_candidates=2)
    search = RandomizedSearchCV(SVC(), {"C": uniform(1e-4, 2)}, n_iter=5, cv=2, random_state=0)
    try:
        search.fit(X, Y)
    finally:
        autolog.configure(search_candidates=None)
    recording = told(autolog_run.read())
    fit, *candidates = recording.children
    best = np.argsort(search.cv_results_["rank_test_score"], kind="stable")[:2]
    assert [child.params["C"] for child in candidates] == [
        search.cv_results_["params"][index]["C"] for index in sorted(best)
    ]
    assert fit.facts["search"]["candidates"] == 5
    rows = table(recording, fit, "cv_results_")
    assert [row["param_C"] for row in rows] == [params["C"] for params in search.cv_results_["params"]]
    finished = [record for record in fit.records if getattr(record, "name", "") == "finished_candidates"]
    assert [record.value[0]["candidate"] for record in finished if record.append] == [0, 1, 2, 3, 4]
    assert finished[-1].value == {"all": "cv_results_"}
    (first,) = finished[0].value
    assert first["params"] == search.cv_results_["params"][0]
    assert first["test_score"] == [search.cv_results_[f"split{fold}_test_score"][0] for fold in (0, 1)]
    assert "finished_candidates" not in [asset.name for asset in fit.assets]


def test_halving_has_a_row_for_each_iteration(autolog_run):
    search = HalvingGridSearchCV(SVC(), {"C": [0.01, 0.1, 1.0, 10.0]}, cv=2, factor=2, random_state=0).fit(X, Y)
    recording = told(autolog_run.read())
    fit = recording.children[0]
    rows = table(recording, fit, "cv_results_")
    assert [row["n_resources"] for row in rows] == search.cv_results_["n_resources"].tolist()
    assert fit.facts["search"]["n_candidates_"] == search.n_candidates_
    assert fit.facts["search"]["candidates"] == len(search.cv_results_["params"])
    assert [child.series("iter")[0][1] for child in recording.children[1:]] == search.cv_results_["iter"].tolist()


def test_candidates_with_other_parameters_each(autolog_run):
    pipeline = make_pipeline(StandardScaler(), SVC())
    grids = [{"svc__C": [1.0]}, {"standardscaler": ["passthrough"], "svc": [SVC(kernel="linear")]}]
    GridSearchCV(pipeline, grids, cv=2).fit(X, Y)
    recording = told(autolog_run.read())
    rows = table(recording, recording.children[0], "cv_results_")
    assert [row["param_svc__C"] for row in rows] == [1.0, None]
    assert [row["param_svc"] for row in rows] == [None, "SVC(kernel='linear')"]


def test_several_scores(autolog_run):
    search = GridSearchCV(SVC(), {"C": [0.1, 1.0]}, cv=2, scoring=["accuracy", "f1_macro"], refit="f1_macro").fit(X, Y)
    fit, first, _ = told(autolog_run.read()).children
    assert first.series("test_f1_macro")[1] == (1, search.cv_results_["split1_test_f1_macro"][0])
    assert fit.series("best_score_") == [(0, search.best_score_)]


class Fragile(SVC):
    """An estimator that can not be fitted with some data or parameters."""

    def fit(self, X, y):
        if self.C == 3.0 or (self.C == 2.0 and len(X) == 100):
            raise ValueError("no")
        return super().fit(X, y)


FOLDS = [(np.arange(100), np.arange(100, 150)), (np.arange(50, 149), np.arange(50))]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.parametrize("most", [30, 1])
def test_a_candidate_whose_fits_fail(autolog_run, most):
    autolog.configure(search_candidates=most)
    try:
        search = GridSearchCV(Fragile(), {"C": [1.0, 2.0, 3.0]}, cv=FOLDS, error_score=-1.0).fit(X, Y)
    finally:
        autolog.configure(search_candidates=None)
    recording = told(autolog_run.read())
    candidates = {child.params["C"]: child for child in recording.children if child.kind == "candidate"}
    for index, value in enumerate((1.0, 2.0, 3.0) if most == 30 else (1.0,)):
        folds = [search.cv_results_[f"split{fold}_test_score"][index] for fold in (0, 1)]
        assert sorted(candidates.pop(value).series("test_score")) == list(enumerate(folds))
    assert not candidates
    rows = [row for record in recording.records if getattr(record, "append", False) for row in record.value]
    if most == 1:
        whole, half, _ = [search.cv_results_[f"split{fold}_test_score"] for fold in (0, 1)][1].tolist()
        assert rows[0]["test_score"][1] == whole
        assert rows[1:] == [
            {"candidate": 1, "params": {"C": 2.0}, "test_score": [None, half]},
            {"candidate": 2, "params": {"C": 3.0}},
        ]
    else:
        assert not rows


def test_a_search_that_fails(autolog_run):
    with pytest.raises(ValueError, match="no"):
        GridSearchCV(Fragile(), {"C": [1.0, 2.0]}, cv=[FOLDS[1], FOLDS[0]], error_score="raise").fit(X, Y)
    search, first, second = told(autolog_run.read()).children
    assert [child.status for child in (search, first, second)] == ["failed", "completed", "failed"]
    assert [step for step, _ in first.series("test_score")] == [0, 1]
    assert [step for step, _ in second.series("test_score")] == [0]


@pytest.mark.parametrize("jobs", [None, 2], ids=["here", "processes"])
def test_cross_validation_is_one_child(autolog_run, jobs):
    scores = cross_val_score(SVC(C=2.0), X, Y, cv=3, scoring="f1_macro", n_jobs=jobs)
    told_of = cross_validate(make_pipeline(StandardScaler(), SVC()), X, Y, cv=4, return_train_score=True)
    first, second = told(autolog_run.read()).children
    assert (first.name, first.kind, first.integration, first.status) == (
        "SVC", "cross_validation", "sklearn", "completed",
    )  # fmt: skip
    assert first.params["C"] == 2.0
    options = {name: value for name, value in first.params.items() if name.startswith("cross_validation.")}
    assert options["cross_validation.function"] == "cross_val_score"
    assert options["cross_validation.cv"] == 3
    if DECORATED:
        assert options["cross_validation.scoring"] == "f1_macro"
    assert first.sources["cross_validation.cv"] == "sklearn.cross_validation"
    assert first.series("test_score") == list(enumerate(scores.tolist()))
    assert len(first.series("fit_time")) == 3
    assert first.series("autolog/mean_test_score") == [(0, scores.mean())]
    assert first.series("autolog/std_test_score") == [(0, scores.std())]
    assert first.facts["data"]["X"]["variable"] == "X"
    assert first.facts["data"]["y"]["variable"] == "Y"
    if jobs is None:
        assert first.facts["fit"]["nested"] == {"SVC": 3}
    for name in ("test_score", "train_score", "fit_time", "score_time"):
        assert second.series(name) == list(enumerate(told_of[name].tolist()))


@pytest.mark.skipif(not DECORATED, reason="scikit-learn 1.3: cross_val_predict cannot be watched")
def test_predictions_of_cross_validation_are_judged_there(autolog_run):
    predicted = cross_val_predict(SVC(), X, Y, cv=3)
    score = accuracy_score(Y, predicted)
    (child,) = told(autolog_run.read()).children
    assert child.series("accuracy_score_X") == [(0, score)]


def test_curves_over_sizes_and_parameters(autolog_run):
    sizes, train, test = learning_curve(SVC(), X, Y, train_sizes=[0.4, 1.0], cv=3, shuffle=True, random_state=0)[:3]
    scores, others = validation_curve(Ridge(), X, Y, param_name="alpha", param_range=[0.1, 10.0], cv=2)
    score, shuffled, p_value = permutation_test_score(SVC(), X, Y, n_permutations=3, cv=2, random_state=0)
    recording = told(autolog_run.read())
    first, second, third = recording.children
    assert first.series("test_score") == [(size, value) for size, row in zip(sizes, test, strict=True) for value in row]
    assert len(first.series("train_score")) == train.size
    assert [row["alpha"] for row in table(recording, second, "validation_curve")] == [0.1, 0.1, 10.0, 10.0]
    assert [row["test_score"] for row in table(recording, second, "validation_curve")] == others.ravel().tolist()
    assert second.series("train_score")[0] == (0, scores[0, 0])
    assert third.series("score") == [(0, score)]
    assert third.series("p_value") == [(0, p_value)]
    assert [asset.kind for asset in third.assets] == ["histogram"]
    assert shuffled.shape == (3,)


class Mine(ClassifierMixin, BaseEstimator):
    """An estimator that validates while it is fitted, and fails for one class."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.scores_ = cross_val_score(SVC(), X, y, cv=2)
        return self


def test_validation_inside_a_fit_is_a_part_of_it(autolog_run):
    Mine().fit(X, Y)
    (fit,) = told(autolog_run.read()).children
    assert fit.name == "Mine"
    assert fit.facts["fit"]["nested"] == {"SVC": 2}


def test_a_failing_validation(autolog_run):
    with pytest.raises(ValueError, match="n_splits=200"):
        cross_val_score(SVC(), X, Y, cv=200)
    SVC().fit(X, Y)
    failed, fit = told(autolog_run.read()).children
    assert (failed.kind, failed.status, fit.status, fit.parent) == ("cross_validation", "failed", "completed", None)
