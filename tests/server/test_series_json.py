"""Series as JSON: what metrics have in common is turned into text once, and is still right for each of them."""

import json
import math
from array import array

import pytest

from autolog.server.runs import series_json
from autolog.store.drawing import Drawn
from autolog.store.reduce import Columns

NAN = math.nan
STEPS = [
    [0.0, 1.0, 2.0],
    [0.0, 1.0, 2.5],
    [0.0, NAN, 2.0],
    [NAN] * 3,
    [-0.0, 1e300, 7.0],
    [],
    [0, 2**60 + 1, None],
]


def told(numbers):
    """As the answer is to have them."""
    return [None if one is None or one != one else int(one) if math.isfinite(one) and one == int(one) else one
            for one in numbers]  # fmt: skip


def column(numbers, kind):
    if None in numbers:
        return [NAN if one is None else one for one in numbers]
    return kind(array("d", numbers))


@pytest.mark.parametrize("kind", [array, memoryview, list])
@pytest.mark.parametrize("piece", [2, 1 << 14])
def test_each_series_has_its_own_steps(monkeypatch, kind, piece):
    monkeypatch.setattr(series_json, "_PIECE", piece)
    make = (lambda data: data) if kind is array else kind
    series = []
    for steps in (*STEPS, *reversed(STEPS), STEPS[0]):
        times = array("d", [float(n) for n in range(len(steps))])
        held = column(steps, make)
        series.append(("r", Drawn(None, "m", len(steps), Columns(range(len(steps)), held, held, times, times))))
    found = json.loads(b"".join(series_json.joined(series_json.encoded(series))))["series"]
    for (_, (_, _, _, columns)), answer in zip(series, found, strict=True):
        assert answer["steps"] == answer["epochs"] == told(list(columns.steps))
        assert all(isinstance(one, int) for one in answer["steps"] if one is not None and one == int(one))
        assert answer["times"] == answer["values"] == list(columns.times)
