"""What a program holds where it makes a step of a Keras optimizer: the model, and the optimizers beside it.

Looked for once for each training, in the frames above the step. Nothing but Keras' own is asked for anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType, ModuleType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from autolog.integrations.torch_frames import named_variables, user_frames

__all__ = ["Around", "look"]

_LIBRARIES = ("keras.", "jax.", "tensorflow.")
_ITEMS = 64
_PLAIN = (str, bytes, int, float, bool, type(None), ModuleType, type)


class Around(NamedTuple):
    """What was found.

    Attributes:
        model: the smallest model that has all variables of the optimizer.
        optimizers: the program's names for its optimizers, which are not kept alive.
        name: of the model, else of the optimizer.
    """

    model: Any
    optimizers: WeakKeyDictionary[Any, str]
    name: str


def look(frame: FrameType | None, optimizer: Any) -> Around:
    """Search the frames from ``frame`` upwards.

    Args:
        frame: where the step was made.
        optimizer: the one that stepped, which has its variables by now.
    """
    wanted = {id(variable) for variable in getattr(optimizer, "_trainable_variables", ())}
    model, size = None, 0
    optimizers: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
    for name, value in _named(frame):
        kinds = {f"{kind.__module__}.{kind.__name__}" for kind in type(value).__mro__}
        if "keras.src.optimizers.base_optimizer.BaseOptimizer" in kinds:
            parts = getattr(value, "optimizers", None)
            for part in [getattr(value, "inner_optimizer", value)] if parts is None else parts:
                optimizers.setdefault(part, name if parts is None else part.name)
        elif "keras.src.layers.layer.Layer" in kinds and wanted:
            held = {id(variable) for variable in value.trainable_variables}
            if wanted <= held and (model is None or len(held) < size):
                model, size = value, len(held)
    optimizers.setdefault(optimizer, optimizer.name)
    return Around(model, optimizers, optimizer.name if model is None else model.name)


def _named(frame: FrameType | None) -> Iterator[tuple[str, Any]]:
    seen: set[int] = set()
    for above in user_frames(frame):
        if str(above.f_globals.get("__name__", "")).startswith(_LIBRARIES):
            continue
        for name, value in named_variables(above).items():
            if id(value) in seen or issubclass(type(value), _PLAIN):
                continue
            seen.add(id(value))
            yield name, value
            yield from _inside(name, value)


def _inside(name: str, value: Any) -> list[tuple[str, Any]]:
    kind = type(value)
    if kind in (list, tuple, dict) and len(value) <= _ITEMS:
        items = value.items() if kind is dict else enumerate(value)
        return [(f"{name}.{key}", part) for key, part in items]
    if kind.__module__.partition(".")[0] in ("builtins", "numpy", "torch", "jax", "jaxlib", "tensorflow"):
        return []
    try:
        held = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return []
    if type(held) is not dict or len(held) > _ITEMS:
        return []
    return [(key, part) for key, part in held.items() if not key.startswith("_")]
