"""Any value as plain JSON: what parameters, facts and metadata are turned into before they are written."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

from autolog.events import to_wire
from autolog.media import summary
from autolog.media.parts import MISSING, fields, items, word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["LIMIT", "Json", "flatten", "jsonable"]

Json: TypeAlias = Any
"""``None``, ``bool``, ``int``, ``float``, ``str``, and lists and dicts of them (not said in full: it is recursive)."""

LIMIT = 2**20
"""Characters one text keeps by default. A text of 1 MB is kept exactly."""

_NODES = 100_000
_DEPTH = 40
_TEXTS = 16
_INTEGER = 2**63


def jsonable(value: Any, limit: int = LIMIT) -> Json:
    """A plain JSON value that says what ``value`` is.

    Plain values stay as they are; containers are walked. Dataclasses, named tuples, ``argparse.Namespace``, pydantic,
    attrs, msgspec and OmegaConf objects become dicts; sets become sorted lists; an enum member becomes its value if
    that is a text or number, else its name; paths, dates, devices and dtypes become text; classes and functions
    their qualified name; numpy scalars and arrays or CPU tensors of at most 64 elements their values, larger ones a
    line with type, shape, dtype and range. NaN and the infinities become the words ``NaN``, ``Infinity``,
    ``-Infinity``; integers beyond 64 bits their digits. All else becomes its ``repr``, without memory addresses.

    The result is bounded: a text keeps ``limit`` characters, a ``repr`` 10,000, the whole 16 times ``limit``
    characters, 100,000 values and 40 levels; what was cut says so. No element of an array on a GPU is read, no
    iterator consumed, and nothing is changed.

    Args:
        value: anything.
        limit: the most characters kept of one text.

    Returns:
        A new value that JSON can hold. Never raises.
    """
    return _Walk(limit).plain(value)


def flatten(values: Mapping[Any, Any], limit: int = LIMIT) -> dict[str, Json]:
    """Nested mappings as one flat dict, keys joined with ``.``: ``{"a": {"b": 1}}`` becomes ``{"a.b": 1}``.

    Values go through :func:`jsonable` first, so that dataclasses and other configuration objects are flattened too.
    Lists are values and stay whole, and so does an empty mapping. A key that contains a dot is kept as it is; where
    two paths then have the same name (``{"a.b": 1, "a": {"b": 2}}``), the second is called ``a.b#2``.

    Args:
        values: the mapping, nested to any depth.
        limit: as for :func:`jsonable`.

    Returns:
        A flat dict in the order of the mapping. Never raises.
    """
    flat: dict[str, Json] = {}
    plain = jsonable(values, limit)
    _flatten(plain if isinstance(plain, dict) else {"value": plain}, "", flat)
    return flat


def _flatten(values: dict[str, Json], prefix: str, flat: dict[str, Json]) -> None:
    for key, value in values.items():
        name = prefix + key
        if isinstance(value, dict) and value:
            _flatten(value, name + ".", flat)
        else:
            flat[_free(name, flat)] = value


def _free(name: str, taken: dict[str, Json]) -> str:
    """The name, or ``name#2``, ``name#3`` … where it is taken."""
    if name not in taken:
        return name
    return next(other for count in itertools.count(2) if (other := f"{name}#{count}") not in taken)


class _Walk:
    """One conversion: the budget left, and the containers it is inside of."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.characters = limit * _TEXTS
        self.nodes = _NODES
        self.inside: list[int] = []

    def plain(self, value: Any) -> Json:
        self.nodes -= 1
        if value is None or value is True or value is False:
            return value
        try:
            result = self._scalar(value)
            return self._nested(value) if result is MISSING else result
        except Exception:  # a foreign object's own code failed: its repr says what it is
            return self._repr(value)

    def _scalar(self, value: Any) -> Json:
        """A single value as JSON, or ``MISSING`` where it is a container or unknown."""
        kind = type(value)
        if kind is str:
            return self._text(value)
        if kind is float:
            return to_wire(value)
        if kind is int:
            return value if -_INTEGER <= value < _INTEGER else _digits(value)
        if (enum := sys.modules.get("enum")) and isinstance(value, enum.Enum):
            return self._enum(value)
        found = word(value)
        return self._scalar(found) if type(found) in (str, int, float) else found

    def _enum(self, member: Any) -> Json:
        if isinstance(member.value, (str, int, float)):
            return self.plain(member.value)
        return f"{type(member).__qualname__}.{member.name}"

    def _nested(self, value: Any) -> Json:
        if summary.is_array(value):
            elements = summary.elements(value)
            return self._text(summary.of_array(value)) if elements is None else self.plain(elements)
        named = fields(value)
        parts = items(value) if named is None else ()
        if parts is None:
            return self._repr(value)
        if id(value) in self.inside:
            return f"<{type(value).__name__} that contains itself>"
        if len(self.inside) >= _DEPTH:
            return f"<{type(value).__name__}, nested deeper than {_DEPTH} levels>"
        self.inside.append(id(value))
        try:
            return self._list(parts) if named is None else self._dict(named)
        finally:
            self.inside.pop()

    def _dict(self, named: Mapping[Any, Any]) -> dict[str, Json]:
        result: dict[str, Json] = {}
        for done, (key, value) in enumerate(named.items()):
            if self.nodes <= 0:
                result[_free("…", result)] = f"{len(named) - done} more"
                break
            name = self._text(key) if type(key) is str else self._key(key)
            result[_free(name, result)] = self.plain(value)
        return result

    def _list(self, parts: Sequence[Any]) -> list[Json]:
        result: list[Json] = []
        for value in parts:
            if self.nodes <= 0:
                result.append(f"… {len(parts) - len(result)} more")
                break
            result.append(self.plain(value))
        return result

    def _key(self, key: Any) -> str:
        plain = self.plain(key)
        return plain if isinstance(plain, str) else repr(plain)

    def _text(self, text: str) -> str:
        keep = min(self.limit, max(self.characters, 100))
        shown = text if len(text) <= keep else f"{text[:keep]}… ({len(text)} characters in all)"
        self.characters -= len(shown)
        # Lone surrogates (undecodable file names) are no UTF-8: written as escapes.
        return shown if shown.isascii() else shown.encode(errors="backslashreplace").decode()

    def _repr(self, value: Any) -> str:
        return self._text(summary.of_object(value, min(self.limit, summary.REPR)))


def _digits(value: int) -> str:
    """An integer JSON readers would round, as text. Python refuses to print very long ones in decimal."""
    return str(value) if value.bit_length() < 10_000 else hex(value)
