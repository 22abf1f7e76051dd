"""Line charts made of characters. Pure: numbers in, lines of text out.

Every series has its own mark, so that a chart reads without colours. A NaN breaks its line. Where many points share
a column, the lowest and the highest are drawn: no extreme is lost.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, NamedTuple

from autolog.cli.text import number

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MARKS", "Series", "chart"]

MARKS = "●○x+◆△#@"
_PATH = "·"
_MOST, _LEAST = sys.float_info.max, math.ulp(0.0)
_COLOURS = (36, 33, 35, 32, 34, 31, 96, 93)


class Series(NamedTuple):
    """One line of a chart; ``y`` may hold NaN and ±Inf, which break the line."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


class _Axis(NamedTuple):
    low: float
    high: float
    log: bool

    def place(self, value: float, cells: int) -> int:
        low, high, value = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        if high == low:  # neighbouring floats may have the same logarithm
            return 0
        if math.isinf(high - low):  # two floats may be further apart than any float tells
            low, high, value = low / 2, high / 2, value / 2
        return round((value - low) / (high - low) * (cells - 1))

    def at(self, share: float) -> float:
        if share in (0, 1):
            return self.high if share else self.low
        if self.log:
            return float(10 ** (math.log10(self.low) * (1 - share) + math.log10(self.high) * share))
        return self.low * (1 - share) + self.high * share


def chart(
    series: Sequence[Series],
    *,
    width: int = 80,
    height: int = 20,
    log: bool = False,
    title: str = "",
    x_label: str = "step",
    colour: bool = False,
) -> list[str]:
    """Draw series into ``height`` lines of at most ``width`` characters, legend and axes included.

    Args:
        series: The lines.
        width: Characters of a line.
        height: Lines in all; the plot itself gets at least five.
        log: A logarithmic y axis; values that are not positive break the line there.
        title: First line.
        x_label: What x counts.
        colour: Colour the marks with ANSI sequences.

    Returns:
        The lines. Without any finite value they say so.
    """
    drawable = [[(x, y) for x, y in zip(one.x, one.y, strict=True) if _drawn(x, y, log)] for one in series]
    points = [point for one in drawable for point in one]
    legend = [_legend(index, one, len(drawable[index]), colour) for index, one in enumerate(series)]
    if not points:
        return [title, "(no finite values to draw)" if not log else "(no positive finite values to draw)", *legend]
    y_axis = _axis([y for _, y in points], log=log)
    x_axis = _axis([x for x, _ in points], log=False)
    rows = max(5, height - len(legend) - 4)
    ticks = _ticks(y_axis, rows)
    margin = max(len(text) for text in ticks.values()) + 1
    columns = max(10, width - margin - 2)
    grid: list[list[tuple[str, int] | None]] = [[None] * columns for _ in range(rows)]
    for index, one in enumerate(series):
        _draw(grid, index, one, x_axis, y_axis)
    body = [f"{ticks.get(row, ''):>{margin}} ┤{_row(cells, colour)}" for row, cells in enumerate(grid)]
    return [title, *body, *_x_axis(x_axis, margin, columns, x_label), *legend]


def _drawn(x: float, y: float, log: bool) -> bool:
    return math.isfinite(x) and math.isfinite(y) and (y > 0 or not log)


def _axis(values: Sequence[float], *, log: bool) -> _Axis:
    low, high = float(min(values)), float(max(values))
    if low == high:
        around = (abs(low) or 1) / 2
        low, high = (low / 2, high * 2) if log else (low - around, high + around)
    return _Axis(max(low, _LEAST if log else -_MOST), min(high, _MOST), log)


def _ticks(axis: _Axis, rows: int) -> dict[int, str]:
    """The text at some rows, from the top; at most one tick every four rows."""
    count = max(2, min(5, rows // 4 + 1))
    places = {round(index * (rows - 1) / (count - 1)) for index in range(count)}
    return {row: number(axis.at(1 - row / (rows - 1))) for row in places}


def _draw(grid: list[list[tuple[str, int] | None]], index: int, series: Series, x_axis: _Axis, y_axis: _Axis) -> None:
    rows, columns = len(grid), len(grid[0])
    mark = (MARKS[index % len(MARKS)], index)
    last: tuple[int, int] | None = None
    for x, y in zip(series.x, series.y, strict=True):
        if not _drawn(x, y, y_axis.log):
            last = None
            continue
        column, row = x_axis.place(x, columns), rows - 1 - y_axis.place(y, rows)
        if last is not None:
            _connect(grid, index, last, (column, row))
        grid[row][column] = mark
        last = (column, row)


def _connect(
    grid: list[list[tuple[str, int] | None]], index: int, start: tuple[int, int], end: tuple[int, int]
) -> None:
    (column, row), (to_column, to_row) = start, end
    steps = max(abs(to_column - column), abs(to_row - row))
    for step in range(1, steps):
        x = column + round(step * (to_column - column) / steps)
        y = row + round(step * (to_row - row) / steps)
        if grid[y][x] is None:
            grid[y][x] = (_PATH, index)


def _row(cells: Sequence[tuple[str, int] | None], colour: bool) -> str:
    text = "".join(" " if cell is None else _paint(cell[0], cell[1], colour) for cell in cells)
    return text.rstrip()


def _paint(text: str, index: int, colour: bool) -> str:
    return f"\033[{_COLOURS[index % len(_COLOURS)]}m{text}\033[0m" if colour else text


def _x_axis(axis: _Axis, margin: int, columns: int, label: str) -> list[str]:
    left, middle, right = number(axis.low), number(axis.at(0.5)), number(axis.high)
    words = left + middle.center(columns - len(left) - len(right)) + right
    indent = " " * (margin + 2)
    return [" " * (margin + 1) + "└" + "─" * columns, indent + words, indent + label.center(columns).rstrip()]


def _legend(index: int, series: Series, drawn: int, colour: bool) -> str:
    mark = _paint(MARKS[index % len(MARKS)], index, colour)
    hidden = len(series.x) - drawn
    note = f" ({hidden} of {len(series.x)} not drawable)" if hidden else ""
    return f"  {mark} {series.label}{note}"
