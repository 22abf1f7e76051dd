"""The source of a real run comes back byte for byte, and runs again."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec
import pytest

from autolog import store
from autolog.store.checkout import SourceError, checkout
from autolog.store.diff import diff, source_diff

SCRIPT = """import sys
import autolog
from lib import helper
autolog.log_metric("x", helper.value(sys.argv[1]))
print("ran", sys.argv[1:], helper.NAME)
"""
HELPER = "NAME = 'heléper'\r\n\r\ndef value(text):\n    return float(text)  # no line end"


def train(project, runs, *args):
    environment = {
        **os.environ, "AUTOLOG_DIR": str(runs), "AUTOLOG_SIDECAR": "0", "AUTOLOG_DISABLE": "console",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "train.py", *args], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    (folder / "lib").mkdir(parents=True)
    (folder / "train.py").write_text(SCRIPT)
    (folder / "lib" / "__init__.py").write_text("")
    (folder / "lib" / "helper.py").write_bytes(HELPER.encode())
    return folder


def test_a_run_is_checked_out_and_runs_again(project, tmp_path):
    printed = train(project, tmp_path / "runs", "0.5", "two words")
    run = store.find_run("last", dir=tmp_path / "runs")
    written = {path.relative_to(project): path.read_bytes() for path in project.rglob("*.py")}
    (project / "train.py").write_text("raise SystemExit('changed since')")
    found = checkout(run, tmp_path / "again")
    assert {
        path.relative_to(tmp_path / "again"): path.read_bytes() for path in (tmp_path / "again").rglob("*.py")
    } == written
    assert (found.exact, sorted(found.files)) == (True, ["lib/__init__.py", "lib/helper.py", "train.py"])
    again = subprocess.run(
        ["sh", "-c", found.command], capture_output=True, text=True, check=False,
        env={**os.environ, "AUTOLOG_DIR": str(tmp_path / "runs"), "AUTOLOG_SIDECAR": "0"},
    )  # fmt: skip
    assert again.stdout == printed, again.stderr
    with pytest.raises(FileExistsError, match="not empty"):
        checkout(run, tmp_path / "again")


def test_source_and_arguments_of_two_runs_differ(project, tmp_path):
    train(project, tmp_path / "runs", "0.5")
    (project / "lib" / "helper.py").write_text("NAME = 'new'\ndef value(text):\n    return 1\n")
    train(project, tmp_path / "runs", "0.5")
    left, right = (store.find_run(ref, dir=tmp_path / "runs") for ref in ("last~1", "last"))
    found = diff(left, right)
    assert [change.name for change in found.sections["source"]] == ["lib/helper.py"]
    lines = list(source_diff(left, right, "lib/helper.py"))
    assert "-NAME = 'heléper'" in lines
    assert "+NAME = 'new'" in lines


def test_damaged_or_hostile_records_write_nothing(project, tmp_path):
    train(project, tmp_path / "runs", "0.5")
    run = store.find_run("last", dir=tmp_path / "runs")
    files = run.facts["source"]["files"]
    stored = tmp_path / "runs" / run.project / run.id / files["lib/helper.py"]["stored"]
    content = stored.read_bytes()
    stored.write_bytes(content + b"#")
    with pytest.raises(SourceError, match=r"lib/helper.py: the stored file is not what was recorded"):
        checkout(run, tmp_path / "again")
    stored.unlink()
    with pytest.raises(SourceError, match="is gone"):
        checkout(run, tmp_path / "again")
    stored.symlink_to(tmp_path / "project" / "train.py")
    with pytest.raises(SourceError, match="not in the run's directory"):
        checkout(run, tmp_path / "again")
    stored.unlink()
    stored.write_bytes(content)
    for name in ("../evil.py", "/evil.py", "a/../../evil.py"):
        hostile = msgspec.structs.replace(run)
        hostile.facts = {**run.facts, "source": {"files": {**files, name: files["lib/helper.py"]}}}
        with pytest.raises(SourceError, match="no path below"):
            checkout(hostile, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_run_without_source_says_so(tmp_path):
    environment = {**os.environ, "AUTOLOG_DIR": str(tmp_path), "AUTOLOG_DISABLE": "source,console"}
    subprocess.run([sys.executable, "-c", "import autolog; autolog.log_metric('x', 1)"], env=environment, check=True)
    with pytest.raises(SourceError, match="no source was recorded"):
        checkout(store.find_run("last", dir=tmp_path), tmp_path / "again")
