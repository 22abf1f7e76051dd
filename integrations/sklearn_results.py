"""What a fitted scikit-learn estimator says of its fit: attributes that are already there, nothing is computed."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Number
from typing import Any

from autolog.integrations.sklearn_live import Live
from autolog.integrations.sklearn_search import record_search
from autolog.run import Run

__all__ = ["attributes", "record"]

_SCORES = (
    "best_loss_", "best_score_", "best_validation_score_", "dual_gap_", "inertia_", "kl_divergence_", "loss_",
    "lower_bound_", "n_iter_", "oob_score_", "reconstruction_err_", "stress_",
)  # fmt: skip
"""Results of a fit that are one number: metrics, under the names of scikit-learn."""

_CURVES = (
    "estimator_errors_", "estimator_weights_", "loss_curve_", "lower_bounds_", "oob_improvement_", "oob_scores_",
    "train_score_", "validation_score_", "validation_scores_",
)  # fmt: skip
"""One number for each iteration: metrics whose step is the iteration, counted from 1."""
_MOST = 100_000


def attributes(estimator: Any) -> dict[str, Any]:
    """The public fitted attributes that are one number or a short text, such as ``n_features_in_``."""
    return {
        name: value
        for name, value in vars(estimator).items()
        if name.endswith("_") and not name.startswith("_") and _is_plain(value)
    }


def record(run: Run, estimator: Any, recorded: dict[str, int], live: Live | None = None) -> None:
    """Write scores, curves, and for a search its candidates.

    Args:
        run: takes them.
        estimator: the fitted estimator.
        recorded: how many values of each curve are on record from earlier fits that this one goes on with.
        live: what is on record already of a search's candidates.
    """
    fitted = vars(estimator)
    scores = {name: fitted[name] for name in _SCORES if name in fitted}
    if scores:
        run.captured_metrics(scores)
    curves = {name: _series(fitted.get(name)) for name in _CURVES} | _others(estimator, fitted)
    for name, values in curves.items():
        known = recorded.get(name, 0)
        if known > len(values):  # it has begun anew
            known = 0
        for iteration, value in enumerate(values[known:_MOST], start=known + 1):
            run.captured_metrics({name: value}, step=iteration)
        recorded[name] = len(values)
    if isinstance(fitted.get("cv_results_"), Mapping):
        record_search(run, fitted, live)
    if any(kind.__module__ == "skorch.net" for kind in type(estimator).__mro__):
        recorded["history_"] = _record_epochs(run, fitted.get("history_"), recorded.get("history_", 0))


def _is_plain(value: Any) -> bool:
    return isinstance(value, Number) or (isinstance(value, str) and len(value) <= 200)


def _series(values: Any) -> list[Any]:
    """A list or one-dimensional array; whatever else has the name in some estimator is no curve."""
    if isinstance(values, list):
        return values
    return list(values.tolist()) if getattr(values, "ndim", 0) == 1 else []


def _others(estimator: Any, fitted: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Curves that have their names in some estimators only: of the Bayesian linear models, of boosting elsewhere."""
    curves: dict[str, list[Any]] = {}
    if type(estimator).__module__.startswith("sklearn.linear_model"):  # elsewhere they are one for each feature
        curves["scores_"] = _series(fitted.get("scores_"))
    results = fitted.get("evals_result_", fitted.get("_evals_result"))  # XGBoost and LightGBM
    if isinstance(results, Mapping):
        for data, metrics in results.items():
            if isinstance(metrics, Mapping):
                curves |= {f"{data}-{metric}": _series(values) for metric, values in metrics.items()}
    return curves


def _record_epochs(run: Run, history: Any, known: int) -> int:
    """The rows of skorch's history, one for each epoch, at the optimizer step the epoch ends with."""
    step = 0
    rows = history if isinstance(history, list) else []
    for number, row in enumerate(rows):
        step += row.get("train_batch_count", 0)
        if number >= known:
            values = {name: value for name, value in row.items() if not name.endswith(("_best", "_count", "epoch"))}
            run.captured_metrics(values, step=step, epoch=row.get("epoch"))
    return len(rows)
