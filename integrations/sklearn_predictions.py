"""Whose predictions are these: arrays that a fitted estimator has returned, known by identity, weakly referenced.

The methods are watched on the classes of estimators that have been fitted, and nowhere else; the program gets the very
array that scikit-learn made.
"""

from __future__ import annotations

import sys
from types import FunctionType
from typing import Any
from weakref import ReferenceType, ref

from autolog import current
from autolog.integrations.sklearn_names import argument_names, caller
from autolog.integrations.sklearn_owner import computing, is_computing, is_library
from autolog.patching import Call, Hook, HookFunction, Undo, patch
from autolog.run import Run

__all__ = ["Prediction", "fit_of", "fitted", "forget_all", "named", "remember", "trace"]


class Prediction:
    """What is known of an array.

    Attributes:
        run: the child run of the fit that made it possible.
        data: what the program calls the data that it is for.
        judged: what autolog has made of it already.
    """

    __slots__ = ("data", "judged", "run")

    def __init__(self, run: Run, data: str | None) -> None:
        self.run = run
        self.data = data
        self.judged: set[str] = set()


_fits: dict[int, tuple[ReferenceType[Any], Run]] = {}
"""Fitted estimators by id."""
_made: dict[int, tuple[ReferenceType[Any], Prediction]] = {}
"""Arrays by id."""
_watched: dict[Any, Undo] = {}
"""Watched methods by class and name."""
_seen: set[type] = set()


def fitted(estimator: Any, run: Run) -> None:
    """An estimator has been fitted: what it predicts from now on is this child run's."""
    for one in (estimator, getattr(estimator, "__dict__", {}).get("best_estimator_"), _last_step(estimator)):
        if one is not None:
            _keep(_fits, one, run)
            _watch(type(one))


def _last_step(estimator: Any) -> Any:
    steps = getattr(estimator, "__dict__", {}).get("steps")
    last = steps[-1] if isinstance(steps, list) and steps else None
    return last[1] if isinstance(last, tuple) and len(last) == 2 and hasattr(last[1], "get_params") else None


def fit_of(estimator: Any) -> Run | None:
    """The child run of an estimator's fit, if it was in this run of the process."""
    known = _fits.get(id(estimator))
    return known[1] if known is not None and known[0]() is estimator and known[1].recording else None


def remember(result: Any, run: Run, data: str | None) -> None:
    """These are predictions: an array, or a list or tuple of some."""
    if isinstance(result, (list, tuple)):
        for part in result[:100]:
            if hasattr(part, "shape"):
                remember(part, run, data)
        return
    known = Prediction(run, data)
    _keep(_made, result, known)
    base = getattr(result, "base", None)
    if base is not None and getattr(base, "size", None) == getattr(result, "size", -1):
        _keep(_made, base, known)  # a slice of a view has the view's own base


def trace(array: Any) -> Prediction | None:
    """Whose predictions an array is, or is a part of."""
    for _ in range(4):
        known = _made.get(id(array))
        if known is not None and known[0]() is array and known[1].run.recording:
            return known[1]
        array = getattr(array, "base", None)
        if array is None:
            break
    return None


def forget_all() -> None:
    """Leave the classes as they were."""
    for undo in _watched.values():
        undo()
    _watched.clear()
    _seen.clear()
    _fits.clear()
    _made.clear()


def _keep(known: dict[int, tuple[ReferenceType[Any], Any]], value: Any, what: Any) -> None:
    key = id(value)

    def gone(reference: ReferenceType[Any]) -> None:
        entry = known.get(key)
        if entry is not None and entry[0] is reference:
            del known[key]

    try:
        known[key] = (ref(value, gone), what)
    except TypeError:  # lists have no weak references
        return


def named(name: str, data: str | None) -> str:
    """``score`` of ``X_test`` is ``score_X_test``."""
    return f"{name}_{data}" if data else name


def _predicting(call: Call) -> Hook:
    result = yield
    run = fit_of(call.instance)
    if run is None or is_computing():
        return
    remember(result, run, argument_names(caller(sys._getframe(1))).of(0, "X"))  # noqa: SLF001  whose call it is


def _scoring(call: Call) -> Hook:
    outer = is_computing()
    with computing():
        result = yield
    run = fit_of(call.instance) or current.current_run()
    if outer or run is None:
        return
    data = argument_names(caller(sys._getframe(1))).of(0, "X")  # noqa: SLF001  whose call it is
    run.captured_metrics({named("score", data): result})


_METHODS: dict[str, HookFunction] = {
    **dict.fromkeys(
        ("predict", "predict_proba", "predict_log_proba", "decision_function", "score_samples"), _predicting
    ),
    "score": _scoring,
}


def _watch(kind: type) -> None:
    """Watch what the instances of a class predict; where a method is inherited, on the class that has it."""
    if kind in _seen:
        return
    _seen.add(kind)
    for name, hook in _METHODS.items():
        owner = next((base for base in kind.__mro__ if name in vars(base)), None)
        if owner is None or (owner, name) in _watched:
            continue
        method = vars(owner)[name]
        inside = getattr(method, "fn", None)  # of scikit-learn's `available_if`
        if isinstance(method, FunctionType):
            _watched[owner, name] = patch(owner, name, hook, by_value=not is_library(owner))
        elif isinstance(inside, FunctionType) and is_library(owner):
            _watched[owner, name] = patch(method, "fn", hook)
