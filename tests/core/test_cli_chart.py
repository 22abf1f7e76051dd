"""Charts made of characters."""

import math
import sys
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autolog.cli.chart import MARKS, Series, chart


def plot_of(lines):
    return [line.split("┤", 1)[1] for line in lines if "┤" in line]


def test_every_series_has_its_own_mark_and_a_legend():
    lines = chart([Series("one", [0, 1], [0, 1]), Series("two", [0, 1], [1, 0.5])], title="loss")
    assert lines[0] == "loss"
    assert lines[-2:] == [f"  {MARKS[0]} one", f"  {MARKS[1]} two"]
    body = "".join(plot_of(lines))
    assert body.count(MARKS[0]) == body.count(MARKS[1]) == 2


def test_extremes_stand_at_the_edges():
    rows = plot_of(chart([Series("s", list(range(1000)), [0.0] * 500 + [7.0] + [0.0] * 498 + [-3.0])]))
    assert MARKS[0] in rows[0]
    assert MARKS[0] in rows[-1]


def test_nan_leaves_a_gap_and_is_counted():
    values = [1.0] * 11
    whole = "".join(plot_of(chart([Series("s", list(range(11)), values)], width=60)))
    values[5] = math.nan
    lines = chart([Series("s", list(range(11)), values)], width=60)
    row = next(row for row in plot_of(lines) if MARKS[0] in row)
    assert "   " in row.strip()
    assert "   " not in whole.strip()
    assert lines[-1].endswith("s (1 of 11 not drawable)")


def test_a_logarithmic_axis_makes_decades_equal():
    rows = plot_of(chart([Series("s", [0, 1, 2, 3], [1, 10, 100, 1000])], log=True))
    heights = [number for number, row in enumerate(rows) for mark in row if mark == MARKS[0]]
    gaps = [b - a for a, b in pairwise(heights)]
    assert len(heights) == 4
    assert max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize("values", [[math.nan], [math.inf, -math.inf], []])
def test_nothing_to_draw_is_said(values):
    assert "no finite values" in chart([Series("s", range(len(values)), values)])[1]


def test_nothing_positive_for_a_logarithmic_axis_is_said():
    assert "no positive finite values" in chart([Series("s", [0], [-1])], log=True)[1]


numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(st.lists(st.tuples(numbers, numbers), max_size=30), min_size=1, max_size=4), st.booleans())
@example([[(0.0, 1.0), (0.0, sys.float_info.max)]], True)
@example([[(0.0, -sys.float_info.max), (1.0, sys.float_info.max)]], False)
@example([[(0.0, sys.float_info.max)]], True)
@example([[(0.0, sys.float_info.max)]], False)
@example([[(0.0, 5e-324), (5e-324, 0.0)]], False)
@example([[(0.0, 5e-324)]], True)
@example([[(0.0, 1e300), (1.0, math.nextafter(1e300, math.inf))]], True)
def test_any_numbers_make_lines_that_fit(series, log):
    drawn = [Series(f"s{at}", [x for x, _ in one], [y for _, y in one]) for at, one in enumerate(series)]
    lines = chart(drawn, width=70, height=18, log=log, title="t")
    assert len(lines) <= 18
    assert all(len(line) <= 70 for line in lines)
