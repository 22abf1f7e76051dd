"""The losses that a backpropagated loss is made of: ``recon_loss`` and ``kl_loss`` of ``loss = recon_loss + kl_loss``.

They are the program's own variables in the function that calls ``backward``, from which it made the loss there. That a
variable has a part in the very value that is backpropagated is told by the graph of autograd, not by its name.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from autolog.integrations.torch_frames import variables
from autolog.integrations.torch_names import Place

__all__ = ["components"]

_NODES = 64
_ITEMS = 32


def components(loss: Any, caller: FrameType, place: Place) -> list[tuple[str, Any]]:
    """The parts of a loss by name, before its backward pass.

    Args:
        loss: the tensor that is backpropagated.
        caller: the program's frame.
        place: what is known of that call.

    Returns:
        Tensors with one element, each in a variable of its own or in a dictionary in a variable.
    """
    if not place.looks or loss.grad_fn is None:
        return []
    tensor = sys.modules["torch"].Tensor
    found: dict[str, Any] = {}
    for name, value in variables(caller, place.parts).items():
        if type(value) is tensor:
            found[name] = value
        elif type(value) is dict and len(value) <= _ITEMS:
            found.update({key: part for key, part in value.items() if type(key) is str and type(part) is tensor})
    found = {name: part for name, part in found.items() if _is_part(part) and part is not loss}
    if not found:
        place.looks -= 1
        return []
    reached = _reached(loss.grad_fn, [part.grad_fn for part in found.values()])
    return [(name, part) for name, part in found.items() if part.grad_fn in reached]


def _is_part(value: Any) -> bool:
    return value.grad_fn is not None and value.numel() == 1


def _reached(root: Any, wanted: list[Any]) -> set[Any]:
    """Which nodes of a graph are not far below its root."""
    left, found = set(wanted), set()
    todo, seen = [root], {root}
    while todo and left and len(seen) <= _NODES:
        node = todo.pop(0)
        if node in left:
            left.discard(node)
            found.add(node)
        for inner, _ in node.next_functions:
            if inner is not None and inner not in seen:
                seen.add(inner)
                todo.append(inner)
    return found
