"""Reducing a series for a chart: few points that show every extreme. What is stored and exported is never reduced.

A series is cut into buckets whose width is a power of two. Of each bucket the first and last point are kept, the
lowest and highest finite one, and the first and last of each of NaN, Infinity and -Infinity. What is kept of two
neighbouring buckets is enough to tell what is kept of both taken as one: so a reduction can grow with its series, and a
coarser one is made of a finer one and not of the points, with the same result.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["BUCKETS", "WHOLE", "Columns", "Reduction", "chosen", "kept", "levels_of", "reduced", "width_for"]

WHOLE = 4096
"""A series of fewer points is kept as it is."""
BUCKETS = 1024
"""A growing reduction has at most so many whole buckets, and at least half of them."""


class Columns(NamedTuple):
    """Points as columns of equal length: arrays, views or lists. A step or epoch that is not there is NaN."""

    places: Any
    """Which points of the series these are, counted from 0."""
    steps: Any
    epochs: Any
    times: Any
    values: Any


def width_for(total: int, most: int) -> int:
    """How wide the buckets are, so that about ``most`` of ``total`` points are kept."""
    buckets, width = max(1, most // 4), 1
    while width * buckets < total:
        width *= 2
    return width


def reduced(values: Sequence[float], most: int) -> list[int]:
    """Which points to draw: the places of about ``most`` values at most, ascending.

    Where values are missing or infinite there may be more: each bucket shows that, beside its finite extremes.
    """
    if len(values) <= most:
        return list(range(len(values)))
    width = width_for(len(values), most)
    return [place for first in range(0, len(values), width) for place in kept(values, first, first + width)]


def chosen(columns: Columns, most: int) -> Columns:
    """The points of a whole series that :func:`reduced` chooses."""
    values = columns.values.tolist() if isinstance(columns.values, memoryview) else columns.values
    places = reduced(values, most)
    return Columns(places, *([column[place] for place in places] for column in columns[1:]))


def kept(values: Sequence[float], first: int, after: int) -> list[int]:
    """Which of ``values[first:after]`` are kept, as places in ``values``, ascending."""
    part = values[first:after]
    places = {0, len(part) - 1}
    if _all_finite(part):
        places |= {part.index(min(part)), part.index(max(part))}
    else:
        finite = [place for place, value in enumerate(part) if -math.inf < value < math.inf]
        if finite:
            places |= {min(finite, key=part.__getitem__), max(finite, key=part.__getitem__)}
        nans = [place for place, value in enumerate(part) if value != value]
        highs = [place for place, value in enumerate(part) if value == math.inf]
        lows = [place for place, value in enumerate(part) if value == -math.inf]
        places |= {place for odd in (nans, highs, lows) for place in (*odd[:1], *odd[-1:])}
    return [first + place for place in sorted(places)]


def _all_finite(values: Sequence[float]) -> bool:
    """Whether a sum says so; finite values with a sum beyond floats are looked at one by one."""
    try:
        return math.isfinite(sum(values))
    except OverflowError:  # an integer beyond every float
        return False


def levels_of(total: int) -> list[int]:
    """The widths that a :class:`Reduction` of so many points gives; 1 alone where it has all of them."""
    if total < WHOLE:
        return [1]
    widths = [2 * WHOLE // BUCKETS]
    while total // widths[0] >= BUCKETS:
        widths[0] *= 2
    while widths[-1] < total:
        widths.append(2 * widths[-1])
    return widths


class Reduction:
    """A series as it grows: all of its points while they are few, then what is kept of buckets that widen."""

    def __init__(self) -> None:
        self.total = 0
        """Points so far."""
        self.width = 1
        """Points of one bucket; 1: all points are here."""
        self._done = Columns(array("q"), array("d"), array("d"), array("d"), array("d"))
        self._open = (array("d"), array("d"), array("d"), array("d"))
        self._buckets = 0

    def extend(self, steps: array[float], epochs: array[float], times: array[float], values: array[float]) -> None:
        """Add points, oldest first; NaN for a step or epoch that is not there."""
        given, at = (steps, epochs, times, values), 0
        while at < len(values):
            room = WHOLE - self.total if self.width == 1 else self.width - len(self._open[0])
            part = tuple(column[at : at + room] for column in given)
            count = len(part[0])
            if self.width == 1:
                self._done.places.extend(range(self.total, self.total + count))
                for held, more in zip(self._done[1:], part, strict=True):
                    held.extend(more)
            else:
                for pending, more in zip(self._open, part, strict=True):
                    pending.extend(more)
            self.total, at = self.total + count, at + count
            self._settle()

    def _settle(self) -> None:
        """Close a bucket that is full; widen where there are too many."""
        if self.width == 1:
            if self.total == WHOLE:
                self._widen(2 * WHOLE // BUCKETS)
        elif len(self._open[0]) == self.width:
            for held, more in zip(self._done, self._rest(), strict=True):
                held.extend(more)
            for pending in self._open:
                del pending[:]
            self._buckets += 1
            if self._buckets == BUCKETS:
                self._widen(2 * self.width)

    def _widen(self, width: int) -> None:
        self._done, self.width = _coarser(self._done, width), width
        self._buckets = self.total // width

    def _rest(self) -> Columns:
        """What is kept of the last bucket, which is not full."""
        first = self.total - len(self._open[0])
        places = kept(self._open[3], 0, len(self._open[3])) if self._open[3] else []
        chosen = (array("d", [column[place] for place in places]) for column in self._open)
        return Columns(array("q", [first + place for place in places]), *chosen)

    def columns(self, width: int | None = None) -> Columns:
        """What is kept with buckets of a width, which is a power of two and not below :attr:`width`."""
        rest = self._rest()
        joined = Columns(*(held + more for held, more in zip(self._done, rest, strict=True)))
        return joined if width in (None, self.width) else _coarser(joined, width or 1)

    def at_most(self, most: int | None) -> Columns | None:
        """About ``most`` points, those of :func:`reduced`; all, where it is ``None``. ``None``: so many need the points
        themselves.
        """
        if most is None or self.total <= most:
            return self.columns() if self.width == 1 else None
        width = width_for(self.total, most)
        return self.columns(width) if width >= self.width else None

    def levels(self) -> Iterator[tuple[int, Columns]]:
        """What is kept with each width of :func:`levels_of`."""
        columns = self.columns()
        for width in levels_of(self.total):
            columns = columns if width == self.width else _coarser(columns, width)
            yield width, columns

    @property
    def size(self) -> int:
        """Bytes of the points that are held."""
        return 40 * len(self._done.places) + 32 * len(self._open[0])


def _coarser(columns: Columns, width: int) -> Columns:
    chosen: list[int] = []
    first = 0
    while first < len(columns.places):
        bound = (columns.places[first] // width + 1) * width
        after = bisect_left(columns.places, bound, first)
        chosen += kept(columns.values, first, after)
        first = after
    return Columns(
        array("q", [columns.places[place] for place in chosen]),
        *(array("d", [column[place] for place in chosen]) for column in columns[1:]),
    )
