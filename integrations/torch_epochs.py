"""The number that the program itself has for its epoch: the variable of a loop such as ``for epoch in range(10)``.

Only what a loop counts is taken: stored by ``for``, or increased by one. ``epoch = 10`` alone is how many there are.
"""

from __future__ import annotations

import re
from types import CodeType, FrameType
from typing import Any

from autolog.integrations.torch_frames import user_frames, variables

__all__ = ["EpochVariable", "find"]

_NAME = re.compile(
    r"(i|idx|cur|current|this)?_?epoch(_?(i|idx|index|id|num|number|nr|no|n|count|counter))?", re.IGNORECASE
)
_loops: dict[int, tuple[CodeType, str | None]] = {}
"""By id of code (kept, so that its id stays its own): the loop variable."""


class EpochVariable:
    """A variable of the program that counts epochs: its code and its name."""

    __slots__ = ("_code", "_name")

    def __init__(self, code: CodeType, name: str) -> None:
        self._code = code
        self._name = name

    def value(self, frame: FrameType | None) -> int | None:
        """What it is now; ``None`` where its loop is not above ``frame``, or it holds no whole number."""
        while frame is not None and frame.f_code is not self._code:
            frame = frame.f_back
        found = None if frame is None else variables(frame, (self._name,)).get(self._name)
        return found if type(found) is int else None


def find(frame: FrameType | None) -> EpochVariable | None:
    """The loop over epochs nearest above ``frame``."""
    for above in user_frames(frame):
        code = above.f_code
        known = _loops.get(id(code))
        if known is None:
            if len(_loops) > 1000:
                _loops.clear()
            known = _loops[id(code)] = code, _counted(code)
        if known[1] is not None:
            return EpochVariable(code, known[1])
    return None


def _counted(code: CodeType) -> str | None:
    """The variable for epochs that this code counts."""
    import dis

    if not any(_NAME.fullmatch(name) for name in (*code.co_varnames, *code.co_names, *code.co_cellvars)):
        return None
    is_loop = False
    last: list[Any] = []
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if name in ("CACHE", "NOP", "EXTENDED_ARG", "NOT_TAKEN"):
            continue
        if name.startswith("STORE_") and name not in ("STORE_ATTR", "STORE_SUBSCR"):
            stored = instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)
            stored = stored[:1] if name.startswith("STORE_FAST_LOAD_FAST") else stored
            named = next((text for text in stored if _NAME.fullmatch(str(text))), None)
            if named is not None and (is_loop or _increases(last, named)):
                return str(named)
        elif not name.startswith("UNPACK_"):
            is_loop = name == "FOR_ITER"
        last = [*last[-2:], instruction]
    return None


def _increases(before: list[Any], name: str) -> bool:
    """Whether the instructions add one to a variable."""
    if len(before) < 3 or not before[2].opname.startswith("BINARY_OP"):
        return False
    loaded, one, add = before
    return loaded.argval == name and one.argval == 1 and add.argrepr in ("+", "+=")
