"""Inside of what does something of scikit-learn happen: a fit, a cross-validation, a score that is being computed."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from autolog import current
from autolog.run import Run, innermost

__all__ = ["Open", "computing", "enclosing", "is_computing", "is_library", "opened"]


class Open:
    """A fit or cross-validation that is going on.

    Attributes:
        run: its child run.
        estimator: what is fitted.
        nested: class names of the fits inside; appended to from many threads.
        shared: whether joblib's threads may be working for it.
        details: what a nested call has told of it.
        live: what is on record of its folds and candidates while it goes on.
    """

    __slots__ = ("details", "estimator", "live", "nested", "run", "shared")

    def __init__(self, run: Run, estimator: Any) -> None:
        self.run = run
        self.estimator = estimator
        self.nested: list[str] = []
        self.shared = not _in_joblib_thread()
        self.details: dict[str, Any] = {}
        self.live: Any = None


opened: dict[str | None, Open] = {}
"""What is going on, by the id of its child run."""


def enclosing() -> Open | Run | None:
    """What a fit or a call that begins now is inside of, if it is: of ours, or another integration's fit."""
    run = innermost()
    while run is not None:
        if run.child_id in opened:
            return opened[run.child_id]
        if run.integration is not None:
            return run
        run = run.parent
    if not opened or not _in_joblib_thread():
        return None
    # joblib's worker threads have contexts of their own; what they fit belongs to the fit that started them.
    return next((one for one in reversed(list(opened.values())) if one.shared), None)


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


class _Computing(threading.local):
    depth = 0


_computing = _Computing()


@contextmanager
def computing() -> Iterator[None]:
    """A block in which scikit-learn (or autolog) computes a value: the calls inside are parts of it."""
    _computing.depth += 1
    try:
        yield
    finally:
        _computing.depth -= 1


def is_computing() -> bool:
    """Whether a call is a part of another: of a score, of a fit, of another framework's training."""
    return _computing.depth > 0 or current.fit_in_progress() is not None or enclosing() is not None


def is_library(kind: type) -> bool:
    """Whether a class is scikit-learn's own."""
    return kind.__module__.partition(".")[0] == "sklearn"
