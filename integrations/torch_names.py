"""What a program calls the loss it backpropagates, read from the bytecode of the place: no variable is touched."""

from __future__ import annotations

import re
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from autolog.integrations.torch_frames import user_frame

if TYPE_CHECKING:
    from dis import Instruction

__all__ = ["FALLBACK", "Place", "place_of"]

FALLBACK = "loss"
_LOOKS = 3
_ENDS = ("POP_TOP", "POP_JUMP", "RETURN", "RESUME", "FOR_ITER", "DELETE_", "JUMP", "END_", "YIELD")
_VARIABLES = ("LOAD_FAST", "LOAD_NAME", "LOAD_GLOBAL", "LOAD_DEREF", "LOAD_CLASSDEREF")
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")
_SILENT = ("CACHE", "PUSH_NULL", "PRECALL", "NOT_TAKEN", "EXTENDED_ARG", "COPY_FREE_VARS", "MAKE_CELL", "NOP")

_CALL = re.compile(r"(\w+)(?:[\"']\])?\.backward\(")

_known: dict[tuple[int, int], Place] = {}


class Place:
    """One call in the program's code that begins a backward pass.

    Attributes:
        code: the code it is in; kept, so that its id stays its own.
        names: loss-like names of the statement.
        itself: the variable or attribute whose ``backward`` is called.
        parts: variables from which the loss is made in this code; what they are shows when they are looked at.
        looks: how often these may still turn out to be no losses.
    """

    __slots__ = ("code", "itself", "looks", "names", "parts")

    def __init__(self, code: CodeType, at: int, line: int | None) -> None:
        self.code = code
        self.looks = _LOOKS
        statements = _statements(code)
        here = next((statement for statement in statements if statement[-1].offset >= at), [])
        here = [instruction for instruction in here if instruction.offset <= at]
        self.names = _losses(here)
        self.itself, root = _receiver(here)
        if self.itself is None and line is not None and any("__compiled_fn" in name for name in code.co_names):
            self.itself = _in_source(code.co_filename, line)
        if root is None and len(self.names) == 1:
            root = self.names[0]
        self.parts = () if root is None else _sources(statements, root)

    def name(self, count: int, *, by_method: bool) -> list[str]:
        """Names of the losses of a call with ``count`` of them.

        For ``d_loss.backward()`` its variable, for ``out.loss.backward()`` the attribute, else the names with ``loss``
        or ``err`` in the statement if these are as many; else ``loss``.
        """
        if by_method and self.itself is not None:
            return [self.itself]
        return list(self.names) if len(self.names) == count else [FALLBACK] * count


def place_of(frame: FrameType | None) -> tuple[FrameType, Place] | None:
    """The program's own frame and place at or above ``frame``."""
    caller = user_frame(frame)
    if caller is None:
        return None
    code, at = caller.f_code, caller.f_lasti
    known = _known.get((id(code), at))
    if known is None:
        if len(_known) > 1000:  # a notebook makes new code at every cell
            _known.clear()
        known = _known[id(code), at] = Place(code, at, caller.f_lineno)
    return caller, known


def _in_source(file: str, line: int) -> str | None:
    """The receiver by the text of the line: Dynamo has rewritten the bytecode, in which it has no name any more."""
    import linecache

    found = _CALL.search(linecache.getline(file, line))
    return found[1] if found else None


def _statements(code: CodeType) -> list[list[Instruction]]:
    """The instructions between two ends of statements, as far as bytecode tells; the end is the last of each."""
    import dis

    statements: list[list[Instruction]] = [[]]
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if name in _SILENT:
            continue
        statements[-1].append(instruction)
        if name.startswith(("STORE_", *_ENDS)):
            # One instruction may store one variable and load the next: it ends a statement and begins another.
            statements.append([instruction] if name.startswith("STORE_FAST_LOAD_FAST") else [])
    return [statement for statement in statements if statement]


def _loads(statement: list[Instruction]) -> list[str]:
    """Variables that a statement loads."""
    names: list[str] = []
    for number, instruction in enumerate(statement):
        if instruction.opname.startswith(_VARIABLES):
            names += _texts(instruction.argval)
        elif number == 0 and instruction.opname.startswith("STORE_FAST_LOAD_FAST"):
            names.append(_texts(instruction.argval)[-1])
    return names


def _losses(statement: list[Instruction]) -> list[str]:
    names: dict[str, None] = {}
    for number, instruction in enumerate(statement):
        if instruction.opname.startswith(_VARIABLES + _ATTRIBUTES):
            names.update(dict.fromkeys(name for name in _texts(instruction.argval) if _is_loss(name)))
        elif number == 0:
            names.update(dict.fromkeys(name for name in _loads([instruction]) if _is_loss(name)))
    return list(names)


def _receiver(statement: list[Instruction]) -> tuple[str | None, str | None]:
    """Name of what ``backward`` is called on, and the variable, if it is one."""
    for number in range(len(statement) - 1, 0, -1):
        instruction, before = statement[number], statement[number - 1]
        if instruction.opname not in _ATTRIBUTES or instruction.argval != "backward":
            continue
        if before.opname.startswith(_ATTRIBUTES):
            return _texts(before.argval)[-1], None
        loaded = _loads([before])
        if loaded:
            return loaded[-1], loaded[-1]
        key = statement[number - 2] if number > 1 and before.opname.startswith("BINARY_") else None
        if key is not None and key.opname == "LOAD_CONST" and isinstance(key.argval, str):
            return key.argval, None  # losses["total"].backward()
        return None, None
    return None, None


def _sources(statements: list[list[Instruction]], name: str) -> tuple[str, ...]:
    """Variables from which a variable is made: in every statement of the code that stores it."""
    names: dict[str, None] = {}
    for statement in statements:
        end = statement[-1]
        if end.opname.startswith("STORE_") and end.opname not in ("STORE_ATTR", "STORE_SUBSCR"):
            stored = _texts(end.argval)
            stored = stored[:1] if end.opname.startswith("STORE_FAST_LOAD_FAST") else stored
            if name in stored:
                names.update(dict.fromkeys(_loads(statement[:-1])))
    names.pop(name, None)
    return tuple(names)


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(str, value))  # some instructions load two variables


def _is_loss(name: str) -> bool:
    lower = name.lower()
    return ("loss" in lower or lower.startswith("err")) and not lower.endswith(("_fn", "_func", "_function", "_weight"))
