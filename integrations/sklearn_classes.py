"""Estimators that are not scikit-learn's: their ``fit`` is watched on the class that defines it.

A class made later is seen when it is made (scikit-learn's base class is told of every subclass), one made earlier is
looked up. Pickled by value, as joblib does with classes of a script, it holds the program's own function.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from autolog import patching
from autolog.integrations import sklearn_fits
from autolog.integrations.sklearn_data import Data
from autolog.integrations.sklearn_names import argument_names, caller
from autolog.integrations.sklearn_owner import is_library
from autolog.patching import Call, Hook, Undo, patch

__all__ = ["install"]

_METHODS = ("fit", "partial_fit", "fit_transform", "fit_predict")
_WRAPPED = ("fit_transform",)
_undos: list[Undo] = []


def install(module: ModuleType) -> list[Undo]:
    """Watch all subclasses of ``BaseEstimator`` that are not scikit-learn's.

    Args:
        module: ``sklearn.base``.
    """
    base, transformer = module.BaseEstimator, module.TransformerMixin
    owner, wrapping = _told_of_subclasses(base), _told_of_subclasses(transformer)

    def made(call: Call) -> Hook:
        yield
        if issubclass(call.instance, base):
            later = _WRAPPED if issubclass(call.instance, wrapping) else ()
            _watch(call.instance, [name for name in _METHODS if name not in later])

    def wrapped(call: Call) -> Hook:  # scikit-learn has put its own wrapper around them only now
        yield
        if issubclass(call.instance, base):
            _watch(call.instance, _WRAPPED)

    undos = [patch(owner, "__init_subclass__", made), patch(wrapping, "__init_subclass__", wrapped), _forget]
    for kind in _subclasses(base):
        _watch(kind, _METHODS)
    return undos


def _told_of_subclasses(kind: type) -> type:
    """The class above ``kind`` that is told of new subclasses first."""
    return next((above for above in kind.__mro__ if "__init_subclass__" in vars(above)), kind)


def _forget() -> None:
    while _undos:
        _undos.pop()()


def _subclasses(kind: type) -> Iterator[type]:
    seen: set[type] = set()
    waiting: list[type] = [kind]
    below: type
    while waiting:
        for below in type.__subclasses__(waiting.pop()):
            if below not in seen:
                seen.add(below)
                waiting.append(below)
                yield below


def _watch(kind: type, names: Iterable[str]) -> None:
    if is_library(kind):
        return
    for name in names:
        method = vars(kind).get(name)
        if isinstance(method, FunctionType) and not _is_seen(method):
            _undos.append(patch(kind, name, _fitting, by_value=True))


def _is_seen(method: FunctionType) -> bool:
    """Whether a method is abstract, or a fit that scikit-learn's own decorator shows."""
    if getattr(method, "__isabstractmethod__", False):
        return True
    return "fit_method" in method.__code__.co_freevars and method.__globals__.get("__name__") == "sklearn.base"


def _fitting(call: Call) -> Hook:
    def told() -> tuple[str, Data]:
        names = argument_names(caller(sys._getframe(1)))  # noqa: SLF001  whose call it is
        return call.function.__name__, Data(call.function, call.args[1:], call.kwargs, names)

    fit: Any = None
    if not patching.is_silent():  # in a worker that got this class by value
        fit = sklearn_fits.begin(call.instance, told, foreign=True)
    try:
        with sklearn_fits.admitting(fit):
            yield
    except BaseException as error:
        if fit is not None:
            sklearn_fits.end(fit, error)
        raise
    if fit is not None:
        sklearn_fits.end(fit, None)
