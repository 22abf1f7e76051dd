"""Rows as CSV, JSON or Parquet, piece by piece as they come: nothing of what was written is kept.

Floats are written with all their digits. CSV and JSON have no NaN and no infinity: they are the words ``NaN``,
``Infinity`` and ``-Infinity``; in Parquet they are themselves, and an integer beyond 2**53 is the nearest float. A
missing value is empty, ``null``, or null.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from autolog import events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Columns", "Format", "Kind", "Pieces", "encoded", "fitted"]

Format: TypeAlias = Literal["csv", "json", "jsonl", "parquet"]
"""``json`` is one array, ``jsonl`` one object a line."""
Kind: TypeAlias = Literal["text", "number", "whole", "truth", "none"]
"""What a column of a typed table holds; ``none``: nothing."""
Pieces: TypeAlias = Generator[bytes, None, None]
"""A file as it is written; closing it ends the reading of what it is made of."""
_PIECE = 1 << 16
_ROWS = 1 << 14
"""Points in one row group: several exports at once must not fill the memory of a small server."""
_EXACT = 2**53
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Columns:
    """Finds out what the columns of a table hold, row by row: numbers stay numbers, a mixed column becomes text.

    Args:
        count: how many columns there are.
    """

    def __init__(self, count: int) -> None:
        self._types: list[set[type]] = [set() for _ in range(count)]
        self._large = [False] * count

    def see(self, row: Sequence[Any]) -> None:
        """Take a row into account."""
        for place, value in enumerate(row):
            if value is not None:
                self._types[place].add(type(value))
                if type(value) is int and not -_EXACT < value < _EXACT:
                    self._large[place] = True

    def kinds(self) -> list[Kind]:
        """What the columns of all rows so far can be."""
        return [self._kind(types, large=large) for types, large in zip(self._types, self._large, strict=True)]

    @staticmethod
    def _kind(types: set[type], *, large: bool) -> Kind:
        if not types:
            return "none"
        if types <= {int, float} and not large:
            return "number" if float in types else "whole"
        return "truth" if types == {bool} else "text"


def fitted(value: Any, kind: Kind) -> Any:
    """A value as one of its column."""
    if value is None or kind in ("whole", "truth", "none"):
        return value
    return _double(value) if kind == "number" else _text(value)


def encoded(
    rows: Iterable[Sequence[Any]],
    names: Sequence[str],
    format: Format,  # noqa: A002  (the option's name)
    kinds: Sequence[Kind],
    *,
    spreadsheet: bool = False,
) -> Pieces:
    """A table as a file, piece by piece.

    Args:
        rows: values in the order of the columns.
        names: of the columns.
        format: of the file.
        kinds: of the columns; only Parquet asks for them.
        spreadsheet: in CSV, a text that a spreadsheet would take for a formula gets a ``'`` before it. Numbers never.
    """
    if format == "parquet":
        return _parquet(rows, names, kinds)
    if format == "csv":
        return _csv(rows, names, _harmless if spreadsheet else _text)
    return _json(rows, names, lines=format == "jsonl")


def _csv(rows: Iterable[Sequence[Any]], names: Sequence[str], cell: Callable[[Any], str]) -> Pieces:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([cell(name) for name in names])
    for row in rows:
        writer.writerow([cell(value) for value in row])
        if text.tell() > _PIECE:
            yield text.getvalue().encode("utf-8", "backslashreplace")
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode("utf-8", "backslashreplace")


def _text(value: Any) -> str:
    """A value in a cell of CSV."""
    if value is None:
        return ""
    if isinstance(value, float):
        written = events.to_wire(value)
        return written if isinstance(written, str) else repr(written)
    return str(value) if isinstance(value, (str, int)) else events.encode(value).decode()


def _harmless(value: Any) -> str:
    written = _text(value)
    return f"'{written}" if isinstance(value, str) and written.startswith(_FORMULA) else written


def _json(rows: Iterable[Sequence[Any]], names: Sequence[str], *, lines: bool) -> Pieces:
    first, between, last = (b"", b"\n", b"\n") if lines else (b"[\n", b",\n", b"\n]\n")
    parts, size, separator = [first], 0, b""
    for row in rows:
        part = separator + events.encode(dict(zip(names, map(_wire, row), strict=True)))
        parts.append(part)
        size, separator = size + len(part), between
        if size > _PIECE:
            yield b"".join(parts)
            parts, size = [], 0
    if separator:
        parts.append(last)
    elif not lines:
        parts = [b"[]\n"]
    yield b"".join(parts)


def _wire(value: Any) -> Any:
    return events.to_wire(value) if isinstance(value, float) else value


def _double(value: float | None) -> float | None:
    try:
        return None if value is None else float(value)
    except OverflowError:  # an integer beyond every float
        return math.inf if value is not None and value > 0 else -math.inf


class _Sink(io.RawIOBase):
    """Takes what pyarrow writes, until it is taken away."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


def _parquet(rows: Iterable[Sequence[Any]], names: Sequence[str], kinds: Sequence[Kind]) -> Pieces:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "text": pa.string(), "number": pa.float64(), "whole": pa.int64(), "truth": pa.bool_(), "none": pa.null(),
    }  # fmt: skip
    schema = pa.schema([(name, types[kind]) for name, kind in zip(names, kinds, strict=True)])
    sink, remaining = _Sink(), iter(rows)
    with pq.ParquetWriter(sink, schema) as writer:
        while batch := list(itertools.islice(remaining, max(1, _ROWS * 7 // max(7, len(names))))):
            arrays = [
                pa.array([fitted(value, kind) for value in column], types[kind])
                for column, kind in zip(zip(*batch, strict=True), kinds, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            yield sink.take()
    yield sink.take()
