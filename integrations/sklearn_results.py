"""What a fitted scikit-learn estimator says of its fit: attributes that are already there, nothing is computed."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Number
from typing import Any

from autolog.run import Run

__all__ = ["CANDIDATES", "attributes", "record"]

CANDIDATES = 1000
"""Most candidates of a search kept in the fact ``search``; beyond it, the best by rank."""

_SCORES = (
    "best_loss_", "best_score_", "best_validation_score_", "dual_gap_", "inertia_", "kl_divergence_", "loss_",
    "lower_bound_", "n_iter_", "oob_score_", "reconstruction_err_", "stress_",
)  # fmt: skip
"""Results of a fit that are one number: metrics, under the names of scikit-learn."""

_CURVES = (
    "loss_curve_", "lower_bounds_", "oob_improvement_", "oob_scores_", "scores_", "train_score_", "validation_score_",
    "validation_scores_",
)  # fmt: skip
"""One number for each iteration: metrics whose step is the iteration, counted from 1."""


def attributes(estimator: Any) -> dict[str, Any]:
    """The public fitted attributes that are one number or a short text, such as ``n_features_in_``."""
    return {
        name: value
        for name, value in vars(estimator).items()
        if name.endswith("_") and not name.startswith("_") and _is_plain(value)
    }


def record(child: Run, estimator: Any) -> None:
    """Write scores, curves, and for a search its candidates."""
    fitted = vars(estimator)
    scores = {name: fitted[name] for name in _SCORES if name in fitted}
    if scores:
        child.captured_metrics(scores)
    for name in _CURVES:
        for iteration, value in enumerate(_series(fitted.get(name)), start=1):
            child.captured_metrics({name: value}, step=iteration)
    if isinstance(fitted.get("cv_results_"), Mapping):
        _record_search(child, fitted)


def _is_plain(value: Any) -> bool:
    return isinstance(value, Number) or (isinstance(value, str) and len(value) <= 200)


def _series(values: Any) -> list[Any]:
    """A list or one-dimensional array; whatever else has the name in some estimator is no curve."""
    if isinstance(values, list):
        return values
    return list(values.tolist()) if getattr(values, "ndim", 0) == 1 else []


def _record_search(child: Run, fitted: Mapping[str, Any]) -> None:
    if isinstance(best := fitted.get("best_params_"), Mapping):
        child.log_params({"best_params_": best}, "sklearn.search")
    results: Mapping[str, Any] = fitted["cv_results_"]
    candidates = list(results.get("params", ()))
    columns = {name: column for name, column in results.items() if not name.startswith("param")}
    order = list(range(len(candidates)))
    ranks = next((column for name, column in columns.items() if name.startswith("rank_")), None)
    if len(candidates) > CANDIDATES and ranks is not None:
        order = sorted(order, key=lambda index: ranks[index])[:CANDIDATES]
    told = {
        "candidates": len(candidates),
        "best_index_": fitted.get("best_index_"),
        "results": [
            {"params": candidates[index], **{name: column[index] for name, column in columns.items()}}
            for index in order
        ],
    }
    child.log_fact("search", told)
