"""What is logged is read back exactly: through the journal, the index, the series and every export."""

import csv
import json
import math
import os
import subprocess
import sys

import pytest

import autolog
from autolog.store import find_run
from autolog.store.series import points

ODD_NAMES = [
    "val/loss",
    "../../etc/passwd",
    "a b\tc",
    "läss☃\U0001f600",
    "x.y.min",
    "'quoted\" \\name",
    "",
    "NaN",
    "newline\nname",
]
ODD_VALUES = [math.nan, math.inf, -math.inf, -0.0, 0.1, 1e-320, 1.7976931348623157e308, 2**53 - 1, 1 / 3]


def same(left, right):
    if math.isnan(left):
        return math.isnan(right)
    return left == right and math.copysign(1, left) == math.copysign(1, right)


def test_odd_values_names_and_steps(runs_dir):
    logged = []
    with autolog.start_run(name="odd") as run:
        for number, name in enumerate(ODD_NAMES):
            for value in ODD_VALUES:
                autolog.log_metric(name, value, step=number - 3)
                logged.append((name, number - 3, value))
        for step in (5, 3, 3, -1):  # repeated and backward
            autolog.log_metric("back", float(step), step=step, epoch=0.5)
            logged.append(("back", step, float(step)))
    found = list(points(run.directory))
    assert len(found) == len(logged)
    for (name, step, value), point in zip(logged, found, strict=True):
        assert (point.metric, point.step) == (name, step)
        assert same(value, point.value)
    assert [point.epoch for point in found if point.metric == "back"] == [0.5] * 4
    summary = find_run(run.id, dir=runs_dir)
    for name in ODD_NAMES:
        metric = summary.metrics[name]
        assert (metric.count, metric.min, metric.max) == (len(ODD_VALUES), -math.inf, math.inf)


def test_a_megabyte_of_text_and_unicode(runs_dir):
    text = "x☃\U0001f600" * 250_000
    with autolog.start_run() as run:
        autolog.log_param("big", text)
        autolog.log_param("ключ ☃", "värde\n\t\x00")
        autolog.set_note(text)
        autolog.log_other("o", {"nested": [text]})
    summary = find_run(run.id, dir=runs_dir)
    assert summary.params == {"big": text, "ключ ☃": "värde\n\t\x00"}
    assert summary.note == text


def test_ten_thousand_names(runs_dir):
    with autolog.start_run() as run:
        for number in range(10_000):
            autolog.log_metric(f"layer.{number}/grad", number / 7, step=number)
    summary = find_run(run.id, dir=runs_dir)
    assert len(summary.metrics) == 10_000
    assert summary.metrics["layer.9999/grad"].last == 9999 / 7


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_a_million_points_through_the_command_line(runs_dir, tmp_path, form):
    count = 1_000_000 if form == "parquet" else 50_000
    value = 0.1
    expected = []
    with autolog.start_run(name="million") as run:
        for step in range(count):
            value = value * 1103515245 % 7.3
            autolog.log_metric("loss", value, step)
            expected.append(value)
        autolog.log_metric("loss", math.nan, count)
    target = tmp_path / f"out.{form}"
    command = [sys.executable, "-m", "autolog.cli", "export", "--history", "--format", form, "-o", str(target)]
    subprocess.run(command, check=True, env={**os.environ, "AUTOLOG_DIR": str(runs_dir)})
    if form == "csv":
        with target.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0])[:6] == ["run", "metric", "step", "epoch", "time", "value"]
        values = [float(row["value"]) for row in rows]
        steps = [int(row["step"]) for row in rows]
    elif form == "json":
        rows = json.loads(target.read_text())
        values = [float(row["value"]) for row in rows]
        steps = [row["step"] for row in rows]
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        table = parquet.read_table(target)
        values, steps = table["value"].to_pylist(), table["step"].to_pylist()
    assert steps == list(range(count + 1))
    assert values[:-1] == expected
    assert math.isnan(values[-1])
    assert run.id
