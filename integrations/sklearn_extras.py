"""What is recorded of a fit where there is time: values autolog computes itself, importances, the picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autolog.integrations import sklearn_features, sklearn_training, sklearn_weights
from autolog.integrations.sklearn_allowance import allowance
from autolog.integrations.sklearn_data import Data
from autolog.run import Run

__all__ = ["record", "record_diagram"]

_EACH = 0.008
"""Seconds that scikit-learn takes for the picture of one estimator, about."""
_RESERVE = 0.03


def record(run: Run, estimator: Any, data: Data) -> list[str]:
    """Write the extras that can be paid.

    Returns:
        What has been left out because there was no time for it.
    """
    kind = type(estimator).__name__
    extras: list[tuple[str, str, float | None, Callable[[], object]]] = [
        (
            "feature importances",
            f"importances {kind}",
            sklearn_features.expected(estimator),
            lambda: sklearn_features.record(run, estimator),
        ),
        (
            "training values",
            f"training {kind}",
            sklearn_training.expected(estimator, data),
            lambda: sklearn_training.record(run, estimator, data),
        ),
        (
            "weights",
            f"weights {kind}",
            sklearn_weights.expected(estimator),
            lambda: sklearn_weights.record(run, estimator),
        ),
    ]
    left_out = []
    for what, account, expected, write in extras:
        if expected is None:  # there is none of it for this estimator
            continue
        if allowance.affords(account, expected):
            with allowance.paying(account):
                write()
        else:
            left_out.append(what)
    return left_out


def record_diagram(run: Run, estimator: Any, params: dict[str, Any]) -> bool:
    """Store scikit-learn's picture of an estimator that has not been fitted; of a fitted one there is none.

    It shows fitted attributes by their ``repr``, which leaves a trace: a masked array then keeps its fill value.

    Args:
        run: takes it.
        estimator: what is about to be fitted.
        params: its parameters, nested ones included.

    Returns:
        Whether there was time for it.
    """
    parts = [estimator, *(value for value in params.values() if hasattr(value, "get_params"))]
    if not params or any(name.endswith("_") for part in parts for name in getattr(part, "__dict__", ())):
        return True
    account = f"diagram of {len(parts)}"
    if not allowance.affords(account, _EACH * len(parts), reserve=_RESERVE):
        return False
    with allowance.paying(account):
        html = _diagram(estimator)
        if html is not None:
            run.log_html("estimator", html)
    return True


def _diagram(estimator: Any) -> str | None:
    """The picture. scikit-learn's counters are put back: the program's next picture has the number it would have."""
    from sklearn.utils import estimator_html_repr

    counters = [
        counter
        for name in ("_CONTAINER_ID_COUNTER", "_ESTIMATOR_ID_COUNTER")
        if (counter := estimator_html_repr.__globals__.get(name)) is not None
    ]
    before = [counter.count for counter in counters]
    try:
        return str(estimator_html_repr(estimator))
    except Exception:  # of a parameter's own code
        return None
    finally:
        for counter, count in zip(counters, before, strict=True):
            counter.count = count
