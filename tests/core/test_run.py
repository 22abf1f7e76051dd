"""Runs: when they begin, what they record, child runs, the current run in threads, tasks and after the end."""

import asyncio
import json
import math
import os
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import pytest

import autolog
from autolog import current, events
from autolog.journal import read


def records(run, kind=None):
    found = [record for record, _ in read(run.directory / "journal.jsonl")]
    return found if kind is None else [record for record in found if isinstance(record, kind)]


def points(run):
    return [(record.child, record.values, record.step, record.epoch) for record in records(run, events.Metrics)]


@pytest.fixture
def run(runs_dir):
    return autolog.start_run(name="mine", project="vision", tags=["a"])


def test_nothing_begins_before_the_first_fact(runs_dir):
    assert autolog.current_run() is None
    assert not runs_dir.exists()
    autolog.log_metric("loss", 1.0)
    assert autolog.current_run() is not None
    assert len(list(runs_dir.glob("*/*/journal.jsonl"))) == 1
    autolog.finish()
    assert autolog.current_run() is None
    autolog.finish()  # without a run nothing happens


def test_a_run_has_its_place(run, runs_dir):
    assert run.directory == runs_dir / "vision" / run.id
    (start,) = records(run, events.RunStart)
    assert (start.id, start.name, start.project, start.pid, start.role) == (
        run.id,
        "mine",
        "vision",
        os.getpid(),
        "main",
    )
    assert records(run, events.Tags)[0].add == ["a"]
    assert (runs_dir / ".gitignore").read_text() == "*\n"
    assert runs_dir.stat().st_mode & 0o777 == 0o700


def test_a_second_run_ends_the_first(run):
    with pytest.raises(ZeroDivisionError), autolog.start_run() as second:
        _ = 1 / 0
    assert records(run, events.End)[0].status == "completed"
    (end,) = records(second, events.End)
    assert end.status == "failed"
    assert end.exception["type"] == "ZeroDivisionError"
    assert "_ = 1 / 0" in end.exception["traceback"]
    assert second.id >= run.id
    assert second.name != run.name


@pytest.mark.parametrize(
    ("project", "directory"), [("team/vision", "team-vision"), ("../up", "-up"), ("..", None), ("a b.c", "a b.c")]
)
def test_a_project_is_one_directory_name(runs_dir, project, directory):
    run = autolog.start_run(project=project)
    assert run.directory.parent.parent == runs_dir
    if directory:
        assert run.directory.parent.name == run.project == directory


def test_steps_and_epochs(run):
    autolog.log_metric("loss", 1)
    autolog.log_metric("loss", 2.5)
    autolog.log_metric("acc", 0.5)
    autolog.log_metric("loss", 3.0, step=7, epoch=0.5)
    autolog.log_metric("loss", 3.0, step=3)
    autolog.log_metric("loss", 3.0, step=3)
    autolog.log_metrics({"loss": 4.0, "acc": 0.25})
    assert points(run) == [
        (None, {"loss": 1}, 0, None),
        (None, {"loss": 2.5}, 1, None),
        (None, {"acc": 0.5}, 0, None),
        (None, {"loss": 3.0}, 7, 0.5),
        (None, {"loss": 3.0}, 3, None),
        (None, {"loss": 3.0}, 3, None),
        (None, {"loss": 4.0}, 2, None),
        (None, {"acc": 0.25}, 1, None),
    ]


def test_inside_a_fit_the_frameworks_step_is_taken(run):
    with run.child("SVC", "fit", "sklearn") as fit:
        assert autolog.current_run() is fit
        assert current.fit_in_progress() is fit
        fit.step, fit.epoch = 40, 2
        autolog.log_metric("mine", 1.0)
        autolog.log_metrics({"x": 1.0, "y": 2.0})
        with autolog.child_run("inner", kind="fold"):
            autolog.log_metric("mine", 5.0)
            assert current.fit_in_progress() is fit
    autolog.log_metric("mine", 2.0)
    assert current.fit_in_progress() is None
    assert points(run) == [
        ("1", {"mine": 1.0}, 40, 2),
        ("1", {"x": 1.0, "y": 2.0}, 40, 2),
        ("2", {"mine": 5.0}, 0, None),
        (None, {"mine": 2.0}, 0, None),
    ]
    children = records(run, events.Child)
    assert [(child.child, child.parent, child.kind) for child in children] == [("1", None, "fit"), ("2", "1", "fold")]
    assert [(end.child, end.status) for end in records(run, events.ChildEnd)] == [
        ("2", "completed"),
        ("1", "completed"),
    ]


def test_an_exception_marks_the_child_and_passes(run):
    for error in (KeyError("x"), KeyboardInterrupt(), SystemExit(3)):
        with pytest.raises(type(error)) as caught, run.child("fit"):
            raise error
        assert caught.value is error
    assert autolog.current_run() is run
    statuses = [(end.status, end.exception["type"]) for end in records(run, events.ChildEnd)]
    assert statuses == [("failed", "KeyError"), ("interrupted", "KeyboardInterrupt"), ("failed", "SystemExit")]


def test_phases_prefix_and_survive_exceptions(run):
    with autolog.train() as inside:
        inside.step = 3
        autolog.log_metric("loss", 1.0)
        with autolog.validate():
            autolog.log_metrics({"loss": 2.0})

    def tests_and_fails():
        with autolog.test():
            autolog.log_metrics({"loss": 3.0})
            autolog.log_metric(None, 3.0)

    with pytest.raises(TypeError, match="name"):
        tests_and_fails()
    run.step = None
    autolog.log_metric("loss", 4.0)
    assert [(values, step) for _, values, step, _ in points(run)] == [
        ({"train_loss": 1.0}, 3),
        ({"val_loss": 2.0}, 3),
        ({"test_loss": 3.0}, 3),
        ({"loss": 4.0}, 0),
    ]


@pytest.mark.parametrize("value", ["0.5", None, [1, 2], 1j, {"a": 1}, object()])
def test_a_wrong_value_is_a_clear_error_and_records_nothing(run, value):
    before = records(run)
    with pytest.raises(TypeError, match="loss"):
        autolog.log_metric("loss", value)
    with pytest.raises(TypeError, match="loss"):
        autolog.log_metrics({"fine": 1.0, "loss": value})
    with pytest.raises(TypeError, match="name"):
        autolog.log_metric(3, 1.0)
    assert records(run) == before
    run.captured_metrics({"loss": value, "fine": 1.0}, step=1)  # seen by an integration: never an error
    assert points(run)[-1] == (None, {"fine": 1.0}, 1, None)


def test_accepted_numbers(run):
    numpy = pytest.importorskip("numpy")
    values = [1, True, numpy.float32(0.1), numpy.int64(3), numpy.array(2.0), numpy.array([[4.0]]), Fraction(1, 4)]
    for value in values:
        autolog.log_metric("x", value)
    autolog.log_metric("y", 1.0, step=numpy.int64(5), epoch=numpy.float64(0.5))
    autolog.log_metric("z", math.nan)
    assert [next(iter(kept.values())) for _, kept, _, _ in points(run)] == [
        1,
        1,
        float(numpy.float32(0.1)),
        3,
        2.0,
        4.0,
        0.25,
        1.0,
        "NaN",
    ]
    assert points(run)[-2][2:] == (5, 0.5)


def test_words(run):
    autolog.log_params({"adam": {"lr": 0.1, "betas": (0.9, 0.99)}, "nan": math.nan})
    autolog.log_param("depth", 3)
    autolog.log_other("answer", {"a": [1, 2]})
    autolog.log_fact("data", {"rows": 3})
    autolog.add_tags("b", "c")
    autolog.remove_tags("c")
    autolog.set_note("a note")
    autolog.set_fields({"owner": "ann", "layers": [1, 2]})
    autolog.set_name("renamed")
    params = {name: value for record in records(run, events.Params) for name, value in record.values.items()}
    assert params == {"adam.lr": 0.1, "adam.betas": [0.9, 0.99], "nan": "NaN", "depth": 3}
    assert records(run, events.Other)[0].values == {"answer": {"a": [1, 2]}}
    assert records(run, events.Fact)[-1].value == {"rows": 3}
    assert [(tags.add, tags.remove) for tags in records(run, events.Tags)[1:]] == [(["b", "c"], []), ([], ["c"])]
    assert records(run, events.Note)[0].text == "a note"
    assert records(run, events.Fields)[0].values == {"owner": "ann", "layers": [1, 2]}
    assert (records(run, events.Name)[0].name, run.name) == ("renamed", "renamed")
    with pytest.raises(TypeError, match="tag"):
        autolog.add_tags(3)


def test_secrets_are_masked_before_they_are_written(run):
    autolog.log_params({"db": {"password": "hunter2hunter2"}, "lr": 0.1})
    autolog.log_other("headers", {"Authorization": "Bearer abcdefghijklmnop1234567890"})
    autolog.set_note("the login is postgres://me:hunter3hunter3@db/x")
    raw = (run.directory / "journal.jsonl").read_text()
    assert "hunter2" not in raw
    assert "hunter3" not in raw
    assert "abcdefghijklmnop" not in raw
    assert {health.where for health in records(run, events.Health)} >= {"params.db.password"}


def test_threads_see_the_run_and_tasks_their_own_child(run):
    seen = []
    thread = threading.Thread(target=lambda: seen.append(autolog.current_run()))
    with run.child("fit"):
        thread.start()
        thread.join()
    assert seen == [run]

    async def task(number):
        with run.child(f"task{number}") as child:
            for _ in range(5):
                await asyncio.sleep(0)
                assert autolog.current_run() is child
                autolog.log_metric("n", number)

    async def main():
        await asyncio.gather(*(task(number) for number in range(5)))

    asyncio.run(main())
    names = {child.child: child.name for child in records(run, events.Child)}
    assert all(names[child] == f"task{values['n']}" for child, values, _, _ in points(run))
    assert len(points(run)) == 25


def test_a_run_goes_on_where_it_stopped(run):
    autolog.log_metric("loss", 1.0)
    autolog.log_metric("loss", 2.0)
    with run.child("fit"):
        pass
    autolog.finish()
    again = autolog.start_run(project="vision", resume=run.id)
    assert (again.id, again.name, again.directory) == (run.id, "mine", run.directory)
    autolog.log_metric("loss", 3.0)
    with again.child("fit") as child:
        assert child.child_id == "2"
    autolog.finish()
    assert [step for _, _, step, _ in points(run)] == [0, 1, 2]
    assert [start.resumed for start in records(run, events.RunStart)] == [False, True]
    with pytest.raises(autolog.ConfigError, match="cannot resume 'nothing'"):
        autolog.start_run(resume="nothing")
    with pytest.raises(autolog.ConfigError, match="cannot resume"):
        autolog.start_run(resume="../../etc")


def test_what_is_logged_after_the_end_is_left_out_quietly(run):
    autolog.finish()
    size = (run.directory / "journal.jsonl").stat().st_size
    run.log_metric("late", 1.0)
    assert not run.recording
    assert (run.directory / "journal.jsonl").stat().st_size == size


def test_off_records_nothing_and_patches_nothing(tmp_path):
    code = """
import random, argparse, sys
before = (random.seed, argparse.ArgumentParser.parse_known_args, sys.exit, list(sys.meta_path), dict(vars(sys.stdout)))
import autolog
with autolog.start_run() as run, autolog.train():
    autolog.log_metric("a", 1.0)
    autolog.log_params({"a": 1})
    autolog.log_text("t", "x")
after = (random.seed, argparse.ArgumentParser.parse_known_args, sys.exit, list(sys.meta_path), dict(vars(sys.stdout)))
assert before == after
"""
    environment = {**os.environ, "AUTOLOG": "off", "AUTOLOG_DIR": str(tmp_path / "runs")}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_root_that_cannot_be_written_falls_back_and_says_so(tmp_path):
    (tmp_path / "in_the_way").write_text("")
    code = "import autolog; autolog.log_metric('a', 1.0); print(autolog.current_run().directory)"
    environment = {**os.environ, "AUTOLOG_DIR": str(tmp_path / "in_the_way"), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, cwd=tmp_path, capture_output=True, text=True
    )
    assert f"kept in {tmp_path}" in done.stderr
    lines = (Path(done.stdout.strip()) / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["values"] for line in lines if "metrics" in line] == [{"a": 1.0}]


def test_many_names_and_many_points(run):
    for number in range(10_000):
        autolog.log_metric(f"layer/{number}/../loss", float(number), step=-number)
    kept = points(run)
    assert len(kept) == 10_000
    assert kept[1234] == (None, {"layer/1234/../loss": 1234.0}, -1234, None)
    assert sorted(path.name for path in run.directory.iterdir() if path.is_dir()) in ([], ["source"])
