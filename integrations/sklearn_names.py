"""What a program calls the data that it passes to scikit-learn, read from its bytecode: no local variable is touched.

``model.score(X_test, y_test)`` has the names ``X_test`` and ``y_test``. A variable or an attribute has a name; for any
other expression (``X[test]``, ``load()``) there is none.
"""

from __future__ import annotations

import dis
import sys
from types import CodeType, FrameType
from typing import NamedTuple

__all__ = ["Names", "argument_names", "caller"]

_WINDOW = 200
"""How many bytes of code before a call are looked at: about as many as one statement has."""
_BETWEEN = ("autolog.", "contextlib", "sklearn.utils._param_validation")
_SKIPPED = {"CACHE", "NOP", "NOT_TAKEN", "KW_NAMES", "RESUME"}


class Names(NamedTuple):
    """Names of a call's arguments; ``None`` where one has none."""

    positional: tuple[str | None, ...]
    keyword: dict[str, str | None]

    def of(self, place: int, *names: str) -> str | None:
        """The name of an argument: given at this place (``self`` not counted), or under one of these keywords."""
        if place < len(self.positional):
            return self.positional[place]
        return next((self.keyword[name] for name in names if name in self.keyword), None)


class _Instruction(NamedTuple):
    name: str
    code: int
    argument: int


_NONE = Names((), {})
_known: dict[tuple[int, int], tuple[CodeType, Names]] = {}
"""By place; the code is kept, so that its id stays its own."""


def caller(frame: FrameType | None) -> FrameType | None:
    """The frame that made a call which is watched: the first one that is neither ours nor a decorator of the call's."""
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith(_BETWEEN):
        frame = frame.f_back
    return frame


def argument_names(frame: FrameType | None) -> Names:
    """Names of the arguments in the call that a frame is making; none where the caller is scikit-learn itself.

    Args:
        frame: from :func:`caller`.
    """
    if frame is None or str(frame.f_globals.get("__name__", "")).startswith("sklearn."):
        return _NONE
    place = (id(frame.f_code), frame.f_lasti)
    known = _known.get(place)
    if known is None:
        if len(_known) > 1000:  # a notebook makes new code at every cell
            _known.clear()
        known = _known[place] = (frame.f_code, _read(frame.f_code, frame.f_lasti))
    return known[1]


def _read(code: CodeType, at: int) -> Names:
    done = _instructions(code, at)
    call = done.pop() if done else None
    while call is not None and call.name in ("CACHE", "PRECALL"):
        call = done.pop() if done else None
    if call is None or not call.name.startswith("CALL") or call.name == "CALL_FUNCTION_EX":
        return _NONE
    keywords = _keywords(code, call, done)
    values = [_value(code, done) for _ in range(call.argument)][::-1]
    first = len(values) - len(keywords)
    return Names(tuple(values[:first]), dict(zip(keywords, values[first:], strict=True)))


def _instructions(code: CodeType, at: int) -> list[_Instruction]:
    """The instructions up to and including the one at ``at``; the first few may be misread, they are far away."""
    raw = code.co_code
    found, extended = [], 0
    for place in range(max(0, at - _WINDOW), min(at + 2, len(raw)), 2):
        name = dis.opname[raw[place]]
        argument = extended | raw[place + 1]
        extended = argument << 8 if name == "EXTENDED_ARG" else 0
        if name != "EXTENDED_ARG" and not (name == "CACHE" and place != at):
            found.append(_Instruction(name, raw[place], argument))
    return found


def _keywords(code: CodeType, call: _Instruction, done: list[_Instruction]) -> tuple[str, ...]:
    """Names of the keyword arguments, which stand in a constant before the call."""
    while done and done[-1].name in ("PRECALL", "NOP", "KW_NAMES"):
        before = done.pop()
        if before.name == "KW_NAMES":
            return tuple(code.co_consts[before.argument])
    if call.name in ("CALL_KW", "CALL_FUNCTION_KW") and done and done[-1].name == "LOAD_CONST":
        return tuple(code.co_consts[done.pop().argument])
    return ()


def _value(code: CodeType, done: list[_Instruction]) -> str | None:
    """Take the instructions that made one value off the end, and give its name if it is a variable or an attribute."""
    wanted = 1
    parts: list[str | None] = []
    while wanted > 0 and done:
        instruction = done.pop()
        if instruction.name in _SKIPPED:
            continue
        if "JUMP" in instruction.name or instruction.name.startswith(("FOR_", "STORE_", "POP_", "SEND", "YIELD")):
            done.clear()
            return None
        double = _pair(code, instruction)
        if double is not None:  # two variables in one instruction: the first belongs to the value before
            done.append(_Instruction("(variable)", 0, instruction.argument >> 4))
            parts.append(double)
            wanted -= 1
            continue
        parts.append(_word(code, instruction))
        wanted -= _effect(instruction)
    branch = bool(done) and "JUMP" in done[-1].name  # one of two values of `a if b else c` or `a or b`
    if wanted != 0 or branch or not parts or None in parts:
        return None
    dotted = [str(part) for part in reversed(parts)]
    if any(part.startswith(".") for part in dotted[:1]) or not all(part.startswith(".") for part in dotted[1:]):
        return None
    return "".join(dotted).removeprefix("self.")


def _effect(instruction: _Instruction) -> int:
    """How many values more there are on the stack after an instruction."""
    if instruction.code == 0:
        return 1
    argument = instruction.argument if instruction.code >= dis.HAVE_ARGUMENT else None
    return dis.stack_effect(instruction.code, argument, jump=False)


def _pair(code: CodeType, instruction: _Instruction) -> str | None:
    if instruction.name.startswith("LOAD_FAST_") and instruction.name.count("LOAD_FAST") == 2:
        return _local(code, instruction.argument & 15)
    return None


def _word(code: CodeType, instruction: _Instruction) -> str | None:
    """``x`` for the variable, ``.x`` for the attribute an instruction loads; ``None`` for anything else."""
    name, argument = instruction.name, instruction.argument
    if name == "(variable)" or name.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_CLASSDEREF")):
        return _local(code, argument, cell="DEREF" in name)
    if name == "LOAD_NAME":
        return code.co_names[argument]
    if name == "LOAD_GLOBAL":
        return code.co_names[argument >> 1 if sys.version_info >= (3, 11) else argument]
    if name == "LOAD_ATTR" and not (sys.version_info >= (3, 12) and argument & 1):
        return "." + code.co_names[argument >> 1 if sys.version_info >= (3, 12) else argument]
    return None


def _local(code: CodeType, argument: int, *, cell: bool = False) -> str:
    if sys.version_info >= (3, 11):
        return str(code._varname_from_oparg(argument))  # type: ignore[attr-defined]  # noqa: SLF001  how dis does it
    return (code.co_cellvars + code.co_freevars)[argument] if cell else code.co_varnames[argument]
