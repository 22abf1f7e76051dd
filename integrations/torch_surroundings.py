"""Models, optimizers and schedulers that the program holds where it makes its first step.

Looked for once for each training, in the frames above the step. No property is read and no code of the program runs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType, ModuleType
from typing import Any, NamedTuple

from autolog.integrations.torch_names import user_frame

__all__ = ["Surroundings", "covering", "look", "unwrapped"]

_FRAMES = 64
_ITEMS = 64
_OWN_LOCALS = {"locals", "vars", "dir", "eval", "exec", "_getframe", "currentframe"}
_PLAIN = (str, bytes, int, float, bool, type(None), ModuleType, type)

_WRAPPERS = {
    "OptimizedModule": "_orig_mod",
    "DistributedDataParallel": "module",
    "DataParallel": "module",
    "FullyShardedDataParallel": "_fsdp_wrapped_module",
}


class Surroundings(NamedTuple):
    """What was found, nearest first."""

    modules: list[Any]
    optimizers: list[Any]
    schedulers: list[Any]


def look(frame: FrameType | None) -> Surroundings:
    """Search the frames from ``frame`` upwards.

    Args:
        frame: where the step was made.

    Returns:
        Every module, optimizer and scheduler in a variable there, in a small list, tuple or dict in a variable, or in
        an attribute of an object in a variable.
    """
    torch = sys.modules["torch"]
    schedulers = torch.optim.lr_scheduler.LRScheduler
    kinds = (torch.nn.Module, torch.optim.Optimizer, schedulers)
    found: tuple[dict[int, Any], ...] = ({}, {}, {})
    for value in _values(frame):
        for kind, held in zip(kinds, found, strict=True):
            if issubclass(type(value), kind):  # not isinstance: a proxy may answer that with code of its own
                held.setdefault(id(value), value)
    return Surroundings(*(list(held.values()) for held in found))


def covering(modules: list[Any], parameters: set[int]) -> Any:
    """The smallest module that holds all of these parameters (by ``id``); ``None`` where there is none."""
    best, size = None, sys.maxsize
    for module in modules:
        inner = unwrapped(module)
        held = {id(parameter) for parameter in inner.parameters()}
        if parameters <= held and len(held) < size:
            best, size = inner, len(held)
    return best


def unwrapped(module: Any) -> Any:
    """The program's own module inside ``torch.compile``'s, DDP's and their like."""
    for _ in range(8):
        inner = module.__dict__.get("_modules", {}).get(_WRAPPERS.get(type(module).__name__, ""))
        if inner is None:
            return module
        module = inner
    return module


def _values(frame: FrameType | None) -> Iterator[Any]:
    seen: set[int] = set()
    for _ in range(_FRAMES):
        frame = user_frame(frame)
        if frame is None:
            return
        for value in _locals(frame):
            if id(value) in seen or issubclass(type(value), _PLAIN):
                continue
            seen.add(id(value))
            yield value
            yield from _inside(value)
        frame = frame.f_back


def _locals(frame: FrameType) -> list[Any]:
    is_function = frame.f_code.co_flags & 1  # CO_OPTIMIZED: elsewhere f_locals is the namespace itself
    if not is_function or sys.version_info >= (3, 13):
        return list(frame.f_locals.values())
    if _OWN_LOCALS.intersection(frame.f_code.co_names):  # the program may hold the dictionary that is refreshed here
        return []
    snapshot = frame.f_locals
    values = list(snapshot.values())
    snapshot.clear()  # it would keep alive what the program deletes
    return values


def _inside(value: Any) -> list[Any]:
    kind = type(value)
    if kind in (list, tuple, dict):
        if len(value) > _ITEMS:
            return []
        return list(value.values()) if kind is dict else list(value)
    if kind.__module__.partition(".")[0] in ("torch", "builtins", "numpy"):
        return []
    try:
        held = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return []
    return list(held.values()) if type(held) is dict and len(held) <= _ITEMS else []
