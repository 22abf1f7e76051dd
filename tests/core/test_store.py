"""Runs are read back as they were written: the reader, the index, finding, editing."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import autolog
from autolog import events as e
from autolog import store
from autolog.store import edit, fold, index, reader, summary

START = 1_795_000_000.0


def write_run(root: Path, run: str, *records: e.Record, project: str = "p", name: str = "", **header) -> Path:
    """A run as a process of another machine wrote it, a header and these records."""
    directory = root / project / run
    directory.mkdir(parents=True, exist_ok=True)
    start = e.RunStart(time=header.pop("time", START), id=run, name=name or run, project=project, pid=1, **header)
    append(directory / "journal.jsonl", start, *records)
    return directory


def append(path: Path, *records: e.Record) -> None:
    with path.open("ab") as file:
        file.write(b"".join(e.encode(record) + b"\n" for record in records))


def metric(after: float, child: str | None = None, step: int | None = None, **values) -> e.Metrics:
    written = {name: e.to_wire(value) for name, value in values.items()}
    return e.Metrics(time=START + after, child=child, values=written, step=step)


ENDED = e.End(time=START + 100, status="completed", exit_code=0)


def test_a_run_is_read_back(tmp_path):
    directory = write_run(
        tmp_path,
        "20261122-111134-537-9f3c2a81",
        e.Params(time=START, values={"lr": 0.1, "layers": [1, 2], "deep": {"x": None}}),
        e.Params(time=START + 1, values={"lr": 0.2}),
        e.Args(time=START, values={"seed": {"value": 3, "default": 0, "given": True, "type": "int"}}),
        e.Fact(time=START, name="git", value={"commit": "abc"}),
        e.Fact(time=START, name="seeds", value=[1], append=True),
        e.Fact(time=START + 1, name="seeds", value=[2], append=True),
        e.Tags(time=START, add=["a", "b"]),
        e.Tags(time=START + 1, remove=["a"]),
        e.Note(time=START, text="first"),
        e.Other(time=START, values={"k": "v"}),
        e.Asset(time=START, name="weights", kind="model", uri="file:///x", size=3),
        e.Asset(time=START, name="plot", kind="image", path="assets/x.png"),
        e.Removed(time=START + 1, name="plot"),
        e.Health(time=START, kind="redacted", where="args", count=2, detail="token"),
        e.Health(time=START, kind="redacted", where="args", count=3, detail="token"),
        metric(1, step=1, loss=3.0),
        metric(2, step=2, loss=math.nan),
        metric(3, step=5, loss=1.0),
        metric(4, step=3, loss=2.0),
        ENDED,
        name="brave-otter-42",
        parent="other-run",
    )
    run = store.read_run(directory)
    assert (run.id, run.name, run.project) == ("20261122-111134-537-9f3c2a81", "brave-otter-42", "p")
    assert (run.status, run.end["exit_code"], run.parent) == ("completed", 0, "other-run")
    assert (run.started_at, run.ended_at, run.duration) == (START, START + 100, 100)
    assert run.params == {"lr": 0.2, "layers": [1, 2], "deep": {"x": None}}
    assert run.args["seed"] == {"value": 3, "default": 0, "given": True, "type": "int"}
    assert run.facts == {"git": {"commit": "abc"}, "seeds": [1, 2]}
    assert (run.tags, run.note, run.other) == (["b"], "first", {"k": "v"})
    assert [asset["name"] for asset in run.assets] == ["weights"]
    loss = run.metrics["loss"]
    assert (loss.last, loss.min, loss.max, loss.count, loss.last_step) == (2.0, 1.0, 3.0, 4, 3)
    assert run.health["redacted"] == [
        {"where": "args", "count": 5, "detail": "token", "time": "2026-11-18T11:06:41.000000Z"}
    ]


def test_show_json_has_the_promised_keys_and_is_json(tmp_path):
    directory = write_run(tmp_path, "r", metric(1, bad=math.nan, up=math.inf, ok=1.5))
    shown = store.read_run(directory).to_dict()
    plain = json.loads(json.dumps(shown, allow_nan=False))
    assert set(plain) >= set(
        "id name project parent status end started_at ended_at params args metrics tags note facts assets children "
        "health".split()
    )
    assert plain["metrics"]["bad"] == {
        "last": "NaN", "min": None, "max": None, "count": 1, "last_step": None, "last_epoch": None,
    }  # fmt: skip
    assert plain["metrics"]["up"]["max"] == "Infinity"
    assert plain["started_at"] == "2026-11-18T11:06:40.000000Z"


def test_an_only_fit_is_shown_as_the_run_and_several_are_not(tmp_path):
    fit = [
        e.Child(time=START, child="c1", name="fit", kind="fit", integration="keras"),
        e.Params(time=START, child="c1", values={"epochs": 3, "lr": 1}),
        e.Params(time=START, values={"lr": 2}),
        metric(1, child="c1", loss=0.5, shared=1.0),
        metric(2, shared=2.0),
        e.Child(time=START, child="c2", name="evaluate", kind="evaluate"),
        metric(3, child="c2", test_loss=0.7, loss=9.0),
        e.ChildEnd(time=START + 4, child="c1", status="completed"),
    ]
    one = store.read_run(write_run(tmp_path, "one", *fit, ENDED))
    assert one.params == {"epochs": 3, "lr": 2}
    assert {name: held.last for name, held in one.metrics.items()} == {"shared": 2.0, "loss": 0.5, "test_loss": 0.7}
    assert [(child.id, child.kind, child.status) for child in one.children] == [
        ("c1", "fit", "completed"),
        ("c2", "evaluate", "completed"),
    ]
    assert one.children[0].metrics["shared"].last == 1.0
    second = e.Child(time=START + 5, child="c3", name="fit", kind="fit")
    two = store.read_run(write_run(tmp_path, "two", *fit, second, ENDED))
    assert (set(two.metrics), two.params) == ({"shared"}, {"lr": 2})


def test_children_make_a_tree_and_a_failed_one_says_why(tmp_path):
    error = {"type": "ValueError", "message": "no", "traceback": "…"}
    directory = write_run(
        tmp_path,
        "r",
        e.Child(time=START, child="c1", name="search", kind="fit"),
        e.Child(time=START + 1, child="c2", parent="c1", name="candidate", kind="candidate"),
        e.ChildEnd(time=START + 2, child="c2", status="failed", exception=error),
    )
    run = store.read_run(directory)
    (search,) = run.children
    (candidate,) = search.children
    assert (search.parent, candidate.parent) == ("r", "c1")
    assert (candidate.status, candidate.end) == ("failed", {"exception": error})


def test_broken_lines_are_counted_and_cost_nothing_else(tmp_path):
    directory = write_run(tmp_path, "r", metric(1, loss=1.0))
    with (directory / "journal.jsonl").open("ab") as file:
        file.write(b'{"type":"metrics","tim\n')
        file.write(b"\xff\xfe\n")
        file.write(b'{"type":"metrics","time":1,"values":{"loss":"much"}}\n')
        file.write(b'{"type":"from the future","time":1,"what":1}\n')
        file.write(e.encode(metric(2, loss=2.0)) + b"\n" + e.encode(ENDED) + b"\n")
        file.write(b'{"type":"metrics","time":17')
    run = store.read_run(directory)
    assert run.metrics["loss"].count == 2
    assert run.health["broken_lines"] == {"journal.jsonl": 3}
    assert run.health["unknown_records"] == {"journal.jsonl": 1}
    assert run.health["torn_bytes"] == {"journal.jsonl": 27}


def test_unknown_fields_are_skipped(tmp_path):
    directory = write_run(tmp_path, "r")
    with (directory / "journal.jsonl").open("ab") as file:
        file.write(b'{"type":"metrics","time":1795000001.0,"values":{"loss":4},"mood":"good"}\n')
    run = store.read_run(directory)
    assert run.metrics["loss"].last == 4
    assert "broken_lines" not in run.health


def test_journals_of_one_run_are_merged_by_time(tmp_path):
    directory = write_run(tmp_path, "r", metric(1, loss=1.0), metric(5, loss=5.0), e.Note(time=START + 9, text="late"))
    rank = e.RunStart(time=START + 0.5, id="r", name="r", project="p", pid=7, role="rank", rank=1)
    failed = e.End(time=START + 6, status="failed")
    append(directory / "journal.1.jsonl", rank, metric(3, loss=3.0), e.Note(time=START + 2, text="early"), failed)
    run = store.read_run(directory)
    assert run.metrics["loss"].last == 5.0
    assert run.metrics["loss"].count == 3
    assert run.note == "late"
    assert run.status != "failed"  # the run's status is that of its main process
    assert [(one["role"], one.get("status")) for one in run.processes] == [("main", None), ("rank", "failed")]


def test_a_clock_that_jumps_back_does_not_change_what_is_newest(tmp_path):
    run = store.read_run(write_run(tmp_path, "r", metric(50, loss=1.0), metric(-500, loss=2.0)))
    assert run.metrics["loss"].last == 2.0


def test_huge_integers_and_deep_names_come_back_exactly(tmp_path):
    big = 2**80 + 1
    write_run(tmp_path, "r", e.Params(time=START, values={"n": big}), metric(1, **{"a/b c.ü": big}), ENDED)
    (row,) = store.runs(dir=tmp_path)
    assert row.params["n"] == big
    assert row.metrics["a/b c.ü"].last == big


def test_reading_on_is_the_same_as_reading_anew(tmp_path):
    records = [
        e.Child(time=START, child="c1", name="fit", kind="fit"),
        *(metric(k, child="c1", step=k, loss=math.sin(k)) for k in range(50)),
        metric(51, child="c1", loss=math.nan, other=-math.inf),
        e.Fact(time=START + 52, name="seeds", value=["x"], append=True),
        e.ChildEnd(time=START + 53, child="c1", status="completed"),
        ENDED,
    ]
    directory = write_run(tmp_path, "r")
    data = b"".join(e.encode(record) + b"\n" for record in records)
    state = reader.read_state(directory)
    for start in range(0, len(data), 777):  # cuts lines anywhere
        with (directory / "journal.jsonl").open("ab") as file:
            file.write(data[start : start + 777])
        state = reader.read_state(directory, fold.load_state(fold.dump_state(state)))
    anew = reader.read_state(directory)
    assert fold.dump_state(state) == fold.dump_state(anew)
    assert summary.summarize(state, directory).metrics["loss"].count == 51


def test_a_journal_that_became_shorter_is_read_anew(tmp_path):
    directory = write_run(tmp_path, "r", metric(1, loss=1.0), metric(2, loss=2.0))
    state = reader.read_state(directory)
    (directory / "journal.jsonl").unlink()
    write_run(tmp_path, "r", metric(1, loss=7.0))
    assert summary.summarize(reader.read_state(directory, state), directory).metrics["loss"].count == 1


def test_a_resumed_run_goes_on_after_its_earlier_end(tmp_path):
    failed = [
        metric(1, loss=1.0),
        e.End(time=START + 2, status="failed"),
        e.Exit(time=START + 3, pid=1, source="pidfd"),
    ]
    again = e.RunStart(time=START + 50, id="r", name="r", project="p", pid=1, resumed=True, host="elsewhere")
    directory = write_run(tmp_path, "r", *failed, again, metric(51, loss=0.5))
    state = reader.read_state(directory)
    going_on = summary.summarize(state, directory, now=START + 60)
    assert (going_on.status, going_on.started_at, going_on.ended_at) == ("running", START, None)
    append(directory / "journal.jsonl", ENDED)
    ended = store.read_run(directory)
    assert (ended.status, ended.metrics["loss"].count, ended.ended_at) == ("completed", 2, START + 100)


def test_a_directory_without_a_journal_is_no_run(tmp_path):
    with pytest.raises(FileNotFoundError):
        store.read_run(tmp_path)


def test_a_journal_whose_first_line_is_lost_is_still_a_run(tmp_path):
    directory = tmp_path / "proj" / "some-run"
    directory.mkdir(parents=True)
    append(directory / "journal.jsonl", metric(1, loss=1.0))
    run = store.read_run(directory)
    assert (run.id, run.project, run.metrics["loss"].last) == ("some-run", "proj", 1.0)


def test_a_run_whose_first_line_is_lost_is_not_taken_for_the_sidecars_process(tmp_path):
    directory = tmp_path / "p" / "r"
    directory.mkdir(parents=True)
    append(directory / "journal.jsonl", metric(1, loss=1.0))
    sidecar = e.RunStart(time=START, id="r", name="n", project="p", pid=os.getpid(), host="h", role="sidecar")
    append(directory / "system.jsonl", sidecar, e.Exit(time=START + 2, pid=77, source="pidfd", signal=9))
    run = store.read_run(directory)
    assert (run.name, run.status, run.end["signal"], run.ended_at) == ("n", "killed", "KILL", START + 2)


# The index


def test_the_index_follows_what_happens_on_disk(tmp_path):
    directory = write_run(tmp_path, "r1", metric(1, loss=1.0), ENDED)
    assert [row.metrics["loss"].last for row in store.runs(dir=tmp_path)] == [1.0]
    append(directory / "journal.jsonl", metric(2, loss=0.5))
    assert [row.metrics["loss"].last for row in store.runs(dir=tmp_path)] == [0.5]
    write_run(tmp_path, "r2", ENDED, time=START + 1000)
    assert [row.id for row in store.runs(dir=tmp_path)] == ["r2", "r1"]
    edit.remove(store.find_run("r1", dir=tmp_path))
    assert [row.id for row in store.runs(dir=tmp_path)] == ["r2"]
    (tmp_path / index.FILE).unlink()
    assert [row.id for row in store.runs(dir=tmp_path)] == ["r2"]


def test_an_unchanged_finished_run_is_not_opened_again(tmp_path):
    directory = write_run(tmp_path, "r1", metric(1, loss=1.0), ENDED)
    store.runs(dir=tmp_path)
    journal = directory / "journal.jsonl"
    stat = journal.stat()
    journal.write_bytes(b"x" * stat.st_size)  # what a reader would choke on
    os.utime(journal, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert store.runs(dir=tmp_path)[0].metrics["loss"].last == 1.0


@pytest.mark.parametrize("damage", [b"", b"not a database at all" * 1000])
def test_a_damaged_index_is_made_anew(tmp_path, damage):
    write_run(tmp_path, "r1", ENDED)
    store.runs(dir=tmp_path)
    (tmp_path / index.FILE).write_bytes(damage)
    assert [row.id for row in store.runs(dir=tmp_path)] == ["r1"]
    assert [row.id for row in store.runs("status == 'completed'", dir=tmp_path)] == ["r1"]


def test_an_index_of_another_version_is_made_anew(tmp_path):
    write_run(tmp_path, "r1", ENDED)
    store.runs(dir=tmp_path)
    with sqlite3.connect(tmp_path / index.FILE) as connection:
        connection.execute("PRAGMA user_version = 999")
        connection.execute("DROP TABLE runs")
    connection.close()
    assert [row.id for row in store.runs(dir=tmp_path)] == ["r1"]


def test_the_index_is_private_and_runs_without_any_are_none(tmp_path):
    assert list(store.runs(dir=tmp_path / "nowhere")) == []
    write_run(tmp_path, "r1", ENDED)
    store.runs(dir=tmp_path)
    assert (tmp_path / index.FILE).stat().st_mode & 0o777 == 0o600


def test_a_locked_index_does_not_hold_up_a_reader(tmp_path, monkeypatch):
    write_run(tmp_path, "r1", ENDED)
    store.runs(dir=tmp_path)
    write_run(tmp_path, "r2", ENDED)
    connect = sqlite3.connect
    monkeypatch.setattr(
        index.sqlite3, "connect", lambda *args, **options: connect(*args, **{**options, "timeout": 0.1})
    )
    holder = connect(tmp_path / index.FILE, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        assert {row.id for row in store.runs(dir=tmp_path)} == {"r1", "r2"}
    finally:
        holder.close()


READ_ONLY = """
import os, sys
from autolog import store
print([row.id for row in store.runs(sys.argv[2], dir=sys.argv[1])])
"""


@pytest.mark.parametrize("indexed", [False, True])
def test_a_read_only_root(tmp_path, indexed):
    root = tmp_path / "root"
    write_run(root, "r1", ENDED)
    if indexed:
        store.runs(dir=root)
        write_run(root, "r2", ENDED, time=START - 5)
    # For root a mode is no obstacle: without that capability it is.
    command = (
        ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"] if os.geteuid() == 0 else []
    )
    everything = [root, *root.rglob("*")]
    for path in everything:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        if (
            command
            and subprocess.run([*command, "touch", root / "x"], capture_output=True, check=False).returncode == 0
        ):
            pytest.skip("setpriv cannot drop rights here")
        for where in ("", "status == 'completed'"):
            done = subprocess.run(
                [*command, sys.executable, "-c", READ_ONLY, root, where], capture_output=True, text=True, check=False
            )
            assert done.stdout == ("['r1', 'r2']\n" if indexed else "['r1']\n"), done.stderr
    finally:
        for path in everything:
            path.chmod(0o700 if path.is_dir() else 0o600)
    assert (root / index.FILE).exists() == indexed


def test_a_run_that_cannot_be_read_is_named_and_hides_no_other(tmp_path):
    write_run(tmp_path, "r1", ENDED)
    (tmp_path / "p" / "r2" / "journal.jsonl").mkdir(parents=True)  # unreadable as a file, for root too
    found = store.runs(dir=tmp_path)
    assert [run.id for run in found] == ["r1"]
    assert found.hints == ["run p/r2 cannot be read: Is a directory"]


def test_listing_needs_nothing_heavy(tmp_path):
    """Half a second for a thousand runs leaves no time to import SQLAlchemy, pandas or pyarrow."""
    write_run(tmp_path, "r1", metric(1, loss=1.0), ENDED)
    code = (
        "import sys; from autolog import store; store.runs(sort='loss', dir=sys.argv[1]); "
        "store.find_run('r1', sys.argv[1]); "
        "heavy = {'sqlalchemy', 'pandas', 'polars', 'pyarrow', 'numpy', 'requests'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_many_readers_at_once(tmp_path):
    for number in range(30):
        write_run(tmp_path, f"r{number:02}", metric(1, loss=1.0), ENDED)
    code = "import sys; from autolog import store; print(len(store.runs(dir=sys.argv[1])))"
    readers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    assert [process.communicate() for process in readers] == [(b"30\n", b"")] * 4


def test_a_running_run_changes_its_status_without_a_byte(tmp_path):
    """A process that is killed cannot write that it was: readers see it."""
    code = (
        "import sys, autolog; run = autolog.start_run(); autolog.log_metric('x', 1.0); print(run.id, flush=True);"
        "sys.stdin.read()"
    )
    environment = {**os.environ, "AUTOLOG_DIR": str(tmp_path), "AUTOLOG_SIDECAR": "0", "AUTOLOG_PROJECT": "p"}
    environment.pop("AUTOLOG_PARENT", None)
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        run_id = process.stdout.readline().strip()
        (row,) = store.runs("status == 'running'", dir=tmp_path)
        assert (row.id, row.metrics["x"].last, row.ended_at) == (run_id, 1.0, None)
        with pytest.raises(edit.RunIsRunning):
            edit.remove(row)
    finally:
        process.kill()
        process.communicate()
    assert store.find_run(run_id, dir=tmp_path).status == "killed"
    (row,) = store.runs("status == 'killed'", dir=tmp_path)
    assert row.id == run_id


# Finding


@pytest.fixture
def several(tmp_path):
    for place, (run, name) in enumerate(
        [("20260101-000000-000-aaaa1111", "red-fox-1"), ("20260102-000000-000-aabb2222", "red-fox-2"),
         ("20260103-000000-000-cccc3333", "blue-owl-1"), ("20260104-000000-000-dddd4444", "blue-owl-1")]
    ):  # fmt: skip
        child = e.Child(time=START, child="c1", name="fit", kind="fit")
        write_run(tmp_path, run, child, metric(1, child="c1", loss=1.0), ENDED, name=name, time=START + place)
    return tmp_path


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        ("20260101-000000-000-aaaa1111", "aaaa1111"),
        ("20260102", "aabb2222"),
        ("cccc", "cccc3333"),
        ("red-fox-2", "aabb2222"),
        ("red-fox-1", "aaaa1111"),
        ("last", "dddd4444"),
        ("last~3", "aaaa1111"),
    ],
)
def test_a_run_is_found(several, ref, found):
    assert store.find_run(ref, dir=several).id.endswith(found)


def test_a_child_run_is_found(several):
    child = store.find_run("red-fox-1/c1", dir=several)
    assert (child.id, child.metrics["loss"].last) == ("c1", 1.0)
    assert store.find_run("red-fox-1/fit", dir=several).id == "c1"
    with pytest.raises(store.UnknownRun, match=r"its children: c1 \(fit\)"):
        store.find_run("red-fox-1/c9", dir=several)


def test_what_is_not_found_gets_the_nearest_names(several):
    with pytest.raises(store.UnknownRun, match="did you mean red-fox-"):
        store.find_run("red-fix-1", dir=several)
    with pytest.raises(store.UnknownRun, match="there are no runs in"):
        store.find_run("last", dir=several / "nowhere")


@pytest.mark.parametrize("ref", ["blue-owl-1", "aa", "2026"])
def test_what_means_several_runs_lists_them(several, ref):
    with pytest.raises(store.AmbiguousRun, match=r"say which by id:\n  2026"):
        store.find_run(ref, dir=several)


# Listing


def test_runs_sort_and_limit(tmp_path):
    for name, loss in [("a", 0.3), ("b", math.nan), ("c", 0.1), ("d", None), ("e", math.inf)]:
        write_run(tmp_path, name, *([metric(1, loss=loss)] if loss is not None else []), ENDED)
    assert [run.id for run in store.runs(sort="metrics.loss", dir=tmp_path)] == ["c", "a", "e", "b", "d"]
    assert [run.id for run in store.runs(sort="-loss", dir=tmp_path)] == ["e", "a", "c", "b", "d"]
    listed = store.runs(sort="loss", limit=2, dir=tmp_path)
    assert ([run.id for run in listed], listed.total) == (["c", "a"], 5)
    with pytest.raises(store.UnknownColumn, match="did you mean 'loss'"):
        store.runs(sort="los", dir=tmp_path)
    assert [run.id for run in store.runs(project="nope", dir=tmp_path)] == []


def test_runs_as_frames(tmp_path, monkeypatch):
    write_run(tmp_path, "a", e.Params(time=START, values={"lr": 0.1, "act": "relu"}), metric(1, loss=math.nan), ENDED)
    write_run(tmp_path, "b", e.Params(time=START, values={"lr": 1, "act": 3}), ENDED, time=START + 1)
    monkeypatch.setenv("AUTOLOG_DIR", str(tmp_path))
    monkeypatch.setattr(autolog.config, "_cached", None)
    frame = autolog.runs().to_pandas()
    assert list(frame["id"]) == ["b", "a"]
    assert frame["params.lr"].tolist() == [1.0, 0.1]
    assert str(frame["started_at"].dtype).endswith("UTC]")
    assert math.isnan(frame["metrics.loss"][1])
    polars = autolog.runs().to_polars()
    assert polars["params.lr"].to_list() == [1.0, 0.1]
    assert polars["params.act"].to_list() == ["3", "relu"]
    assert polars["metrics.loss"].to_list()[0] is None
    assert polars["started_at"].dtype.time_zone == "UTC"
    assert json.loads(json.dumps(autolog.runs().to_dicts(), allow_nan=False))[1]["metrics"]["loss"]["last"] == "NaN"


# Editing


def test_edits_are_appended_and_read(tmp_path):
    directory = write_run(tmp_path, "r", e.Tags(time=START, add=["old"]), ENDED, name="before")
    written = (directory / "journal.jsonl").read_bytes()
    run = store.find_run("r", dir=tmp_path)
    edit.tag(run, add=["new", "x"], remove=["old"])
    edit.set_note(run, "good one ü")
    edit.rename(run, "after")
    seen = store.find_run("after", dir=tmp_path)
    assert (seen.tags, seen.note, seen.status, seen.ended_at) == (["new", "x"], "good one ü", "completed", START + 100)
    assert (directory / "journal.jsonl").read_bytes() == written
    assert [row.name for row in store.runs("'new' in tags", dir=tmp_path)] == ["after"]


def test_fields_are_set_replaced_and_taken_away(tmp_path):
    write_run(tmp_path, "r", e.Fields(time=START, values={"owner": "ann", "score": 1}), ENDED, name="one")
    write_run(tmp_path, "s", ENDED, name="two")
    edit.set_fields(store.find_run("one", dir=tmp_path), {"reviewed": True, "score": 2.5, "owner": None})
    edit.set_fields(store.find_run("one", dir=tmp_path), {"worst": math.nan})
    seen = store.find_run("one", dir=tmp_path)
    assert seen.fields == {"reviewed": True, "score": 2.5, "worst": "NaN"}
    assert seen.to_dict()["fields"] == seen.fields

    def found(query):
        return [row.name for row in store.runs(query, dir=tmp_path)]

    assert found("fields.reviewed == True and fields.score > 2") == ["one"]
    assert found("fields.owner is not None") == []
    assert [row.name for row in store.runs(sort="fields.score", dir=tmp_path)] == ["one", "two"]
    assert store.runs(dir=tmp_path).to_records()[0]["fields.score"] in (2.5, None)


@pytest.mark.parametrize(
    "values", [{"": 1}, {"x" * 201: 1}, {"a\nb": 1}, {"a": [1]}, {"a": "x" * 10_001}, {"a": 2**70}]
)
def test_fields_that_are_none_are_refused(tmp_path, values):
    directory = write_run(tmp_path, "r", ENDED)
    with pytest.raises(ValueError, match="field"):
        edit.set_fields(store.find_run("r", dir=tmp_path), values)
    assert not (directory / "journal.edits.jsonl").exists()


def test_archived_runs_are_listed_where_they_are_asked_for(tmp_path):
    write_run(tmp_path, "r", ENDED, name="old")
    write_run(tmp_path, "s", e.Child(time=START, child="c1", name="fit", kind="fit"), ENDED, name="new")

    def found(query="", **options):
        return sorted(row.name for row in store.runs(query, dir=tmp_path, **options))

    edit.archive(store.find_run("old", dir=tmp_path))
    assert (found(), found("status == 'completed'"), found(archived=True)) == (["new"], ["new"], ["new", "old"])
    assert (found("archived == True"), found("archived"), found("not archived")) == (["old"], ["old"], ["new"])
    assert found("archived or name == 'new'") == ["new", "old"]
    assert store.find_run("old", dir=tmp_path).archived
    edit.archive(store.find_run("old", dir=tmp_path), archived=False)
    assert found() == ["new", "old"]
    with pytest.raises(ValueError, match="child run"):
        edit.archive(store.find_run("new", dir=tmp_path).children[0])
    with pytest.raises(store.QueryError, match="True or False"):
        found("archived == 'yes'")


@pytest.mark.parametrize("time", [1e300, -1e300, 1e12, -1e12])
def test_times_that_no_calendar_has_are_shown_as_the_nearest(tmp_path, time):
    from autolog.cli import text

    directory = write_run(tmp_path, "r", e.End(time=time, status="completed", exit_code=0))
    run = store.read_run(directory)
    run.started_at = time
    assert run.to_dict()["started_at"][:4] in ("0001", "9999")
    assert text.moment(time)[:5].strip("-")
    assert text.ago(time, START)


def test_an_edit_is_no_sign_of_life(tmp_path):
    directory = write_run(tmp_path, "r", metric(1, loss=1.0), host="elsewhere", boot="b")
    edit.set_note(store.read_run(directory), "hello")
    state = reader.read_state(directory)
    seen = summary.summarize(state, directory, now=START + 10_000)
    assert (seen.status, seen.ended_at) == ("lost", START + 1)


def test_removal_follows_no_links_and_takes_only_runs(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    root = tmp_path / "root"
    directory = write_run(root, "r", e.Child(time=START, child="c1", name="fit", kind="fit"), ENDED)
    (directory / "link").symlink_to(outside, target_is_directory=True)
    run = store.find_run("r", dir=root)
    with pytest.raises(ValueError, match="child run"):
        edit.remove(run.children[0])
    linked = root / "p" / "linked"
    linked.symlink_to(outside, target_is_directory=True)
    run.directory = str(linked)
    with pytest.raises(ValueError, match="no run's directory"):
        edit.remove(run)
    edit.remove(store.find_run("r", dir=root))
    assert not directory.exists()
    assert (outside / "precious").read_text() == "x"
    assert sorted(path.name for path in (root / "p").iterdir()) == ["linked"]
