"""How a fitted estimator does on what it was trained with: computed by autolog, and named so.

Only of estimators that :mod:`~autolog.integrations.sklearn_safe` lists, of at most 1,000 evenly spaced rows of plain
arrays and frames, and where there is time.
"""

from __future__ import annotations

import time
from typing import Any

from autolog.integrations import sklearn_judging as judging
from autolog.integrations import sklearn_safe
from autolog.integrations.sklearn_allowance import allowance
from autolog.integrations.sklearn_data import Data
from autolog.integrations.sklearn_owner import computing, is_library
from autolog.run import Run

__all__ = ["expected", "record"]

_ROWS = 1000
_PROBE = 64
_CLUSTERED = 300
_PREFIX = "autolog/training_"


def expected(estimator: Any, data: Data) -> float | None:
    """Seconds that :func:`record` takes, about; ``None`` where it may not or cannot be done."""
    if _labels(estimator) is not None:
        return 0.006 if _plain(data.given.get("X")) else None
    if not _plain(data.given.get("X")) or not _plain(data.given.get("y")):
        return None
    return sklearn_safe.expected(estimator)


def record(run: Run, estimator: Any, data: Data) -> None:
    """Write metrics, confusion matrix or residuals, ROC, and the fact ``training`` with the number of rows."""
    import numpy as np

    with computing(), np.errstate(all="ignore"):
        labels = _labels(estimator)
        if labels is not None:
            _clusters(run, data.given["X"], labels)
        elif (found := sklearn_safe.predictor(estimator)) is not None:
            _judge(run, found[0], data.given["X"], data.given["y"], quick=found[1])


def _plain(value: Any) -> bool:
    """Whether rows of it can be taken without any code of the program's."""
    kind = type(value)
    root = kind.__module__.partition(".")[0]
    if root in ("numpy", "pandas", "scipy"):
        return len(getattr(value, "shape", ())) in (1, 2) and value.shape[0] > 0
    return kind is list and bool(value) and isinstance(value[0], (int, float, str))


def _sample(value: Any, most: int) -> Any:
    """At most so many evenly spaced rows."""
    count = value.shape[0] if hasattr(value, "shape") else len(value)
    step = max(1, -(-count // most))
    if step == 1:
        return value
    if hasattr(value, "iloc"):
        return value.iloc[::step]
    return value.tocsr()[::step] if hasattr(value, "tocsr") else value[::step]


def _judge(run: Run, model: Any, x: Any, y: Any, *, quick: bool) -> None:
    from sklearn.base import is_classifier, is_regressor

    count = x.shape[0] if hasattr(x, "shape") else len(x)
    most = _ROWS if quick or count <= _PROBE else _affordable(model, x, count)
    sample, true = _sample(x, most), _sample(y, most)
    predicted = model.predict(sample)
    rows = {"rows": len(predicted), "of": count}
    if is_classifier(model):
        if (found := judging.counts(true, predicted)) is None:
            return
        run.captured_metrics(_named(judging.classification(found)))
        judging.log_counts(run, f"{_PREFIX}confusion_matrix", found, rows)
        _rank(run, model, sample, true, rows)
    elif is_regressor(model) and (values := judging.regression(true, predicted)):
        run.captured_metrics(_named(values))
        judging.log_residuals(run, f"{_PREFIX}residuals", true, predicted, rows)
    run.log_fact("training", rows)


def _affordable(model: Any, x: Any, count: int) -> int:
    """Rows that can be predicted in the time that is left, by what a few of them take."""
    few = _sample(x, _PROBE)
    begin = time.perf_counter()
    model.predict(few)
    each = (time.perf_counter() - begin) / _PROBE
    left = max(allowance.seconds, 0.0) / 2
    return max(_PROBE, min(_ROWS, count, int(left / max(each, 1e-9))))


def _named(values: dict[str, float]) -> dict[str, float]:
    return {f"{_PREFIX}{name}": value for name, value in values.items()}


def _rank(run: Run, model: Any, sample: Any, true: Any, rows: dict[str, int]) -> None:
    """ROC and precision-recall curve, of two classes, by what ``decision_function`` or ``predict_proba`` say."""
    import numpy as np

    classes = getattr(model, "classes_", None)
    if classes is None or len(classes) != 2:
        return
    if hasattr(model, "decision_function"):
        scores = model.decision_function(sample)
    elif hasattr(model, "predict_proba"):
        scores = model.predict_proba(sample)[:, 1]
    else:
        return
    judging.log_ranking(run, _PREFIX, np.asarray(true) == classes[1], scores, rows)


def _labels(estimator: Any) -> Any:
    """The clusters of a clusterer of scikit-learn's."""
    labels = vars(estimator).get("labels_")
    clusterer = is_library(type(estimator)) and type(estimator).__module__.startswith("sklearn.cluster")
    return labels if clusterer and getattr(labels, "ndim", 0) == 1 else None


def _clusters(run: Run, x: Any, labels: Any) -> None:
    """Sizes of the clusters, and the silhouette of at most 300 rows where nothing is noise."""
    import numpy as np
    from sklearn.metrics import silhouette_score

    names, sizes = np.unique(labels, return_counts=True)
    run.log_fact("clusters", dict(zip(map(str, names.tolist()[:1000]), sizes.tolist()[:1000], strict=True)))
    sample, some = _sample(x, _CLUSTERED), _sample(labels, _CLUSTERED)
    if getattr(x, "ndim", 0) == 2 and -1 not in names and 2 <= len(set(some.tolist())) < len(some):
        run.captured_metrics({f"{_PREFIX}silhouette": silhouette_score(sample, some)})
        run.log_fact("training", {"rows": len(some), "of": len(labels)})
