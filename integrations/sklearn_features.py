"""Importances and coefficients of a fitted estimator, by the names of the features."""

from __future__ import annotations

from typing import Any

from autolog.integrations.sklearn_safe import is_safe
from autolog.run import Run

__all__ = ["expected", "record"]

_KEPT = 1000
"""Most numbers of one kind on record; of more, the largest."""
_COMPUTED = ("sklearn.ensemble.", "sklearn.tree.")
"""Where ``feature_importances_`` is computed when it is read, by scikit-learn alone."""
_WIDE = 2_000_000


def expected(estimator: Any) -> float | None:
    """Seconds that :func:`record` takes, about; ``None`` where there is nothing to record."""
    final = _final(estimator)
    fitted = vars(final)
    size = sum(getattr(fitted.get(name), "size", 0) for name in ("coef_", "feature_importances_"))
    if _computes(final):
        trees = fitted.get("estimators_")
        return 0.0005 + 0.0002 * getattr(trees, "size", len(trees) if isinstance(trees, list) else 1)
    return 0.0005 + size * 1e-7 if 0 < size <= _WIDE else None


def record(run: Run, estimator: Any) -> None:
    """Write the facts ``feature_importances`` and ``coefficients``."""
    final = _final(estimator)
    fitted = vars(final)
    importances = final.feature_importances_ if _computes(final) else fitted.get("feature_importances_")
    if getattr(importances, "ndim", 0) == 1:
        run.log_fact("feature_importances", _largest(_names(estimator, final, len(importances)), importances))
    coefficients = fitted.get("coef_")
    if hasattr(coefficients, "ndim") and not hasattr(coefficients, "nnz") and coefficients.ndim in (1, 2):
        run.log_fact("coefficients", _coefficients(estimator, final, coefficients))


def _final(estimator: Any) -> Any:
    """The estimator that has the coefficients: of a search the best one, of a pipeline the last step."""
    for _ in range(4):
        inside = vars(estimator).get("best_estimator_")
        steps = vars(estimator).get("steps")
        if inside is None and isinstance(steps, list) and steps and hasattr(steps[-1][1], "get_params"):
            inside = steps[-1][1]
        if inside is None:
            break
        estimator = inside
    return estimator


def _computes(final: Any) -> bool:
    kind = type(final)
    return kind.__module__.startswith(_COMPUTED) and isinstance(getattr(kind, "feature_importances_", None), property)


def _coefficients(estimator: Any, final: Any, values: Any) -> dict[str, Any]:
    names = _names(estimator, final, values.shape[-1])
    told: dict[str, Any] = {}
    if values.ndim == 1:
        told["values"] = _largest(names, values)
    else:
        classes = vars(final).get("classes_")
        rows = [str(label) for label in classes.tolist()] if hasattr(classes, "tolist") else []
        if len(rows) == 2 and len(values) == 1:
            rows = rows[1:]  # those of the positive class
        if len(rows) != len(values):
            rows = [str(place) for place in range(len(values))]
        kept = max(1, _KEPT // max(len(values), 1))
        told["values"] = {row: _largest(names, line, kept) for row, line in zip(rows[:_KEPT], values, strict=False)}
    intercept = vars(final).get("intercept_")
    if intercept is not None and getattr(intercept, "size", 1) <= _KEPT:
        told["intercept"] = intercept.tolist() if hasattr(intercept, "tolist") else intercept
    return told


def _largest(names: list[str] | None, values: Any, kept: int = _KEPT) -> dict[str, Any]:
    """Values by name, in the order of the features; of too many the largest by size."""
    import numpy as np

    places: Any = range(len(values))
    if len(values) > kept:
        chosen = np.argpartition(-np.abs(values), kept - 1)[:kept]
        places = sorted(chosen.tolist())
    return {names[place] if names else f"x{place}": float(values[place]) for place in places}


def _names(estimator: Any, final: Any, count: int) -> list[str] | None:
    """Names of the features that the last step got: its own, else those scikit-learn's steps before it tell."""
    own = vars(final).get("feature_names_in_")
    if own is None and final is not estimator:
        pipeline = vars(estimator).get("best_estimator_", estimator)
        steps = vars(pipeline).get("steps")
        if isinstance(steps, list) and is_safe(pipeline):
            try:
                own = pipeline[:-1].get_feature_names_out()
            except (AttributeError, ValueError, NotImplementedError):  # a step that tells none
                own = None
    names = None if own is None else [str(name) for name in own]
    return names if names is not None and len(names) == count else None
