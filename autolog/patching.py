"""The only code that replaces a foreign function, and takes the replacement back.

A hook is a generator with one ``yield``::

    def fit(call: Call) -> Hook:
        ...             # before: read call.args and call.kwargs, or replace them by copies
        result = yield  # autolog calls the original here, exactly once
        ...             # after

The hook never calls the original. An error of the hook's own is reported through :mod:`autolog.guard`, and the
original still gets the user's arguments. An error of the original is thrown into the hook at its ``yield``, so that
``with`` blocks there see it, and then passes to the caller unchanged.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import CellType
from typing import Any, TypeAlias

from autolog import guard

__all__ = [
    "Call",
    "Hook",
    "HookFunction",
    "Undo",
    "all_or_nothing",
    "is_silent",
    "original",
    "patch",
    "patch_closure",
    "silence",
    "undo_with",
]

Hook: TypeAlias = "Generator[None, Any, None]"
HookFunction: TypeAlias = "Callable[[Call], Hook]"
Undo: TypeAlias = Callable[[], None]

_ABSENT = object()
_ORIGINAL = "__autolog_original__"
_silent = False
"""Set in workers of a fit and in ranks: another process reports, they only compute."""


_attempt: ContextVar[list[Undo] | None] = ContextVar("autolog_patching", default=None)


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """A block that patches: if it raises, every patch made in it is taken back, the last one first."""
    undos: list[Undo] = []
    token = _attempt.set(undos)
    try:
        yield
    except BaseException:
        for undo in reversed(undos):
            with guard.guard("patching.undo"):
                undo()
        raise
    finally:
        _attempt.reset(token)


def undo_with(undo: Undo) -> Undo:
    """Have ``undo`` called if the :func:`all_or_nothing` around this call fails; ``patch`` does so for its own.

    Args:
        undo: what takes back something that is no patch, such as a hook registered with a framework.

    Returns:
        ``undo``.
    """
    undos = _attempt.get()
    if undos is not None and undo not in undos:
        undos.append(undo)
    return undo


def silence(asleep: bool = True) -> None:
    """Put every hook of this process to sleep, or wake them: whether another process reports what this one does."""
    global _silent  # noqa: PLW0603  a fact about the process
    _silent = asleep


def is_silent() -> bool:
    """Whether hooks of this process sleep; callbacks that live on in a forked child ask too. Tasks can differ in it."""
    return _silent


class Call:
    """One call of a patched function: the original, and the arguments it is going to get."""

    __slots__ = ("args", "function", "kwargs")

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs

    @property
    def instance(self) -> Any:
        """The object a patched method was called on."""
        return self.args[0]

    def argument(self, name: str, default: Any = None) -> Any:
        """The argument ``name`` however it was passed; ``default`` where it was not."""
        if name in self.kwargs:
            return self.kwargs[name]
        try:
            bound = inspect.signature(self.function).bind_partial(*self.args, **self.kwargs)
        except TypeError:  # the call is wrong: the original will say so
            return default
        return bound.arguments.get(name, default)


def original(function: Any) -> Any:
    """The function that ``patch`` replaced, or ``function`` itself where it is not ours."""
    return getattr(function, _ORIGINAL, function)


def patch(
    owner: Any,
    name: str,
    hook: HookFunction,
    *,
    awake: bool = False,
    by_value: bool = False,
    unless: Callable[[], bool] | None = None,
) -> Undo:
    """Replace ``owner.name`` (a function of a module, or a method of a class) by one that runs ``hook`` around it.

    The replacement is a plain function: signature, docstring, name, pickling by name, ``copy`` and ``inspect`` stay.
    ``staticmethod`` and ``classmethod`` stay what they are (the hook then sees what the function inside gets).

    Args:
        owner: the module, class or object that holds the attribute.
        name: the attribute, or a path below ``owner`` such as ``Trainer._run``.
        hook: see the module's text.
        awake: the hook runs in ranks and workers too, where the others sleep.
        by_value: ``owner`` is a class of the program's, which cloudpickle (joblib's workers) may pickle by value: what
            is pickled then is the original, with no word of autolog.
        unless: the original is called directly where this says so, such as while a compiler traces the call.

    Returns:
        A function that puts back the identical object. If someone has replaced the attribute since, that stays, and
        our hook inside it goes to sleep.

    Raises:
        AttributeError: ``owner`` has no such attribute.
    """
    if "." in name:
        from wrapt import resolve_path  # late: see autolog.imports

        owner, name, _ = resolve_path(owner, name)
    holder = vars(owner)
    kept = holder.get(name, _ABSENT)
    raw = inspect.getattr_static(owner, name) if kept is _ABSENT else kept
    kind = type(raw) if isinstance(raw, (staticmethod, classmethod)) else None
    function = raw.__func__ if kind is not None else raw
    wrapper, sleep = _wrapper(function, f"{getattr(owner, '__name__', owner)}.{name}", hook, awake=awake, unless=unless)
    replacement: Any = kind(wrapper) if kind is not None else _ByValue(wrapper, function) if by_value else wrapper
    setattr(owner, name, replacement)

    def undo() -> None:
        sleep()
        if vars(owner).get(name, _ABSENT) is not replacement:
            return
        if kept is _ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, kept)

    return undo_with(undo)


def patch_closure(function: Any, variable: str, hook: HookFunction) -> Undo:
    """Run ``hook`` around the function that ``function`` keeps in its closure: what its decorator has wrapped.

    ``function`` stays the identical object, so that this reaches those who have imported it by name before.

    Args:
        function: what the decorator returned.
        variable: the decorator's name for the function inside.
        hook: see the module's text.

    Returns:
        A function that puts back what was there.

    Raises:
        AttributeError: there is no function of that name in its closure.
    """
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    if variable not in names:
        raise AttributeError(f"{function!r} has no {variable!r} in its closure")
    cell: CellType = function.__closure__[names.index(variable)]
    kept = cell.cell_contents
    wrapper, sleep = _wrapper(kept, f"{function.__module__}.{function.__qualname__}", hook, awake=False)
    cell.cell_contents = wrapper

    def undo() -> None:
        sleep()
        if cell.cell_contents is wrapper:
            cell.cell_contents = kept

    return undo_with(undo)


class _ByValue:
    """A replaced method in the dictionary of a class: used, it is the wrapper; pickled, it is the original."""

    __slots__ = ("function", "wrapper")

    def __init__(self, wrapper: Callable[..., Any], function: Callable[..., Any]) -> None:
        self.wrapper = wrapper
        self.function = function

    def __get__(self, instance: Any, owner: type) -> Any:
        return self.wrapper.__get__(instance, owner)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "wrapper"), name)

    def __reduce__(self) -> tuple[Callable[[Any], Any], tuple[Callable[..., Any]]]:
        return copy.copy, (self.function,)  # which gives a function back as it is


def _wrapper(
    function: Callable[..., Any],
    where: str,
    hook: HookFunction,
    *,
    awake: bool,
    unless: Callable[[], bool] | None = None,
) -> tuple[Callable[..., Any], Undo]:
    undone = False

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if undone or (unless is not None and unless()) or (_silent and not awake):
            return function(*args, **kwargs)
        call = Call(function, args, kwargs)
        steps = _begin(hook, call, where)
        if steps is None:
            call.args, call.kwargs = args, kwargs
        try:
            result = function(*call.args, **call.kwargs)
        except BaseException as error:
            if steps is not None:
                _throw(steps, where, error)
            raise
        if steps is not None:
            _send(steps, where, result)
        return result

    # `functools.wraps` leaves what inspect.getfullargspec reads to the wrapper itself.
    try:
        signature = inspect.signature(function)
        # A function that is itself a wrapper shows getfullargspec its own (*args, **kwargs): so does ours, then.
        if signature == inspect.signature(function, follow_wrapped=False):
            setattr(wrapper, "__signature__", signature)  # noqa: B010  mypy knows no such attribute
    except (TypeError, ValueError):  # builtins without a signature have none afterwards either
        delattr(wrapper, "__wrapped__")
    setattr(wrapper, _ORIGINAL, function)

    def sleep() -> None:
        nonlocal undone
        undone = True

    return wrapper, sleep


def _begin(hook: HookFunction, call: Call, where: str) -> Hook | None:
    try:
        steps = hook(call)
        next(steps)
    except Exception as error:
        stopped = isinstance(error, StopIteration)
        guard.report(where, RuntimeError("the hook did not yield") if stopped else error)
        return None
    return steps


def _send(steps: Hook, where: str, result: Any) -> None:
    try:
        steps.send(result)
    except StopIteration:
        return
    except Exception as error:
        guard.report(where, error)
        return
    _yielded_twice(steps, where)


def _throw(steps: Hook, where: str, error: BaseException) -> None:
    """Let the hook see the host's error, and leave that error exactly as it was."""
    traceback, context, cause = error.__traceback__, error.__context__, error.__cause__
    suppress = error.__suppress_context__
    try:
        steps.throw(error)
    except BaseException as seen:
        if seen is not error and not isinstance(seen, StopIteration):
            guard.report(where, seen)
    else:
        _yielded_twice(steps, where)
    finally:
        error.__traceback__, error.__context__, error.__cause__ = traceback, context, cause
        error.__suppress_context__ = suppress


def _yielded_twice(steps: Hook, where: str) -> None:
    steps.close()
    guard.report(where, RuntimeError("a hook has exactly one yield; this one yielded twice"))
