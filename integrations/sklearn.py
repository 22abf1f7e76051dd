"""scikit-learn: each outermost fit is a child run; fits inside it (pipeline steps, candidates) are counted there.

Every ``fit``, ``partial_fit``, ``fit_transform`` … of scikit-learn's own estimators enters
``sklearn.base.config_context`` (a name that ``_fit_context`` looks up at each call), so one replaced function of one
module sees them all: no class is touched, and estimators pickle, clone and inspect as ever. A class outside
scikit-learn that overrides ``fit`` is seen through the scikit-learn fits inside it. ``score`` and ``predict`` are
never called.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterable
from types import FrameType, ModuleType
from typing import Any, ClassVar, NamedTuple

from autolog import current, guard, patching
from autolog.integrations import sklearn_results
from autolog.integrations.shapes import describe
from autolog.patching import Call, Hook, Undo, patch
from autolog.run import Run, activate, deactivate

__all__ = ["SklearnIntegration", "integration"]


class SklearnIntegration:
    """Registered as ``sklearn``; switched on by the import of ``sklearn.base``."""

    name: ClassVar[str] = "sklearn"
    module: ClassVar[str] = "sklearn.base"
    distribution: ClassVar[str] = "scikit-learn"
    tested: ClassVar[tuple[str, str]] = ("1.3", "1.9")

    def install(self, module: ModuleType) -> Iterable[Undo]:
        """Patch ``sklearn.base``.

        Raises:
            RuntimeError: this scikit-learn is older than 1.3, where fits share no common entry.
        """
        if not hasattr(module, "_fit_context"):
            raise RuntimeError("scikit-learn before 1.3 is not supported: its fits have no common entry")
        return [patch(module, "config_context", _config_context)]


integration = SklearnIntegration()


class _Fit:
    """An outermost fit that is going on."""

    __slots__ = ("child", "estimator", "method", "nested", "shared", "started")

    def __init__(self, estimator: Any, method: str, child: Run) -> None:
        self.estimator = estimator
        self.method = method
        self.child = child
        self.nested: list[str] = []
        """Class names of the fits inside; appended to from many threads."""
        self.shared = not _in_joblib_thread()
        """Whether joblib's threads may be working for it."""
        self.started = time.perf_counter()


class _Data(NamedTuple):
    """What a fit got."""

    method: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def described(self) -> dict[str, Any]:
        """Shapes of ``X``, ``y``, ``sample_weight`` …, by the names the method gives its arguments."""
        names = self.method.__code__.co_varnames[1 : 1 + len(self.args)]
        given = {**dict(zip(names, self.args, strict=False)), **self.kwargs}
        return {name: describe(value) for name, value in given.items() if value is not None}


_open: dict[str | None, _Fit] = {}
"""Outermost fits by the id of their child run."""


def _config_context(call: Call) -> Hook:
    """``with config_context(…)`` around the body of a fit: begin and end are those of the context manager."""
    del call
    manager = yield
    frame = _fit_frame()
    if frame is None:  # a version that enters it elsewhere too
        return
    local = frame.f_locals
    estimator, method = local["estimator"], local["fit_method"]
    owner = _owner()
    if owner is None:
        data = _Data(method, local["args"], local["kwargs"])
        manager.gen = _around(manager.gen, estimator, _called(frame, estimator, method.__name__), data)
    elif owner in _open:
        _open[owner].nested.append(type(estimator).__name__)


def _fit_frame() -> FrameType | None:
    """The frame of ``_fit_context``'s wrapper, some frames of ours above."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  the only way to a caller's arguments
    for _ in range(6):
        if frame is None or (frame.f_globals.get("__name__") == "sklearn.base" and frame.f_code.co_name == "wrapper"):
            return frame
        frame = frame.f_back
    return None


def _owner() -> str | None:
    """Id of the child run that a fit beginning now is nested in; ``None`` where it is an outermost one."""
    run = current.fit_in_progress()
    if run is not None:
        return run.child_id
    if not _open or not _in_joblib_thread():
        return None
    # joblib's worker threads have contexts of their own; what they fit belongs to the fit that started them.
    shared = [name for name, fit in list(_open.items()) if fit.shared]
    return shared[-1] if shared else None


def _in_joblib_thread() -> bool:
    """Whether this is a worker thread of joblib: a thread pool's worker that runs joblib's code."""
    if threading.current_thread() is threading.main_thread():
        return False
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  what a thread is for is only known from its frames
    joblib = False
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if joblib and module == "multiprocessing.pool":
            return True
        joblib = joblib or module.startswith("joblib.")
        frame = frame.f_back
    return False


def _called(frame: FrameType, estimator: Any, method: str) -> str:
    """The method the user called: ``StandardScaler.fit`` is ``partial_fit`` inside, ``fit_predict`` calls ``fit``."""
    outer = frame.f_back
    while outer is not None and outer.f_code.co_argcount:
        if outer.f_locals.get(outer.f_code.co_varnames[0]) is not estimator:
            break
        name = outer.f_code.co_name
        if "fit" in name and hasattr(type(estimator), name):  # and no function of the user's that takes the estimator
            method = name
        outer = outer.f_back
    return method


def _around(inner: Generator[Any], estimator: Any, method: str, data: _Data) -> Generator[Any]:
    """Begin and end a child run around scikit-learn's own context."""
    fit = None
    with guard.guard("sklearn.fit.begin"):
        fit = _begin(estimator, method, data)
        activate(fit.child)
    del data
    try:
        yield from inner
    except BaseException as error:
        if fit is not None:
            deactivate(fit.child)
            _end(fit, error)
        raise
    if fit is not None:
        deactivate(fit.child)
        _end(fit, None)


def _begin(estimator: Any, method: str, data: _Data) -> _Fit:
    child = current.ensure_run().open_child(type(estimator).__name__, "fit", "sklearn")
    fit = _open[child.child_id] = _Fit(estimator, method, child)
    with guard.guard("sklearn.params"):
        child.log_params(estimator.get_params(deep=True), "sklearn")
    with guard.guard("sklearn.data"):
        child.log_fact("data", data.described())
    fit.started = time.perf_counter()
    return fit


def _end(fit: _Fit, error: BaseException | None) -> None:
    seconds = time.perf_counter() - fit.started
    _open.pop(fit.child.child_id, None)
    if patching.is_silent():  # forked while it fitted: the parent reports
        return
    with guard.guard("sklearn.fit.end"):
        told: dict[str, Any] = {
            "estimator": f"{type(fit.estimator).__module__}.{type(fit.estimator).__qualname__}",
            "method": fit.method,
            "duration_s": seconds,
        }
        if fit.nested:
            told["nested"] = dict(Counter(fit.nested))
        try:
            if error is None:
                told |= sklearn_results.attributes(fit.estimator)
                sklearn_results.record(fit.child, fit.estimator)
        finally:
            fit.child.log_fact("fit", told)
            fit.child.close_child(error)
