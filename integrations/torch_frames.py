"""The program's own frames above a call into torch, and what their variables hold, read without leaving a trace."""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from types import CodeType, FrameType
from typing import Any

__all__ = ["all_variables", "named_variables", "user_frame", "user_frames", "variables"]

_LIBRARIES = {
    "torch", "autolog", "accelerate", "deepspeed", "lightning", "lightning_fabric", "pytorch_lightning", "transformers",
    "contextlib", "functools",
}  # fmt: skip
_FRAMES = 64
_FRAME = {"_getframe", "currentframe"}
_LOCALS = {"locals", "eval", "exec"}
_LOCALS_ALONE = {"vars", "dir"}
"""These give the caller's locals where they are called without an argument; ``vars(args)`` is something else."""
_VARIABLE = ("LOAD_GLOBAL", "LOAD_NAME")
_BETWEEN = ("CACHE", "PUSH_NULL", "PRECALL", "EXTENDED_ARG")
_IS_FUNCTION = 1
"""``CO_OPTIMIZED``; elsewhere ``f_locals`` is the namespace itself."""
_library: dict[str, bool] = {}
_untouchable: dict[int, tuple[CodeType, bool]] = {}
"""By id of code (kept, so that its id stays its own): whether the program may hold the dictionary of its locals."""


def user_frame(frame: FrameType | None) -> FrameType | None:
    """The nearest frame at or above ``frame`` that is the program's own; ``None`` where all are libraries'."""
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        known = _library.get(name) if type(name) is str else False
        if known is None:
            known = _library[name] = name.partition(".")[0] in _LIBRARIES
        if not known:
            return frame
        frame = frame.f_back
    return None


def user_frames(frame: FrameType | None) -> Iterator[FrameType]:
    """The program's own frames from ``frame`` upwards, nearest first."""
    for _ in range(_FRAMES):
        frame = user_frame(frame)
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def variables(frame: FrameType, names: Iterable[str]) -> dict[str, Any]:
    """Values of these variables of a frame, as far as they are there.

    Before Python 3.13 ``frame.f_locals`` of a function rewrites the dictionary that the program's own ``locals()``
    returned, and would keep alive what the program deletes: such functions are left alone, and the rest is cleared.
    """
    code = frame.f_code
    if code.co_flags & _IS_FUNCTION and sys.version_info < (3, 13):
        if _is_untouchable(code):
            return {}
        snapshot: Any = frame.f_locals
        found = {name: snapshot[name] for name in names if name in snapshot}
        snapshot.clear()
        return found
    held: Any = frame.f_locals
    if not code.co_flags & _IS_FUNCTION and type(held) is not dict:
        return {}  # a namespace of the program's own making: looking something up would run its code
    return {name: held[name] for name in names if name in held}


def all_variables(frame: FrameType) -> list[Any]:
    """The values of all variables of a frame; see :func:`variables`."""
    return list(named_variables(frame).values())


def named_variables(frame: FrameType) -> dict[str, Any]:
    """All variables of a frame; see :func:`variables`."""
    code = frame.f_code
    if code.co_flags & _IS_FUNCTION and sys.version_info < (3, 13):
        if _is_untouchable(code):
            return {}
        snapshot: Any = frame.f_locals
        found = dict(snapshot)
        snapshot.clear()
        return found
    held: Any = frame.f_locals
    return dict(held) if code.co_flags & _IS_FUNCTION or type(held) is dict else {}


def _is_untouchable(code: CodeType) -> bool:
    known = _untouchable.get(id(code))
    if known is None:
        if len(_untouchable) > 1000:  # a notebook makes new code at every cell
            _untouchable.clear()
        known = _untouchable[id(code)] = code, _sees_its_locals(code)
    return known[1]


def _sees_its_locals(code: CodeType) -> bool:
    names = {*code.co_names}
    if names.isdisjoint(_LOCALS | _LOCALS_ALONE | _FRAME):
        return False
    if not names.isdisjoint(_FRAME):
        return True
    # Most often `eval` is the method of a model, and `dir` an attribute.
    steps = [each for each in dis.get_instructions(code) if each.opname not in _BETWEEN]
    for step, then in pairwise(steps):
        if step.opname in _VARIABLE and (
            step.argval in _LOCALS or (step.argval in _LOCALS_ALONE and not then.opname.startswith("LOAD_"))
        ):
            return True
    return False
