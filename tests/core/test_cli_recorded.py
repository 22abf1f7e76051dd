"""Commands on runs that a real program has recorded."""

import os
import subprocess
import sys

import pytest

SCRIPT = """\
import argparse
import autolog
import helper

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
lr = parser.parse_args().lr
autolog.log_metric("loss", helper.loss(lr), step=1)
print("trained")
"""
HELPER = "def loss(lr):\n    return lr * 2\n"


@pytest.fixture
def recorded(tmp_path):
    """A project that was trained twice, its helper changed in between."""
    project = tmp_path / "project"
    project.mkdir()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AUTOLOG_")}
    environment = {**inherited, "AUTOLOG_DIR": str(tmp_path / "runs"), "AUTOLOG_SIDECAR": "0", "COLUMNS": "80"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # Python would take a helper changed within a second for the same

    def command(*words, code=0):
        result = subprocess.run(
            [sys.executable, *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            cwd=project,
            env=environment,
        )
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout if code == 0 else result.stderr

    (project / "train.py").write_text(SCRIPT)
    (project / "helper.py").write_text(HELPER)
    command("train.py")
    (project / "helper.py").write_text(HELPER.replace("2", "3"))
    command("train.py", "--lr", "0.5")
    command.environment = environment
    return command


def test_checkout_restores_what_ran_and_how_to_run_it(recorded, tmp_path):
    said = recorded("-m", "autolog.cli", "checkout", "last~1", tmp_path / "copy")
    assert (tmp_path / "copy" / "train.py").read_text() == SCRIPT
    assert (tmp_path / "copy" / "helper.py").read_text() == HELPER
    again = said.splitlines()[-1].strip()
    ran = subprocess.run(["sh", "-c", again], capture_output=True, text=True, check=True, env=recorded.environment)
    assert ran.stdout == "trained\n"
    shown = recorded("-m", "autolog.cli", "ls", "-c", "status,metrics.loss")
    assert [line.split()[-1] for line in shown.splitlines()[1:]] == ["0.2", "1.5", "0.2"]
    assert "not empty" in recorded("-m", "autolog.cli", "checkout", "last", tmp_path / "copy", code=1)


def test_diff_shows_arguments_and_changed_lines(recorded):
    shown = recorded("-m", "autolog.cli", "diff", "last~1", "last", "--all")
    assert "default → given" in shown
    assert "-    return lr * 2" in shown.splitlines()
    assert "+    return lr * 3" in shown.splitlines()
    assert "train.py" not in shown.partition("Source")[2].partition("helper.py")[0]


def test_show_gives_arguments_with_their_defaults(recorded):
    page = recorded("-m", "autolog.cli", "show", "last")
    assert "given (default 0.1)" in page
    assert "train.py --lr 0.5" in page
