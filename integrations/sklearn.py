"""scikit-learn: each outermost fit is a child run; fits inside it (pipeline steps, candidates) are counted there.

Every ``fit``, ``partial_fit``, ``fit_transform`` … of scikit-learn's own estimators enters
``sklearn.base.config_context`` (a name that ``_fit_context`` looks up at each call), so one replaced function of one
module sees them all, and estimators pickle, clone and inspect as ever. Other classes' fits are
:mod:`~autolog.integrations.sklearn_classes`' matter.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable
from types import FrameType, ModuleType
from typing import Any, ClassVar

from autolog import guard
from autolog.captures import Captured
from autolog.imports import when_imported
from autolog.integrations import (
    sklearn_classes,
    sklearn_fits,
    sklearn_live,
    sklearn_metrics,
    sklearn_owner,
    sklearn_predictions,
    sklearn_series,
    sklearn_validation,
)
from autolog.integrations.sklearn_captures import CAPTURES
from autolog.integrations.sklearn_data import Data
from autolog.integrations.sklearn_names import argument_names
from autolog.patching import Call, Hook, Undo, patch
from autolog.plugins import at_end, in_forks

__all__ = ["SklearnIntegration", "integration"]


class SklearnIntegration:
    """Registered as ``sklearn``; switched on by the import of ``sklearn.base``."""

    name: ClassVar[str] = "sklearn"
    module: ClassVar[str] = "sklearn.base"
    distribution: ClassVar[str] = "scikit-learn"
    tested: ClassVar[tuple[str, str]] = ("1.3", "1.9")
    captures: ClassVar[tuple[Captured, ...]] = CAPTURES

    def install(self, module: ModuleType) -> Iterable[Undo]:
        """Patch ``sklearn.base``, and ``sklearn.metrics`` and ``sklearn.model_selection`` once they are imported.

        Raises:
            RuntimeError: this scikit-learn is older than 1.3, where fits share no common entry.
        """
        if not hasattr(module, "_fit_context"):
            raise RuntimeError("scikit-learn before 1.3 is not supported: its fits have no common entry")
        later = _Later()
        later.watch("sklearn.metrics", sklearn_metrics.install)
        later.watch("sklearn.model_selection", sklearn_validation.install)
        later.watch("sklearn.utils.parallel", sklearn_live.install)
        return [
            sklearn_predictions.forget_all,
            later.undo,
            patch(module, "config_context", _config_context),
            *sklearn_classes.install(module),
            at_end(sklearn_series.end_all),
            in_forks(sklearn_series.forget_all),
            in_forks(sklearn_owner.opened.clear),
        ]


integration = SklearnIntegration()


class _Later:
    """Patches of modules that may be imported later."""

    def __init__(self) -> None:
        self.undos: list[Undo] = []
        self.undone = False

    def watch(self, name: str, install: Any) -> None:
        def action(module: ModuleType) -> None:
            if not self.undone:
                self.undos.extend(install(module))

        when_imported(name, action, f"{name}.install")

    def undo(self) -> None:
        self.undone = True
        while self.undos:
            self.undos.pop()()


def _config_context(call: Call) -> Hook:
    """``with config_context(…)`` around the body of a fit: begin and end are those of the context manager."""
    del call
    manager = yield
    frame = _fit_frame()
    if frame is None:  # a version that enters it elsewhere too
        return
    local = frame.f_locals  # of scikit-learn's own frame
    estimator, method = local["estimator"], local["fit_method"]
    args, kwargs = local["args"], local["kwargs"]

    def told() -> tuple[str, Data]:
        name, outer = _called(frame, estimator, method.__name__)
        return name, Data(method, args, kwargs, argument_names(outer))

    fit = sklearn_fits.begin(estimator, told)
    if fit is not None:
        manager.gen = _around(manager.gen, fit)


def _fit_frame() -> FrameType | None:
    """The frame of ``_fit_context``'s wrapper, some frames of ours above."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  the only way to a caller's arguments
    for _ in range(6):
        if frame is None or (frame.f_globals.get("__name__") == "sklearn.base" and frame.f_code.co_name == "wrapper"):
            return frame
        frame = frame.f_back
    return None


def _called(frame: FrameType, estimator: Any, method: str) -> tuple[str, FrameType | None]:
    """The method the user called, and the frame that called it.

    ``StandardScaler.fit`` is ``partial_fit`` inside, ``fit_predict`` calls ``fit``: as long as the frames above are
    scikit-learn's and work for the same estimator, they are looked at.
    """
    outer = frame.f_back
    while outer is not None and str(outer.f_globals.get("__name__", "")).startswith("sklearn."):
        if not outer.f_code.co_argcount or outer.f_locals.get(outer.f_code.co_varnames[0]) is not estimator:
            break
        name = outer.f_code.co_name
        if "fit" in name and hasattr(type(estimator), name):
            method = name
        outer = outer.f_back
    return method, outer


def _around(inner: Generator[Any], fit: sklearn_fits.Fit) -> Generator[Any]:
    """End the child run when scikit-learn's own context ends."""
    try:
        yield from inner
    except BaseException as error:
        with guard.guard("sklearn.fit.end"):
            sklearn_fits.end(fit, error)
        raise
    with guard.guard("sklearn.fit.end"):
        sklearn_fits.end(fit, None)
