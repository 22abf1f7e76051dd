"""Models, optimizers and schedulers that the program holds where it makes its first step.

Looked for once for each training, in the frames above the step. No property is read and no code of the program runs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType, ModuleType
from typing import Any, NamedTuple

from autolog.integrations.torch_frames import all_variables, user_frames

__all__ = ["Surroundings", "covering", "look", "trained", "unwrapped"]

_ITEMS = 64
_PLAIN = (str, bytes, int, float, bool, type(None), ModuleType, type)

_WRAPPERS = {
    "OptimizedModule": "_orig_mod",
    "DistributedDataParallel": "module",
    "DataParallel": "module",
    "FullyShardedDataParallel": "_fsdp_wrapped_module",
    "_FabricModule": "_forward_module",
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
                bare = _bare(value) if kind is torch.optim.Optimizer else value
                held.setdefault(id(bare), bare)
    return Surroundings(*(list(held.values()) for held in found))


def covering(modules: list[Any], parameters: set[int]) -> tuple[Any, Any]:
    """The smallest module that holds all of these parameters (by ``id``).

    Returns:
        The module as the program trains it, in DDP, FSDP, ``torch.compile`` …, and the program's own one inside;
        ``None`` twice where there is none.
    """
    best, inside, size = None, None, sys.maxsize
    for module in modules:
        inner = unwrapped(module)
        held = {id(parameter) for parameter in inner.parameters()}
        wraps_best = inner is inside and best is inside
        if parameters <= held and (len(held) < size or wraps_best):
            best, inside, size = module, inner, len(held)
    return best, inside


def trained(around: Surroundings, first: Any, optimizer: Any) -> list[Any]:
    """The model of a training, and those of the other optimizers beside the first one."""
    found = [] if first is None else [first]
    for other in around.optimizers:
        if other is not optimizer:
            parameters = {id(parameter) for group in other.param_groups for parameter in group["params"]}
            model, _ = covering(around.modules, parameters)
            if model is not None and not any(model is known for known in found):
                found.append(model)
    return found


def unwrapped(module: Any) -> Any:
    """The program's own module inside ``torch.compile``'s, DDP's and their like."""
    for _ in range(8):
        inner = module.__dict__.get("_modules", {}).get(_WRAPPERS.get(type(module).__name__, ""))
        if inner is None:
            return module
        module = inner
    return module


def _bare(optimizer: Any) -> Any:
    """The optimizer inside Fabric's or accelerate's: it is the one that steps."""
    own = optimizer.__dict__
    inner = own.get("_optimizer", own.get("optimizer"))
    return inner if hasattr(inner, "param_groups") else optimizer


def _values(frame: FrameType | None) -> Iterator[Any]:
    seen: set[int] = set()
    for above in user_frames(frame):
        for value in all_variables(above):
            if id(value) in seen or issubclass(type(value), _PLAIN):
                continue
            seen.add(id(value))
            yield value
            yield from _inside(value)


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
