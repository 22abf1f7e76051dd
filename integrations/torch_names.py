"""What a program calls the loss it backpropagates, read from its bytecode: no local variable is touched.

``frame.f_locals`` would be simpler, but before Python 3.13 it rewrites the dictionary that the program's own
``locals()`` returned, and keeps tensors alive that the program has deleted.
"""

from __future__ import annotations

from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dis import Instruction

__all__ = ["FALLBACK", "loss_names", "user_frame"]

FALLBACK = "loss"
_LIBRARIES = {
    "torch", "autolog", "accelerate", "deepspeed", "lightning", "lightning_fabric", "pytorch_lightning", "transformers",
    "contextlib", "functools",
}  # fmt: skip
_ENDS = ("STORE_", "POP_TOP", "POP_JUMP", "RETURN", "RESUME", "FOR_ITER", "DELETE_", "JUMP", "END_", "YIELD")
_VARIABLES = ("LOAD_FAST", "LOAD_NAME", "LOAD_GLOBAL", "LOAD_DEREF", "LOAD_CLASSDEREF")
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")
_SILENT = ("CACHE", "PUSH_NULL", "PRECALL", "NOT_TAKEN", "EXTENDED_ARG")

_known: dict[tuple[int, int], tuple[CodeType, list[str], str | None]] = {}
"""By place: the code (kept, so that its id stays its own), loss-like names of the statement, the variable itself."""


def user_frame(frame: FrameType | None) -> FrameType | None:
    """The nearest frame at or above ``frame`` that is the program's own; ``None`` where all are libraries'."""
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] in _LIBRARIES:
        frame = frame.f_back
    return frame


def loss_names(frame: FrameType | None, count: int = 1) -> list[str]:
    """Names of the ``count`` losses whose backward pass begins below ``frame``.

    Args:
        frame: the frame above autolog's own: of ``Tensor.backward`` or of who calls ``torch.autograd.backward``.
        count: how many tensors are backpropagated in the call.

    Returns:
        For ``d_loss.backward()`` its variable, for ``out.loss.backward()`` the attribute, else the names with ``loss``
        or ``err`` in the statement if these are as many; else ``loss``.
    """
    caller = user_frame(frame)
    if caller is None or frame is None:
        return [FALLBACK] * count
    place = (id(caller.f_code), caller.f_lasti)
    known = _known.get(place)
    if known is None:
        if len(_known) > 1000:  # a notebook makes new code at every cell
            _known.clear()
        known = _known[place] = (caller.f_code, *_read(caller.f_code, caller.f_lasti))
    _, names, itself = known
    method = frame.f_code.co_name == "backward" and frame.f_back is caller
    if method and itself is not None:
        return [itself]
    return list(names) if len(names) == count else [FALLBACK] * count


def _read(code: CodeType, at: int) -> tuple[list[str], str | None]:
    """Loss-like names of the statement at an instruction, and the variable whose ``backward`` it calls."""
    import dis

    statement: list[Instruction] = []
    for instruction in dis.get_instructions(code):
        if instruction.offset > at:
            break
        if instruction.opname.startswith(_ENDS):
            statement = []
        elif instruction.opname not in _SILENT:
            statement.append(instruction)
    names: dict[str, None] = {}
    for instruction in statement:
        if instruction.opname.startswith(_VARIABLES + _ATTRIBUTES):
            names.update(dict.fromkeys(name for name in _texts(instruction.argval) if _is_loss(name)))
    return list(names), _receiver(statement)


def _receiver(statement: list[Instruction]) -> str | None:
    for before, instruction in zip(reversed(statement[:-1]), reversed(statement[1:]), strict=True):
        if instruction.opname in _ATTRIBUTES and instruction.argval == "backward":
            if before.opname.startswith(_VARIABLES + _ATTRIBUTES):
                return _texts(before.argval)[-1]
            return None
    return None


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(str, value))  # some instructions load two variables


def _is_loss(name: str) -> bool:
    lower = name.lower()
    return ("loss" in lower or lower.startswith("err")) and not lower.endswith(("_fn", "_func", "_function", "_weight"))
