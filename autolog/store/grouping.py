"""Points that come by time, put together by series, in bounded memory.

What a run of many series and points has logged is spread over its journals. Points are kept by series until there are
many, then put aside in one file, piece by piece; each series is read back from its pieces.
"""

from __future__ import annotations

import os
from array import array
from typing import IO, TYPE_CHECKING, NamedTuple

from autolog.store.arrays import NONE, double

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from autolog.store.series import Point

__all__ = ["Grouped", "Key", "Piece", "in_rows"]

Key = tuple[str, str | None]
"""Metric and child."""
Piece = tuple["array[float]", "array[float]", "array[float]", "array[float]"]
"""Steps, epochs (NaN: none), times, values."""

_HELD = 1 << 20
"""Points in memory at most: 32 MiB."""


class _Place(NamedTuple):
    offset: int
    points: int


class _One:
    """One series while points come."""

    __slots__ = ("held", "places", "total")

    def __init__(self) -> None:
        self.held: Piece = (array("d"), array("d"), array("d"), array("d"))
        self.places: list[_Place] = []
        self.total = 0


class Grouped:
    """All series of a run; ``aside`` is a file for what does not fit into memory, opened for bytes."""

    def __init__(self, aside: IO[bytes]) -> None:
        self._aside = aside
        self._series: dict[Key, _One] = {}

    def take(self, points: Iterable[Point]) -> None:
        """All points of a run, in the order of each series.

        Raises:
            OverflowError: an integer that no float is equal to.
        """
        series, left = self._series, _HELD
        for child, metric, step, epoch, time, value in points:
            one = series.get((metric, child))
            if one is None:
                one = series[metric, child] = _One()
            steps, epochs, times, values = one.held
            steps.append(double(step))
            epochs.append(NONE if epoch is None else double(epoch))
            times.append(time)
            values.append(value if value.__class__ is float else double(value))
            left -= 1
            if not left:
                self._put_aside()
                left = _HELD

    def _put_aside(self) -> None:
        for one in self._series.values():
            count = len(one.held[0])
            if count:
                one.places.append(_Place(self._aside.tell(), count))
                one.total += count
                for column in one.held:
                    column.tofile(self._aside)
                    del column[:]
        self._aside.flush()

    @property
    def keys(self) -> list[Key]:
        """The series, by metric and child."""
        return sorted(self._series, key=lambda key: (key[0], key[1] or ""))

    def total(self, key: Key) -> int:
        """How many points a series has."""
        one = self._series[key]
        return one.total + len(one.held[0])

    def pieces(self, key: Key) -> Iterator[Piece]:
        """A series, oldest points first, in pieces of any size."""
        one = self._series[key]
        for place in one.places:
            data = os.pread(self._aside.fileno(), 32 * place.points, place.offset)
            columns = []
            for number in range(4):
                column = array("d")
                column.frombytes(data[8 * place.points * number : 8 * place.points * (number + 1)])
                columns.append(column)
            yield columns[0], columns[1], columns[2], columns[3]
        if one.held[0]:
            yield one.held


def in_rows(pieces: Iterable[Piece], rows: int) -> Iterator[Piece]:
    """The same points in pieces of exactly ``rows``, but for the last."""
    held: Piece = (array("d"), array("d"), array("d"), array("d"))
    for piece in pieces:
        at = 0
        while at < len(piece[0]):
            room = rows - len(held[0])
            for column, more in zip(held, piece, strict=True):
                column.extend(more[at : at + room])
            at += room
            if len(held[0]) == rows:
                yield held
                held = (array("d"), array("d"), array("d"), array("d"))
    if held[0]:
        yield held
