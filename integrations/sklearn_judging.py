"""Values that autolog computes itself, with numpy alone: no estimator is called, no warning issued, nothing drawn.

They are the plain, unweighted ones, and go on record under names that begin with ``autolog/``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from autolog.run import Run

__all__ = ["CLASSES", "Counts", "classification", "counts", "log_counts", "log_ranking", "log_residuals", "regression"]

CLASSES = 100
"""Most classes of a confusion matrix."""
_POINTS = 1000
"""Most points of a curve that autolog computes itself."""


class Counts(NamedTuple):
    """How often each class was taken for which: rows true, columns predicted."""

    labels: list[Any]
    matrix: Any


def counts(true: Any, predicted: Any) -> Counts | None:
    """Count pairs of labels; ``None`` where these are no two lists of labels, or have more than ``CLASSES``."""
    import numpy as np

    true, predicted = _labels(true), _labels(predicted)
    if (
        true.ndim != 1
        or true.shape != predicted.shape
        or not len(true)
        or "O" in (true.dtype.kind, predicted.dtype.kind)
    ):
        return None
    labels, places = np.unique(np.concatenate([true, predicted]), return_inverse=True)
    size = len(labels)
    if size > CLASSES:
        return None
    places = places.reshape(-1)
    cells = places[: len(true)] * size + places[len(true) :]
    return Counts(labels.tolist(), np.bincount(cells, minlength=size * size).reshape(size, size))


def _labels(values: Any) -> Any:
    """An array of labels; texts that pandas and others keep as objects become an array of texts."""
    import numpy as np

    array = np.asarray(values)
    if array.dtype.kind == "O" and array.ndim == 1 and all(isinstance(value, str) for value in array):
        return array.astype(str)
    return array


def classification(found: Counts) -> dict[str, float]:
    """Accuracy, and the means over the classes of precision, recall and F1; where one is undefined it counts as 0."""
    import numpy as np

    hits = np.diagonal(found.matrix).astype(float)
    true, predicted = found.matrix.sum(axis=1), found.matrix.sum(axis=0)
    return {
        "accuracy": float(hits.sum() / found.matrix.sum()),
        "precision_macro": float((hits / np.maximum(predicted, 1)).mean()),
        "recall_macro": float((hits / np.maximum(true, 1)).mean()),
        "f1_macro": float((2 * hits / np.maximum(true + predicted, 1)).mean()),
    }


def regression(true: Any, predicted: Any) -> dict[str, float]:
    """R², and the mean squared, root mean squared and mean absolute error; none where there is no one target."""
    import numpy as np

    true, predicted = np.asarray(true), np.asarray(predicted)
    if true.ndim != 1 or true.size != predicted.size or true.dtype.kind not in "iuf" or not len(true):
        return {}
    with np.errstate(all="ignore"):
        true = true.astype(float)
        errors = true - predicted.reshape(-1)
        squared = float(np.mean(errors**2))
        spread = float(np.mean((true - true.mean()) ** 2))
        values = {"mse": squared, "rmse": squared**0.5, "mae": float(np.mean(np.abs(errors)))}
    return values | ({"r2": 1 - squared / spread} if spread > 0 else {})


def log_counts(run: Run, name: str, found: Counts, rows: dict[str, int]) -> None:
    """Store a confusion matrix."""
    run.log_confusion_matrix(name, matrix=found.matrix, labels=[str(label) for label in found.labels], metadata=rows)


def log_residuals(run: Run, name: str, true: Any, predicted: Any, rows: dict[str, int]) -> None:
    """Store what is left of the target beside each predicted value, of at most 1,000 evenly spaced rows."""
    import numpy as np

    true, predicted = np.asarray(true), np.asarray(predicted)
    if true.ndim != 1 or true.size != predicted.size or true.dtype.kind not in "iuf":
        return
    step = max(1, -(-len(true) // _POINTS))
    x = predicted.reshape(-1)[::step].astype(float)
    y = true[::step].astype(float) - x
    run.log_curve(name, x, y, x_label="predicted", y_label="true - predicted", metadata=rows | {"shown": len(x)})


def log_ranking(run: Run, prefix: str, true: Any, scores: Any, rows: dict[str, int]) -> None:
    """ROC and precision-recall curve of two classes, and the area under the first.

    Args:
        run: takes them.
        prefix: their names begin with it.
        true: whether each sample is of the positive class.
        scores: what says so.
        rows: how many samples these are, of how many.
    """
    import numpy as np

    true, scores = np.asarray(true, dtype=bool), np.asarray(scores)
    positive = int(true.sum())
    negative = len(true) - positive
    if not positive or not negative:
        return
    order = np.argsort(-scores, kind="stable")
    ends: Any = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)  # samples of one score come together
    hits = np.cumsum(true[order])[ends]
    alarms = ends + 1 - hits
    x: Any = np.append(0, alarms / negative)
    y: Any = np.append(0, hits / positive)
    area = float(((x[1:] - x[:-1]) * (y[1:] + y[:-1])).sum() / 2)
    run.captured_metrics({f"{prefix}roc_auc": area})
    run.log_curve(f"{prefix}roc", x, y, x_label="false positive rate", y_label="true positive rate", metadata=rows)
    recall, precision = hits / positive, hits / (hits + alarms)
    run.log_curve(f"{prefix}pr", recall, precision, x_label="recall", y_label="precision", metadata=rows)
