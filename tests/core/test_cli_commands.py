"""plot, diff, export, tag, set, note, rename, archive, rm: real processes on real run directories."""

import csv
import io
import json
import math
import os
import pty
import subprocess
import sys
import time

import pytest

from autolog import events as e
from autolog.cli.chart import MARKS

BRAVE, CALM = "20250101-100000-000-aaaaaaaa", "20250102-100000-000-bbbbbbbb"
LOSSES = [0.5, math.nan, 1 / 3, math.inf, 0.1]


def write_run(root, run_id, name, *records):
    directory = root / "demo" / run_id
    directory.mkdir(parents=True)
    at = 1_735_725_600.0 if run_id == BRAVE else 1_735_812_000.0
    start = e.RunStart(time=at, id=run_id, name=name, project="demo", pid=1 << 30, host="elsewhere")
    lines = [start, *records, e.End(time=at + 60, status="completed")]
    (directory / "journal.jsonl").write_bytes(b"".join(e.encode(line) + b"\n" for line in lines))


def losses(scale):
    return [
        e.Metrics(
            time=1_735_725_600.0 + at, child="1", values={"loss": e.to_wire(value * scale)}, step=at * 10, epoch=at
        )
        for at, value in enumerate(LOSSES)
    ]


@pytest.fixture
def autolog(tmp_path):
    root = tmp_path / "runs"
    fit = e.Child(time=1_735_725_600.0, child="1", name="MLP", kind="fit")
    packages = {f"package-{number}": "1.0" for number in range(30)}
    for run_id, name, scale, lr in ((BRAVE, "brave-otter-42", 1.0, 0.1), (CALM, "calm-fox-7", 2.0, 0.01)):
        write_run(
            root,
            run_id,
            name,
            fit,
            e.Params(time=1_735_725_600.0, child="1", values={"depth": 3, "lr": lr}),
            e.Args(
                time=1_735_725_600.0,
                values={"lr": {"value": lr, "default": 0.1, "given": lr != 0.1}, "seed": {"value": 0, "default": 0}},
            ),
            e.Fact(
                time=1_735_725_600.0,
                name="packages",
                value=packages if scale == 1.0 else dict.fromkeys(packages, "2.0"),
            ),
            *losses(scale),
            e.ChildEnd(time=1_735_725_660.0, child="1", status="completed"),
        )

    def command(*words, code=0, **options):
        result = subprocess.run(
            [sys.executable, "-m", "autolog.cli", *map(str, words)],
            capture_output=True,
            check=False,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "AUTOLOG_DIR": str(root), "COLUMNS": "80"},
            **options,
        )
        assert result.returncode == code, result.stdout + result.stderr
        assert b"Traceback" not in result.stderr
        return (result.stdout if code == 0 else result.stderr).decode()

    command.root = root
    return command


# plot


def test_plot_draws_several_runs_with_a_legend_in_80_columns(autolog):
    drawn = autolog("plot", "brave", "calm", "loss")
    lines = drawn.splitlines()
    assert lines[0] == "loss"
    assert lines[-2].startswith(f"  {MARKS[0]} brave-otter-42 (2 of 5 not drawable)")
    assert lines[-1].startswith(f"  {MARKS[1]} calm-fox-7")
    assert max(map(len, lines)) <= 80
    assert "\033" not in drawn
    assert drawn.count(MARKS[0]) == 4  # three values and the legend


@pytest.mark.parametrize(
    ("axis", "label", "end"), [("step", "step", "40"), ("epoch", "epoch", "4"), ("time", "seconds", "4")]
)
def test_plot_over_steps_epochs_and_time(autolog, axis, label, end):
    lines = autolog("plot", "brave", "loss", "--x", axis, "--width", 60).splitlines()
    assert label in lines[-2]
    assert lines[-3].split()[-1] == end


def test_plot_of_an_unknown_metric_names_the_nearest(autolog):
    assert "did you mean loss" in autolog("plot", "brave", "los", code=1)


def test_plot_of_several_fits_draws_each(autolog):
    children = [
        record
        for child in ("1", "2")
        for record in (
            e.Child(time=1.0, child=child, name="SVC", kind="fit"),
            e.Metrics(time=2.0, child=child, values={"score": 0.5}, step=1),
        )
    ]
    write_run(autolog.root, "20250103-100000-000-cccccccc", "many", *children)
    assert autolog("plot", "many", "score").splitlines()[-2:] == [f"  {MARKS[0]} many/1", f"  {MARKS[1]} many/2"]


# diff


def test_diff_shows_only_what_differs(autolog):
    shown = autolog("diff", "brave", "calm")
    assert "lr" in shown
    assert "default → given" in shown
    assert "depth" not in shown
    assert "seed" not in shown
    assert "… 10 more" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "package-29" in autolog("diff", "brave", "calm", "--all")


def test_diff_of_a_run_with_itself(autolog):
    assert autolog("diff", "brave", "brave") == "brave-otter-42 and brave-otter-42 do not differ.\n"


def test_diff_as_json(autolog):
    found = json.loads(autolog("diff", "brave", "calm", "--json"))
    assert {"name": "lr", "left": 0.1, "right": 0.01} in found["params"]


# export


def test_exported_history_is_exact(autolog):
    rows = list(csv.DictReader(io.StringIO(autolog("export", "name == 'brave-otter-42'", "--history"))))
    assert list(rows[0])[:6] == ["run", "metric", "step", "epoch", "time", "value"]
    assert [float(row["value"]).hex() for row in rows] == [float(value).hex() for value in LOSSES]
    assert [row["step"] for row in rows] == ["0", "10", "20", "30", "40"]


def test_exports_in_every_format_agree(autolog, tmp_path):
    import pyarrow.parquet

    table = list(csv.DictReader(io.StringIO(autolog("export"))))
    listed = json.loads(autolog("export", "--format", "json"))
    autolog("export", "-o", tmp_path / "runs.parquet")
    columns = pyarrow.parquet.read_table(tmp_path / "runs.parquet").to_pylist()
    autolog("export", "-o", tmp_path / "runs.jsonl")
    one_a_line = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    for rows in (table, listed, columns, one_a_line):
        assert [row["name"] for row in rows] == ["calm-fox-7", "brave-otter-42"]
        assert [float(row["args.lr"]) for row in rows] == [0.01, 0.1]


def test_export_of_a_bad_query_writes_no_file(autolog, tmp_path):
    assert "^" in autolog("export", "name == ==", "-o", tmp_path / "x.csv", code=2)
    assert not (tmp_path / "x.csv").exists()


def test_export_to_a_place_that_cannot_be_written(autolog, tmp_path):
    assert "cannot be written" in autolog("export", "-o", tmp_path / "missing" / "x.csv", code=1)


def test_export_to_a_reader_that_leaves_is_no_error(autolog):
    command = f"{sys.executable} -m autolog.cli export --history | head -1"
    write_run(
        autolog.root,
        "20250103-100000-000-cccccccc",
        "long",
        *(e.Metrics(time=1.0, values={"loss": 0.5}, step=step) for step in range(50_000)),
    )
    environment = {**os.environ, "AUTOLOG_DIR": str(autolog.root)}
    result = subprocess.run(["sh", "-c", command], capture_output=True, check=True, env=environment)
    assert result.stdout.startswith(b"run,metric,step")
    assert result.stderr == b""


# tag, note, rename, rm


def test_tags_notes_and_names_are_kept(autolog):
    assert autolog("tag", "brave", "+paper", "+draft") == "brave-otter-42: paper draft\n"
    assert autolog("tag", "brave", "-draft", "+good") == "brave-otter-42: paper good\n"
    autolog("note", "brave", "the one of table 3")
    autolog("rename", "brave", "table-3")
    shown = json.loads(autolog("show", "table-3", "--json"))
    assert (shown["id"], shown["tags"], shown["note"]) == (BRAVE, ["paper", "good"], "the one of table 3")
    assert "table-3" in autolog("ls", "'paper' in tags")
    assert "neither +TAG nor -TAG" in autolog("tag", "table-3", "paper", code=2)
    assert "empty" in autolog("rename", "table-3", " ", code=2)


def test_fields_are_set_and_taken_away(autolog):
    assert autolog("set", "brave", "reviewed=true", "table=3", "owner=ann b") == (
        "brave-otter-42: reviewed=True table=3 owner=ann b\n"
    )
    assert autolog("set", "brave", "owner=", "table=[1]") == "brave-otter-42: reviewed=True table=[1]\n"
    shown = json.loads(autolog("show", "brave", "--json"))
    assert shown["fields"] == {"reviewed": True, "table": "[1]"}
    assert "Fields" in autolog("show", "brave")
    assert "brave-otter-42" in autolog("ls", "fields.reviewed == True", "-c", "name,fields.table")
    assert "NAME=VALUE" in autolog("set", "brave", "reviewed", code=2)


def test_archived_runs_are_out_of_sight(autolog):
    assert autolog("archive", "brave") == f"archived brave-otter-42 ({BRAVE})\n"
    assert "brave-otter-42" not in autolog("ls")
    assert "brave-otter-42" not in autolog("export")
    assert "brave-otter-42" in autolog("ls", "--archived")
    assert "brave-otter-42" in autolog("export", "archived")
    autolog("unarchive", "brave")
    assert "brave-otter-42" in autolog("ls")


def test_rm_deletes_when_told_to(autolog):
    assert "--yes" in autolog("rm", "brave", code=2)
    assert (autolog.root / "demo" / BRAVE).exists()
    assert BRAVE in autolog("rm", "brave", "--yes")
    assert not (autolog.root / "demo" / BRAVE).exists()
    assert "brave" not in autolog("ls")


def test_rm_of_an_unknown_run_deletes_none_of_the_others(autolog):
    autolog("rm", "brave", "nobody", "--yes", code=1)
    assert (autolog.root / "demo" / BRAVE).exists()


@pytest.mark.parametrize(("answer", "gone"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_rm_asks_on_a_terminal(autolog, answer, gone):
    main, other = pty.openpty()
    environment = {**os.environ, "AUTOLOG_DIR": str(autolog.root)}
    command = [sys.executable, "-m", "autolog.cli", "rm", "brave"]
    with subprocess.Popen(command, stdin=other, stdout=other, stderr=other, env=environment) as process:
        os.close(other)
        asked = b""
        while b"[y/N]" not in asked:
            asked += os.read(main, 1024)
        os.write(main, answer.encode())
        process.wait()
    os.close(main)
    assert process.returncode == (0 if gone else 1)
    assert (autolog.root / "demo" / BRAVE).exists() is not gone


def test_rm_leaves_a_running_run(autolog):
    write_run(autolog.root, "20250103-100000-000-cccccccc", "busy")
    journal = autolog.root / "demo" / "20250103-100000-000-cccccccc" / "journal.jsonl"
    start = e.RunStart(time=time.time(), id=journal.parent.name, name="busy", project="demo", pid=1, host="elsewhere")
    journal.write_bytes(e.encode(start) + b"\n")
    assert "still running" in autolog("rm", "busy", "--yes", code=1)
    assert journal.exists()
