"""Begin and end of a fit: the child run of the outermost one, the count of those inside, series on one object."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from autolog import current, guard, patching
from autolog.integrations import sklearn_extras, sklearn_predictions, sklearn_results
from autolog.integrations.sklearn_allowance import allowance
from autolog.integrations.sklearn_data import Data
from autolog.integrations.sklearn_owner import Open, enclosing, is_computing, opened
from autolog.integrations.sklearn_series import Series, end_series, series_of
from autolog.run import Run, activate, deactivate

__all__ = ["Fit", "admitting", "begin", "end", "parameters", "without_estimators"]

_SEQUENCES = ("sklearn.pipeline", "sklearn.compose.")
"""Where the classes are from that fit each of their parts once: a search fits them many times."""


class Fit(Open):
    """An outermost fit that is going on."""

    __slots__ = ("data", "method", "series", "started")

    def __init__(self, run: Run, estimator: Any, method: str, data: Data) -> None:
        super().__init__(run, estimator)
        self.method = method
        self.data = data
        self.series: Series | None = None
        self.started = time.perf_counter()


def begin(estimator: Any, told: Callable[[], tuple[str, Data]], *, foreign: bool = False) -> Fit | None:
    """A fit begins. One inside another is counted there.

    Args:
        estimator: what is fitted.
        told: gives the method's name and what it got; only called for an outermost fit.
        foreign: the class is not scikit-learn's. What another framework trains inside of it, that framework's
            integration reports.

    Returns:
        The outermost fit, ``None`` for one inside another.
    """
    outer = enclosing()
    if outer is not None:
        if isinstance(outer, Open) and outer.estimator is not estimator:
            outer.nested.append(type(estimator).__name__)
        return None
    if is_computing():  # `log_loss` fits a LabelBinarizer
        return None
    method, data = told()
    series = series_of(estimator, method)
    run = series.run if series is not None else _open(estimator)
    if foreign:
        run.integration = None
    fit = Fit(run, estimator, method, data)
    fit.series = series
    opened[run.child_id] = fit
    params = parameters(estimator)
    with guard.guard("sklearn.params"):
        _log_params(fit, params)
    if series is None or series.calls == 0:
        with guard.guard("sklearn.data"):
            run.log_fact("data", data.described())
        with guard.guard("sklearn.diagram"):
            if not sklearn_extras.record_diagram(run, estimator, params):
                data.left_out.append("diagram")
    activate(run)
    fit.started = time.perf_counter()
    return fit


@contextmanager
def admitting(fit: Fit | None) -> Iterator[None]:
    """Around the fit of a class that is not scikit-learn's: as a step of a pipeline it may train a network.

    What another framework trains there is a child run of the pipeline's fit.
    """
    outer = enclosing() if fit is None else None
    if not isinstance(outer, Open) or not type(outer.estimator).__module__.startswith(_SEQUENCES):
        yield
        return
    kept, outer.run.integration = outer.run.integration, None
    try:
        yield
    finally:
        outer.run.integration = kept


def _open(estimator: Any) -> Run:
    return current.ensure_run().open_child(type(estimator).__name__, "fit", "sklearn")


def parameters(estimator: Any) -> dict[str, Any]:
    """The parameters of the whole nested estimator; none where its own code cannot tell them."""
    try:
        return dict(estimator.get_params(deep=True))
    except Exception:  # a class where an instance belongs, say: scikit-learn will say so, or the program has its way
        return {}


def without_estimators(value: Any) -> Any:
    """A parameter with the class names of estimators in their places: their own parameters are on record as well.

    scikit-learn's ``repr`` of a nested estimator takes milliseconds.
    """
    if type(value) in (list, tuple) and len(value) <= 1000:
        return [without_estimators(part) for part in value]
    return type(value).__name__ if hasattr(value, "get_params") and not isinstance(value, type) else value


def _log_params(fit: Fit, values: dict[str, Any]) -> None:
    """All parameters; of a later fit of a series those that have changed."""
    if fit.series is not None:
        values = fit.series.changed(values)
    if values:
        fit.run.log_params({name: without_estimators(value) for name, value in values.items()}, "sklearn")


def end(fit: Fit, error: BaseException | None) -> None:
    """A fit has ended; it may have failed."""
    seconds = time.perf_counter() - fit.started
    deactivate(fit.run)
    opened.pop(fit.run.child_id, None)
    if patching.is_silent():  # forked while it fitted: the parent reports
        return
    with guard.guard("sklearn.fit.end"):
        kind = type(fit.estimator)
        told: dict[str, Any] = {
            "estimator": f"{kind.__module__}.{kind.__qualname__}",
            "method": fit.method,
            "duration_s": seconds,
        }
        if fit.nested:
            told["nested"] = dict(Counter(fit.nested))
        allowance.earn(seconds)
        try:
            if error is None:
                _results(fit, told)
        finally:
            if error is not None and fit.live is not None:
                fit.live.abandon(error)
            if fit.series is None or error is not None:
                _close(fit, told, error)
            else:
                fit.series.took(told, seconds)


def _results(fit: Fit, told: dict[str, Any]) -> None:
    estimator, run, series = fit.estimator, fit.run, fit.series
    if series is not None:
        series.calls += 1
        run.step = series.calls
    told |= sklearn_results.attributes(estimator)
    sklearn_results.record(run, estimator, {} if series is None else series.recorded, fit.live)
    sklearn_predictions.fitted(estimator, run)
    labels = vars(estimator).get("labels_")
    if labels is not None:
        sklearn_predictions.remember(labels, run, fit.data.variable("X"))
    if series is None or series.is_telling(fit.method):
        left_out = [*fit.data.left_out, *sklearn_extras.record(run, estimator, fit.data)]
        if left_out:
            told["left_out"] = left_out


def _close(fit: Fit, told: dict[str, Any], error: BaseException | None) -> None:
    if fit.series is not None:
        end_series(fit.series, error)
        return
    fit.run.log_fact("fit", told)
    fit.run.close_child(error)
