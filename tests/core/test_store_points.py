"""Points come out as they went in: series, compaction, export, differences, reduction."""

from __future__ import annotations

import csv
import io
import json
import math
import struct
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autolog import events as e
from autolog import store
from autolog.store import compact, export, parquet, reduce, series
from autolog.store import diff as differences

START = 1_795_000_000.125
CHILD = e.Child(time=START, child="c1", name="fit", kind="fit")
floats = st.floats(allow_nan=True, allow_infinity=True)
logged = st.lists(
    st.tuples(
        st.sampled_from(["loss", "val/loss ü", 'q"uote']),
        floats | st.integers(-(2**60), 2**60),
        st.none() | st.integers(-5, 10**6) | st.floats(0, 1e6),
        st.sampled_from([None, "c1"]),
    ),
    max_size=40,
)


def make(root, run, *records):
    directory = root / "p" / run
    directory.mkdir(parents=True, exist_ok=True)
    start = e.RunStart(time=START, id=run, name=f"name-{run}", project="p", pid=1)
    lines = [e.encode(record) + b"\n" for record in (start, CHILD, *records)]
    (directory / "journal.jsonl").write_bytes(b"".join(lines))
    return directory


def metric(number, values, step=None, child=None, epoch=None):
    written = {name: e.to_wire(value) for name, value in values.items()}
    return e.Metrics(time=START + number / 8, values=written, step=step, child=child, epoch=epoch)


def bits(value):
    """Floats are compared by their bits, NaN too; integers as they are."""
    return struct.pack("d", value) if isinstance(value, float) and value == value else repr(value)


def stored(directory):
    return parquet.open_stored(parquet.in_folder(directory), parquet.sizes(directory)) is not None


def exact(points):
    return [(p.child, p.metric, p.step, p.epoch, p.time, bits(p.value)) for p in points]


@given(logged)
@settings(max_examples=60, deadline=None)
def test_points_are_what_was_logged(tmp_path_factory, points):
    directory = make(
        tmp_path_factory.mktemp("points"), "r",
        *(metric(n, {name: value}, step, child) for n, (name, value, step, child) in enumerate(points)),
    )  # fmt: skip
    expected = [
        (child, name, step, None, START + n / 8, bits(value)) for n, (name, value, step, child) in enumerate(points)
    ]
    assert exact(series.points(directory)) == expected
    only = [point for point in expected if point[1] == "loss"]
    assert exact(series.points(directory, ["loss"])) == only
    run = store.read_run(directory)
    found = {one.child: [bits(value) for value in one.values] for one in series.series(run, "loss")}
    for child in (None, "c1"):
        assert found.get(child, []) == [point[5] for point in only if point[0] == child]


def test_a_child_has_its_own_series(tmp_path):
    directory = make(tmp_path, "r", metric(1, {"loss": 1.0}), metric(2, {"loss": 2.0}, 7, "c1", epoch=3))
    run = store.read_run(directory)
    (one,) = series.series(run.children[0], "loss")
    assert (one.run, one.child, one.steps, one.epochs, one.times, one.values) == (
        "r", "c1", [7], [3], [START + 0.25], [2.0],
    )  # fmt: skip


def test_several_journals_come_by_time_and_broken_lines_cost_nothing_else(tmp_path):
    directory = make(tmp_path, "r", metric(1, {"loss": 1.0}), metric(3, {"loss": 3.0}))
    lines = [e.encode(metric(2, {"loss": 2.0})) + b"\n", b"broken\n", b'{"type":"new","time":1}\n', b'{"type":"metr']
    (directory / "journal.1.jsonl").write_bytes(b"".join(lines))
    assert [point.value for point in series.points(directory)] == [1.0, 2.0, 3.0]


def test_compacted_points_are_the_same_and_stale_ones_are_not_used(tmp_path):
    values = [1.0, math.nan, math.inf, -math.inf, 5e-324, 0.1 + 0.2, -0.0]
    directory = make(tmp_path, "r", *(metric(n, {"loss": v, "x": n}, step=n, child="c1") for n, v in enumerate(values)))
    before = [point._replace(value=float(point.value)) for point in series.points(directory)]
    path = compact.compact(directory)
    assert path.stat().st_mode & 0o777 == 0o600
    assert stored(directory)
    assert exact(series.points(directory)) == exact(sorted(before, key=lambda point: point.metric))
    assert [p.value for p in series.points(directory, ["x"])] == list(range(len(values)))
    table = pq.read_table(path)
    assert table.column_names == ["run", "metric", "step", "epoch", "time", "value", "child"]
    assert [bits(v) for v in table["value"].to_pylist()[: len(values)]] == [bits(v) for v in values]
    with (directory / "journal.jsonl").open("ab") as file:
        file.write(e.encode(metric(99, {"loss": 99.0})) + b"\n")
    assert not stored(directory)
    assert [point.value for point in series.points(directory, ["loss"])][-1] == 99.0
    path.write_bytes(b"damaged")
    assert [point.value for point in series.points(directory, ["loss"])][-1] == 99.0


def test_nothing_is_compacted_that_a_float_cannot_hold(tmp_path):
    directory = make(tmp_path, "r", metric(1, {"tokens": 2**60 + 1}))
    assert compact.compact(directory) is None
    assert [path.name for path in directory.iterdir()] == ["journal.jsonl"]
    assert [point.value for point in series.points(directory)] == [2**60 + 1]
    assert compact.compact(make(tmp_path, "empty")) is None


def test_system_samples(tmp_path):
    directory = make(tmp_path, "r")
    samples = [e.System(time=START + n, values={"cpu": n, "gpu.0": "NaN"}) for n in range(3)]
    (directory / "system.jsonl").write_bytes(b"".join(e.encode(sample) + b"\n" for sample in samples) + b"bro\n")
    assert [(sample.time, sample.values["cpu"]) for sample in series.system_samples(directory)] == [
        (START, 0), (START + 1, 1), (START + 2, 2),
    ]  # fmt: skip


@given(st.lists(floats, max_size=300), st.integers(1, 80))
@settings(max_examples=150, deadline=None)
def test_reduction_keeps_every_extreme(values, most):
    kept = reduce.reduced(values, most)
    assert kept == sorted(set(kept))
    if len(values) <= most:
        assert kept == list(range(len(values)))
        return
    buckets = max(1, most // 4)
    assert len(kept) <= 10 * buckets
    width = reduce.width_for(len(values), most)
    assert width.bit_count() == 1
    assert buckets / 2 < -(-len(values) // width) <= buckets or width == 1
    for first in range(0, len(values), width):
        bucket = values[first : first + width]
        drawn = [values[place] for place in kept if first <= place < first + width]
        assert (bits(drawn[0]), bits(drawn[-1])) == (bits(bucket[0]), bits(bucket[-1]))
        finite = [value for value in bucket if math.isfinite(value)]
        if finite:
            assert {min(finite), max(finite)} <= set(drawn)
        for odd in (math.inf, -math.inf):
            assert (odd in drawn) == (odd in bucket)
        assert any(value != value for value in drawn) == any(value != value for value in bucket)


# Export


@pytest.fixture
def two(tmp_path):
    make(
        tmp_path, "r1",
        e.Params(time=START, values={"lr": 0.1 + 0.2, "opt": {"name": 'a,"d\nam'}, "layers": [1, 2]}),
        e.Args(time=START, values={"seed": {"value": 7, "default": 0, "given": True, "type": "int"}}),
        metric(1, {"loss": math.nan}, 1, "c1"), metric(2, {"loss": 5e-324}, 2, "c1", 0), metric(3, {"up": math.inf}),
        e.Tags(time=START, add=["x", "y"]), e.End(time=START + 10, status="completed"),
    )  # fmt: skip
    make(tmp_path, "r2", e.Params(time=START, values={"lr": "auto"}), e.End(time=START + 10, status="failed"))
    return [store.find_run(run, dir=tmp_path) for run in ("r1", "r2")]


def written(function, *args):
    file = io.BytesIO()
    function(*args[:1], *args[1:], file)
    return file.getvalue()


def test_history_as_csv_json_and_parquet(two):
    rows = list(csv.reader(io.StringIO(written(export.export_history, two, "csv").decode())))
    assert rows == [
        ["run", "metric", "step", "epoch", "time", "value", "child"],
        ["r1", "loss", "1", "", repr(START + 0.125), "NaN", "c1"],
        ["r1", "loss", "2", "0", repr(START + 0.25), "5e-324", "c1"],
        ["r1", "up", "", "", repr(START + 0.375), "Infinity", ""],
    ]
    plain = json.loads(written(export.export_history, two, "json"), parse_constant=pytest.fail)
    assert [row["value"] for row in plain] == ["NaN", 5e-324, "Infinity"]
    assert plain[1] == dict(zip(export.HISTORY, ["r1", "loss", 2, 0, START + 0.25, 5e-324, "c1"], strict=True))
    table = pq.read_table(io.BytesIO(written(export.export_history, two, "parquet")))
    assert table.column_names == list(export.HISTORY)
    assert [bits(value) for value in table["value"].to_pylist()] == [bits(v) for v in (math.nan, 5e-324, math.inf)]
    assert table["time"].to_pylist()[0] == START + 0.125
    assert [point[6] for point in export.history([two[0].children[0]])] == ["c1", "c1"]


def test_runs_as_csv_json_and_parquet(two):
    (first, second) = csv.DictReader(io.StringIO(written(export.export_runs, two, "csv").decode()))
    assert first["params.lr"] == repr(0.1 + 0.2)
    assert (first["params.opt.name"], first["params.layers"], first["args.seed"]) == ('a,"d\nam', "[1,2]", "7")
    assert (first["metrics.loss"], first["metrics.loss.min"], first["metrics.up"]) == ("5e-324", "5e-324", "Infinity")
    assert (first["tags"], second["params.lr"], second["metrics.loss"]) == ('["x","y"]', "auto", "")
    plain = json.loads(written(export.export_runs, two, "json"), parse_constant=pytest.fail)
    assert (plain[0]["params.layers"], plain[0]["metrics.up"], plain[1]["status"]) == ([1, 2], "Infinity", "failed")
    table = pq.read_table(io.BytesIO(written(export.export_runs, two, "parquet"))).to_pydict()
    assert table["params.lr"] == [repr(0.1 + 0.2), "auto"]
    assert (table["metrics.loss"], table["args.seed"]) == ([5e-324, None], [7, None])


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_nothing_exports_as_nothing(kind):
    assert written(export.export_runs, [], kind)
    data = written(export.export_history, [], kind)
    assert data == {"csv": b"run,metric,step,epoch,time,value,child\n", "json": b"[]\n"}.get(kind, data)


def test_integers_beyond_floats_are_exported(tmp_path):
    run = store.read_run(make(tmp_path, "r", metric(1, {"n": 2**60 + 1}), metric(2, {"n": 10**400})))
    assert f",{2**60 + 1},".encode() in written(export.export_history, [run], "csv")
    assert pq.read_table(io.BytesIO(written(export.export_history, [run], "parquet")))["value"].to_pylist() == [
        float(2**60), math.inf,
    ]  # fmt: skip


# Differences


def test_only_what_differs_is_listed(tmp_path):
    same = [
        e.Params(time=START, values={"same": 1, "nan": "NaN"}),
        e.Fact(time=START, name="python", value={"version": "3"}),
    ]
    given = {"value": 1, "default": 1, "given": True, "type": "int"}
    left = make(
        tmp_path, "l", *same,
        e.Params(time=START, values={"lr": 0.1, "kind": 1}),
        e.Args(time=START, values={"n": given}),
        e.Fact(time=START, name="packages", value={"numpy": "1", "torch": "2"}),
        e.Fact(time=START, name="git", value={"commit": "a", "branch": "main"}),
        e.Fact(time=START, name="gpus", value=[{"name": "A"}, {"name": "B"}]),
        metric(1, {"loss": math.nan}),
    )  # fmt: skip
    right = make(
        tmp_path, "r", *same,
        e.Params(time=START, values={"lr": 0.2, "kind": True, "more": None}),
        e.Args(time=START, values={"n": {**given, "value": 2, "given": False}}),
        e.Fact(time=START, name="packages", value={"numpy": "1", "torch": "3"}),
        e.Fact(time=START, name="git", value={"commit": "b", "branch": "main"}),
        e.Fact(time=START, name="gpus", value=[{"name": "A"}, {"name": "C"}]),
        metric(1, {"loss": math.nan}),
    )  # fmt: skip
    found = differences.diff(store.read_run(left), store.read_run(right))
    listed = {
        section: [(change.name, change.left, change.right, change.detail) for change in changes]
        for section, changes in found.sections.items()
    }
    assert listed == {
        "params": [("lr", 0.1, 0.2, ""), ("kind", 1, True, ""), ("more", differences.MISSING, None, "")],
        "args": [("n", 1, 2, "given → default")],
        "git": [("commit", "a", "b", "")],
        "packages": [("torch", "2", "3", "")],
        "environment": [("gpus.1.name", "B", "C", "")],
    }
    assert found.to_dict()["params"][2] == {"name": "more", "right": None}
    assert differences.diff(store.read_run(left), store.read_run(left)).sections == {}


def test_compaction_does_not_import_pandas(tmp_path):
    pytest.importorskip("pandas")
    run = make(tmp_path, "a", metric(0, {"loss": 0.5}, 1), metric(1, {"loss": math.nan}))
    code = """
import sys
from autolog.store.compact import compact
assert compact(sys.argv[1])
assert "pyarrow" in sys.modules
print("pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code, str(run)], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
