"""Bounded hashing of large data: everything where it fits, evenly spaced parts where it does not, and which it was."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from autolog.media.jsonable import jsonable

__all__ = ["Digest", "encoded"]

_PIECE = 1 << 20
_PARTS = 64
_PART_BYTES = 1 << 16


class Digest:
    """One fingerprint in the making. Equal content gives an equal fingerprint; no random number is drawn.

    Args:
        budget: bytes to hash in full; what does not fit is hashed in 64 evenly spaced parts of 64 KiB, first and last
            included.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.hashed = 0
        self.total = 0
        self.complete = True
        self._hash = hashlib.sha256()

    def note(self, text: str) -> None:
        """Something said about the data: a column's name, its type, its shape."""
        self._hash.update(text.encode(errors="backslashreplace") + b"\0")

    def items(self, length: int, width: float, take: Callable[[int, int], bytes]) -> None:
        """A sequence of items, whose number the caller has noted. It does not matter how it is cut into items.

        Args:
            length: how many.
            width: bytes of one, at least about.
            take: the bytes of the items from a first to (not including) a last one.
        """
        size = int(length * width)
        self.total += size
        everything = size <= self.budget
        self.complete &= everything
        self.note("all" if everything else f"parts of {length}")
        for start, stop in _steps(length, width) if everything else _parts(length, width):
            piece = take(start, stop)
            self._hash.update(piece)
            self.hashed += len(piece)
        if everything:
            self.budget -= size

    def skip(self, size: int) -> None:
        """Content that is not read at all."""
        self.total += size
        self.complete = False

    def result(self) -> dict[str, Any]:
        """``fingerprint``, and how much of the data it covers."""
        return {
            "fingerprint": f"sha256:{self._hash.hexdigest()}",
            "complete": self.complete,
            "hashed_bytes": self.hashed,
            "total_bytes": max(self.total, self.hashed),
        }


def _steps(length: int, width: float) -> Iterator[tuple[int, int]]:
    step = max(1, int(_PIECE / max(width, 1)))
    yield from ((start, min(start + step, length)) for start in range(0, length, step))


def _parts(length: int, width: float) -> Iterator[tuple[int, int]]:
    """Evenly spaced spans, the first and the last items among them; fewer where the items themselves are large."""
    step = max(1, int(_PART_BYTES / max(width, 1)))
    count = max(2, min(_PARTS, int(_PARTS * _PART_BYTES / max(width, 1))))
    last = -1
    for index in range(count):
        start = max(last, (length - step) * index // (count - 1), 0)
        stop = min(start + step, length)
        if start < stop:
            yield start, stop
        last = stop


def encoded(values: list[Any]) -> bytes:
    """Plain values as bytes: JSON where it can hold them, their bounded description where it cannot."""
    try:
        return msgspec.json.encode(values)
    except (TypeError, ValueError, OverflowError):
        return msgspec.json.encode([jsonable(value) for value in values])
