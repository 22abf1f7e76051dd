"""The command line as people use it: real processes on real run directories."""

import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autolog import events as e

PROJECT = "demo"


class Runs:
    """A runs directory with the `autolog` command beside it."""

    def __init__(self, root):
        self.root = root
        self.made = 0

    def make(self, name, *records, status="completed", exception=None, seconds=61.0, lr=None):
        start = time.time() - 3600 * 24 + 3600 * self.made
        self.made += 1
        run_id = f"20250101-{100000 + self.made}-000-{self.made:08x}"
        directory = self.root / PROJECT / run_id
        directory.mkdir(parents=True)
        lines = [e.RunStart(time=start, id=run_id, name=name, project=PROJECT, pid=1 << 30, host="elsewhere")]
        if lr is not None:
            argument = {"value": lr, "default": 0.1, "given": lr != 0.1, "type": "float"}
            lines.append(e.Args(time=start, values={"lr": argument}))
        lines += [self._timed(record, start + 1) for record in records]
        lines.append(e.End(time=start + seconds, status=status, exception=exception))
        (directory / "journal.jsonl").write_bytes(b"".join(e.encode(line) + b"\n" for line in lines))
        return run_id

    @staticmethod
    def _timed(record, at):
        record.time = at
        return record

    def __call__(self, *words, columns=80, code=0, **environment):
        result = subprocess.run(
            [sys.executable, "-m", "autolog.cli", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.root.parent,
            env={**os.environ, "AUTOLOG_DIR": str(self.root), "COLUMNS": str(columns), **environment},
        )
        assert result.returncode == code, result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        return result.stdout if code == 0 else result.stderr


def metrics(**values):
    return e.Metrics(time=0, values=values)


def curve(name, values):
    return [
        e.Metrics(time=0, values={name: e.to_wire(value)}, step=10 * at, epoch=at) for at, value in enumerate(values)
    ]


@pytest.fixture
def autolog(tmp_path):
    return Runs(tmp_path / "runs")


@pytest.fixture
def three(autolog):
    autolog.make("brave-otter-42", *curve("val_loss", [0.9, 0.5, 0.25]), e.Params(time=0, values={"depth": 3}), lr=0.1)
    autolog.make("calm-fox-7", *curve("val_loss", [0.9, 0.7, 0.6]), e.Params(time=0, values={"depth": 4}), lr=0.01)
    error = {"type": "ValueError", "message": "bad batch", "traceback": "Traceback …\nValueError: bad batch"}
    autolog.make("quick-seal-12", status="failed", exception=error, lr=1.0)
    return autolog


def names(listing):
    return [line.split()[0] for line in listing.splitlines()[1:]]


# ls


def test_ls_is_newest_first_with_results_and_what_was_changed(three):
    listing = three("ls")
    assert names(listing) == ["quick-seal-12", "calm-fox-7", "brave-otter-42"]
    header, first, second, _ = listing.splitlines()
    assert header.split() == ["name", "status", "started", "took", "lr", "val_loss"] or "depth" in header
    assert "failed" in first
    assert "0.6" in second
    assert "0.01" in second


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_ls_fits_the_terminal(autolog, columns):
    for number in range(4):
        values = {f"a_rather_long_metric_name_{each}": 1 / 3 + number + each for each in range(12)}
        autolog.make("a name of a run that is far too long for anyone " * 2, metrics(**values), lr=number / 3)
    listing = autolog("ls", columns=columns)
    assert max(map(len, listing.splitlines())) <= columns
    assert "a name of a" in listing


def test_ls_is_neither_cut_nor_coloured_in_a_pipe(autolog):
    autolog.make("x" * 24, metrics(**{f"a_rather_long_metric_name_{each}": 1.5 for each in range(6)}))
    listing = autolog("ls", columns="")
    assert "a_rather_long_metric_name_3" in listing
    assert "…" not in listing
    assert "\033" not in listing


def test_ls_has_colours_on_a_terminal(three):
    shown = in_terminal(three, "ls")
    assert "\033[" in shown
    assert "quick-seal-12" in shown


def test_ls_filters_sorts_and_chooses(three):
    assert names(three("ls", "metrics.val_loss < 0.3")) == ["brave-otter-42"]
    assert names(three("ls", "status == 'failed'")) == ["quick-seal-12"]
    by_lr = three("ls", "--sort", "-args.lr", "--columns", "name,args.lr,metrics.val_loss.min")
    assert names(by_lr) == ["quick-seal-12", "brave-otter-42", "calm-fox-7"]
    assert by_lr.splitlines()[0].split() == ["name", "lr", "val_loss.min"]
    assert by_lr.splitlines()[2].split() == ["brave-otter-42", "0.1", "0.25"]
    assert names(three("ls", "--limit", "1"))[0] == "quick-seal-12"
    assert "1 of 3 runs" in three("ls", "--limit", "1")
    assert "No run in" in three("ls", "--project", "another")


def test_ls_as_json_is_exact(three):
    listed = json.loads(three("ls", "--json"))
    assert [run["name"] for run in listed] == ["quick-seal-12", "calm-fox-7", "brave-otter-42"]
    assert listed[2]["metrics"]["val_loss"]["last"] == 0.25


def test_ls_counts_children_and_lists_them_with_all(autolog):
    fits = [
        record
        for each in ("1", "2", "3")
        for record in (
            e.Child(time=0, child=each, name=f"SVC-{each}", kind="fit"),
            e.Metrics(time=0, child=each, values={"score": float(each)}),
            e.ChildEnd(time=0, child=each, status="completed"),
        )
    ]
    autolog.make("many", *fits)
    autolog.make("one", *fits[:3])
    listing = autolog("ls")
    assert "many (+3)" in listing
    assert "SVC" not in listing
    assert names(listing) == ["one", "many"]  # a single fit is part of its run
    assert listing.splitlines()[1].rstrip().endswith("1")
    everything = autolog("ls", "--all")
    assert all(f"└ SVC-{each}" in everything for each in "123")


def test_ls_without_runs_says_where_it_looked(autolog):
    said = autolog("ls")
    assert str(autolog.root) in said
    assert "import autolog" in said


def test_recorded_text_neither_steers_the_terminal_nor_is_markup(autolog):
    autolog.make("evil\033[2J[bold]name", e.Params(time=0, values={"p": "\033]0;title\007[red]x[/red]"}))
    for shown in (autolog("ls"), autolog("show", "last"), in_terminal(autolog, "show", "last")):
        assert "\033[2J" not in shown
        assert "\033]0" not in shown
    assert "[bold]name" in autolog("ls")
    assert "[red]x[/red]" in autolog("show", "last")


# show


def test_show_tells_everything(autolog):
    autolog.make(
        "brave-otter-42",
        *curve("loss", [0.9, float("nan"), 0.25]),
        e.Params(time=0, values={"depth": 3}),
        e.Fact(time=0, name="packages", value={"numpy": "2.0", "torch": "2.13"}),
        e.Tags(time=0, add=["baseline"]),
        e.Note(time=0, text="the good one"),
        e.Asset(time=0, name="confusion", kind="table", path="assets/abc", size=1500),
        e.Health(time=0, kind="error", where="keras.on_epoch_end", count=3, detail="KeyError: 'loss'"),
        lr=0.01,
    )
    page = autolog("show", "last")
    for expected in (
        "brave-otter-42", "completed", "1m 01s", "baseline", "the good one", "2 installed", "confusion", "1.5 kB",
        "keras.on_epoch_end (3 times): KeyError: 'loss'", "given (default 0.1)",
    ):  # fmt: skip
        assert expected in page
    assert re.search(r"^depth +3 *$", page, re.MULTILINE)
    assert re.search(r"^loss +0\.25 +0\.25 +0\.9 +3 +20 +2 *$", page, re.MULTILINE)
    assert autolog("show", "last", "--packages") == "numpy==2.0\ntorch==2.13\n"


def test_show_as_json_has_the_promised_keys(three):
    shown = json.loads(three("show", "brave-otter-42", "--json"))
    promised = {
        "id", "name", "project", "parent", "status", "end", "started_at", "ended_at", "params", "args", "metrics",
        "tags", "note", "facts", "assets", "children", "health",
    }  # fmt: skip
    assert promised <= set(shown)
    metric = {"last": 0.25, "min": 0.25, "max": 0.9, "count": 3, "last_step": 20, "last_epoch": 2}
    assert shown["metrics"]["val_loss"] == metric


def test_show_tells_how_it_failed(three):
    page = three("show", "quick-seal-12")
    assert "ValueError: bad batch" in page
    assert "Traceback" in page


def test_show_prints_the_console_byte_for_byte(three):
    run = json.loads(three("show", "last", "--json"))
    Path(run["directory"], "console.log").write_bytes("Epoch 1 ✓\n\033[32mgreen\033[0m\n".encode())
    assert three("show", "last", "--console") == "Epoch 1 ✓\n\033[32mgreen\033[0m\n"
    assert "no console log" in three("show", "calm", "--console", code=1)


# errors


def test_unknown_run_names_the_nearest(three):
    assert "did you mean brave-otter-42" in three("show", "brve-oter-42", code=1)


def test_bad_query_shows_the_place(three):
    lines = three("ls", "metrics.val_loss < < 3", code=2).splitlines()
    caret = next(line for line in lines if line.strip() == "^")
    assert lines[lines.index(caret) - 1][caret.index("^")] == "<"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sho"], "did you mean `autolog show`"),
        (["ls", "--nope"], "--nope"),
        (["ls", "--limit", "x"], "--limit"),
        (["ls", "--sort", "metrics.val_los"], "did you mean 'metrics.val_loss'"),
        (["show", "a", "b"], "b"),
        (["doctor", "--nope"], "--nope"),
    ],
)
def test_wrong_use_exits_with_2_and_says_what_is_wrong(three, words, said):
    assert said in three(*words, code=2)


def test_a_reader_that_leaves_is_no_error(autolog):
    for number in range(50):
        autolog.make(f"run-{number}", *curve("loss", range(300)))
    command = f"{sys.executable} -m autolog.cli ls --json | head -1"
    environment = {**os.environ, "AUTOLOG_DIR": str(autolog.root)}
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, env=environment)
    assert result.stdout.strip() == "["
    assert result.stderr == ""


def test_without_the_extra_one_line_says_what_to_install(three, tmp_path):
    blocker = tmp_path / "blocked" / "sitecustomize.py"
    blocker.parent.mkdir()
    blocker.write_text("import sys\nsys.modules['typer'] = sys.modules['rich'] = None\n")
    said = three("ls", code=1, PYTHONPATH=str(blocker.parent))
    assert "pip install 'autolog[ui]'" in said
    assert len(said.splitlines()) == 1


def test_help_version_and_examples(three):
    overview = three("--help")
    assert overview == three()
    assert "autolog run train.py" in overview
    assert re.fullmatch(r"autolog \d+\.\d+\.\S+\n", three("--version"))
    for command in ("ls", "show"):
        assert f"    autolog {command}" in three(command, "--help")


def in_terminal(runs, *words):
    """What a command prints on a real terminal of 80 columns."""
    main, other = pty.openpty()
    environment = {**os.environ, "AUTOLOG_DIR": str(runs.root), "COLUMNS": "80", "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen([sys.executable, "-m", "autolog.cli", *words], stdout=other, env=environment) as process:
        os.close(other)
        shown = b""
        while True:
            try:
                block = os.read(main, 65536)
            except OSError:  # Linux: the other end is closed
                break
            if not block:
                break
            shown += block
    os.close(main)
    assert process.returncode == 0
    return shown.decode()
