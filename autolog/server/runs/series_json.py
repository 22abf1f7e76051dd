"""Series as JSON, in pieces: the columns of millions of points are never in memory as text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from autolog import events
from autolog.store.drawing import Drawn

__all__ = ["encoded", "joined"]

_PIECE = 1 << 14
"""Numbers turned into text at once."""
_BYTES = 1 << 20
"""Bytes sent at once, about: for each piece a thread is asked."""


def encoded(series: Iterable[tuple[str, Drawn]]) -> Iterator[bytes]:
    """The answer of :class:`autolog.server.shapes.SeriesAnswer`.

    Args:
        series: each with the run it belongs to.
    """
    yield b'{"series":['
    between = b""
    known: dict[str, tuple[bytes, bytes]] = {}
    for run, (child, metric, total, columns) in series:
        head = events.encode({"run": run, "child": child, "metric": metric, "total": total})
        yield between + head[:-1]
        for name, column in (("steps", columns.steps), ("epochs", columns.epochs), ("times", columns.times)):
            yield f',"{name}":['.encode()
            yield from _common(known, name, column)
        yield b',"values":['
        yield from _column(columns.values, _values)
        yield b"]}"
        between = b","
    yield b"]}"


def _common(known: dict[str, tuple[bytes, bytes]], name: str, column: Any) -> Iterator[bytes]:
    """Metrics that are logged together have the same steps, epochs and times: those of a short series are made once."""
    wire = list if name == "times" else _optional
    if len(column) > _PIECE or isinstance(column, list):
        yield from _column(column, wire)
        yield b"]"
        return
    data = bytes(memoryview(column))
    if name not in known or known[name][0] != data:
        known[name] = data, b"".join(_column(column, wire)) + b"]"
    yield known[name][1]


def _column(column: Any, wire: Callable[[Any], list[Any]]) -> Iterator[bytes]:
    for first in range(0, len(column), _PIECE):
        part = column[first : first + _PIECE]
        text = events.encode(wire(part if isinstance(part, list) else part.tolist()))[1:-1]
        yield b"," + text if first else text


def _optional(numbers: list[Any]) -> list[Any]:
    """Steps and epochs: NaN stands for none, and whole ones were written as integers nearly always."""
    try:
        whole = list(map(int, numbers))
    except (ValueError, OverflowError):  # NaN, infinities
        whole = None
    if whole == numbers:
        return whole
    return [
        None if number != number else int(number) if isinstance(number, float) and number.is_integer() else number
        for number in numbers
    ]


def _values(numbers: list[Any]) -> list[Any]:
    try:
        if math.isfinite(sum(numbers)):
            return numbers
    except OverflowError:  # an integer beyond every float
        pass
    return [events.to_wire(number) for number in numbers]


def joined(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that are worth sending."""
    held: list[bytes] = []
    size = 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= _BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)
