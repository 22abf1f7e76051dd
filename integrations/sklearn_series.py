"""Fits that go on with an object: calls of ``partial_fit``, fits with ``warm_start``. They are one child run.

Its step is the number of the call. It ends with the run, with the object, or with a fit that begins anew.
"""

from __future__ import annotations

from typing import Any
from weakref import ref

from autolog import current, guard
from autolog.run import Run

__all__ = ["Series", "end_all", "end_series", "forget_all", "series_of"]

_KEPT = 10_000
"""Most objects whose series are told apart."""


class Series:
    """Fits of one object.

    Attributes:
        run: their child run.
        parent: the run they were made in.
        calls: how many have succeeded.
        recorded: how many values of each curve are on record.
    """

    __slots__ = ("calls", "estimator", "params", "parent", "recorded", "run", "seconds", "told", "written")

    def __init__(self, estimator: Any, parent: Run) -> None:
        self.estimator = ref(estimator)
        self.parent = parent
        self.run = parent.open_child(type(estimator).__name__, "fit", "sklearn")
        self.calls = 0
        self.seconds = 0.0
        self.told: dict[str, Any] = {}
        self.written = 0
        self.recorded: dict[str, int] = {}
        self.params: dict[str, Any] = {}

    def changed(self, params: dict[str, Any]) -> dict[str, Any]:
        """The parameters that are not what they were at the last call."""
        before, self.params = self.params, {name: _plain(value) for name, value in params.items()}
        return {name: value for name, value in params.items() if name not in before or before[name] != _plain(value)}

    def is_telling(self, method: str) -> bool:
        """Whether more is told of this call: of each fit, and of the 1st, 2nd, 4th, 8th … ``partial_fit``."""
        return method != "partial_fit" or self.calls & (self.calls - 1) == 0

    def took(self, told: dict[str, Any], seconds: float) -> None:
        """A call has succeeded. What is known is written at the calls that are told of, and at the end."""
        self.seconds += seconds
        self.told |= told
        if self.is_telling(told["method"]):
            self.write()

    def write(self) -> None:
        """Put on record what is known of the calls so far."""
        if self.told and self.written != self.calls:
            self.written = self.calls
            self.run.log_fact("fit", {**self.told, "calls": self.calls, "duration_s": self.seconds})


_series: dict[int, Series] = {}


def _plain(value: Any) -> Any:
    """What can be compared with an earlier value: objects by identity, never by a method of theirs."""
    return value if isinstance(value, (bool, int, float, str, type(None))) else id(value)


def series_of(estimator: Any, method: str) -> Series | None:
    """The series a call belongs to, or begins; ``None`` for a fit of its own."""
    _end_dead()
    known = _series.get(id(estimator))
    goes_on = method == "partial_fit" or vars(estimator).get("warm_start") is True
    parent = current.ensure_run()
    if known is not None and (not goes_on or known.run.ended or not known.run.recording or known.parent is not parent):
        end_series(known, None)
        known = None
    if goes_on and known is None and len(_series) < _KEPT:
        known = _series[id(estimator)] = Series(estimator, parent)
    return known


def end_series(series: Series, error: BaseException | None) -> None:
    """No call of this series will come any more."""
    for key, one in list(_series.items()):
        if one is series:
            del _series[key]
    if series.run.recording:
        series.write()
        series.run.close_child(error)


def _end_dead() -> None:
    for series in [one for one in _series.values() if one.estimator() is None]:
        end_series(series, None)


def forget_all() -> None:
    """In a forked child: the series of its parent go on there."""
    _series.clear()


def end_all() -> None:
    """The run ends."""
    for series in list(_series.values()):
        with guard.guard("sklearn.series"):
            end_series(series, None)
