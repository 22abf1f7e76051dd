"""The value of a metric as a record: a number, numbers of classes, a matrix, a curve, a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from autolog.media.jsonable import flatten
from autolog.run import Run

__all__ = ["record"]


class _Axes(NamedTuple):
    """Which parts of the result are x and y, and what they are."""

    x: int
    y: int
    x_label: str
    y_label: str


_CURVES = {
    "roc_curve": _Axes(0, 1, "false positive rate", "true positive rate"),
    "precision_recall_curve": _Axes(1, 0, "recall", "precision"),
    "det_curve": _Axes(0, 1, "false positive rate", "false negative rate"),
    "calibration_curve": _Axes(1, 0, "mean predicted probability", "fraction of positives"),
}
_PARTS = {
    "precision_recall_fscore_support": ("precision", "recall", "fscore", "support"),
    "homogeneity_completeness_v_measure": ("homogeneity", "completeness", "v_measure"),
    "class_likelihood_ratios": ("positive", "negative"),
}
_POINTS = 100_000
_CLASSES = 1000


def record(run: Run, name: str, function: str, result: Any, given: Mapping[str, Any]) -> None:
    """Write what a function of ``sklearn.metrics`` has returned.

    Args:
        run: takes it.
        name: under this name.
        function: which function it was.
        result: what it returned.
        given: its arguments.
    """
    if function in _CURVES and isinstance(result, tuple):
        _curve(run, name, result, _CURVES[function])
    elif function == "confusion_matrix":
        run.log_confusion_matrix(name, matrix=result, labels=_labels(given, len(result)))
    elif function in _PARTS:
        parts = dict(zip(_PARTS[function], result, strict=False))
        run.captured_metrics(
            {key: one for part, value in parts.items() for key, one in _numbers(f"{name}.{part}", value)}
        )
    elif function.endswith("_samples") and getattr(result, "ndim", 0) == 1:
        run.log_histogram(name, result)
    elif isinstance(result, str):
        run.log_text(name, result)
    elif isinstance(result, Mapping):
        run.captured_metrics(flatten({name: result}))
    else:
        run.captured_metrics(dict(_numbers(name, result)))


def _curve(run: Run, name: str, result: Any, axes: _Axes) -> None:
    x, y = result[axes.x], result[axes.y]
    step = max(1, -(-len(x) // _POINTS))
    thinned = {"points of the curve": len(x)} if step > 1 else None
    run.log_curve(name, x[::step], y[::step], x_label=axes.x_label, y_label=axes.y_label, metadata=thinned)


def _labels(given: Mapping[str, Any], size: int) -> list[str] | None:
    """The labels of a matrix: those given, else those that occur."""
    labels = given.get("labels")
    if labels is None:
        import numpy as np

        parts = [np.asarray(given.get(name)) for name in ("y_true", "y_pred")]
        if any(part.ndim != 1 or len(part) > _POINTS for part in parts):
            return None
        labels = np.unique(np.concatenate(parts)).tolist()
    return [str(label) for label in labels] if len(labels) == size else None


def _numbers(name: str, value: Any) -> list[tuple[str, Any]]:
    """One number, or one for each class (by its place among the classes)."""
    if getattr(value, "ndim", 0) != 1:
        return [(name, value)]
    return [(f"{name}.{place}", one) for place, one in enumerate(value.tolist()[:_CLASSES])]
