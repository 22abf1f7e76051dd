"""Secrets given to a training in every way people do: none of them is in any byte that autolog stores."""

import json
import os
import subprocess
import sys
import time

import pytest

CANARY = {
    "argv": "hunter2-argv-9Xq7",
    "environment": "sk-proj-Zk3mQ8vT1xL5nB7cR2wY4uJ6hG9fD0sAenvcanary",
    "config": "cfg-pass-77Qz-canary",
    "console": "ghp_R4nd0mCanaryTokenForConsole1234567890ab",
    "source": "AKIAQ3EGRCANARYSRC7Z",
    "remote": "remotecanarypass42",
    "patch": "patch-canary-P4ssw0rd-x9",
    "exception": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeS14eXo",
    "note": "postgres://trainer:note-canary-pw@db.internal/x",
}

SCRIPT = f"""
import argparse, os
import autolog

AWS_ACCESS_KEY_ID = "{CANARY["source"]}"

parser = argparse.ArgumentParser()
parser.add_argument("--db-password")
parser.add_argument("--lr", type=float, default=0.1)
args = parser.parse_args()

autolog.log_params({{"db": {{"password": "{CANARY["config"]}"}}, "args": vars(args)}})
autolog.set_note("see {CANARY["note"]}")
autolog.log_metric("loss", 1.0)
print("cloning with token", "{CANARY["console"]}")
print("OPENAI_API_KEY is", os.environ["OPENAI_API_KEY"])
with autolog.child_run("fit", kind="fit"):
    raise RuntimeError("Authorization: Bearer {CANARY["exception"]}")
"""


def git(folder, *words):
    identity = {"GIT_AUTHOR_NAME": "n", "GIT_AUTHOR_EMAIL": "e", "GIT_COMMITTER_NAME": "n", "GIT_COMMITTER_EMAIL": "e"}
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, env={**os.environ, **identity})


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "settings.py").write_text("PASSWORD = 'old'\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    git(folder, "remote", "add", "origin", f"https://me:{CANARY['remote']}@git.example.com/team/repo.git")
    (folder / "settings.py").write_text(f"PASSWORD = '{CANARY['patch']}'\n")
    (folder / "train.py").write_text(SCRIPT)
    return folder


@pytest.fixture
def recorded(project, tmp_path):
    environment = {
        **os.environ,
        "AUTOLOG_DIR": str(tmp_path / "runs"),
        "AUTOLOG_DISABLE": "",
        "AUTOLOG_SIDECAR": "1",
        "OPENAI_API_KEY": CANARY["environment"],
        "HF_TOKEN": CANARY["environment"],
    }
    command = [sys.executable, "train.py", "--db-password", CANARY["argv"], "--lr", "0.5"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert CANARY["console"] in done.stdout  # what the user sees is not touched
    assert CANARY["exception"] in done.stderr
    (directory,) = (tmp_path / "runs").glob("project/*")
    deadline = time.monotonic() + 60
    while not (directory / "metrics.parquet").exists():  # the last thing the sidecar does
        assert time.monotonic() < deadline, "the sidecar has not finished"
        time.sleep(0.1)
    return directory


def test_no_canary_in_any_stored_byte(recorded, tmp_path):
    listing = [sys.executable, "-m", "autolog.cli", "ls"]  # builds the index too
    subprocess.run(listing, check=True, capture_output=True, env={**os.environ, "AUTOLOG_DIR": str(tmp_path / "runs")})
    secrets = {name: secret.encode() for name, secret in CANARY.items() if name != "note"}
    secrets["note"] = b"note-canary-pw"
    stored = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert {"journal.jsonl", "system.jsonl", "console.log", "train.py"} <= {path.name for path in stored}
    found = [(name, str(path)) for path in stored for name, secret in secrets.items() if secret in path.read_bytes()]
    assert found == []


def test_the_record_says_where_something_was_masked(recorded):
    lines = [
        json.loads(line)
        for name in ("journal.jsonl", "system.jsonl")
        for line in (recorded / name).read_text().splitlines()
    ]
    places = {line["where"] for line in lines if line["type"] == "health" and line["kind"] == "redacted"}
    for part in (
        "args.db_password",
        "params.db.password",
        "command.argv",
        "console",
        "source",
        "note",
        "git",
        "exception",
    ):
        assert any(place.startswith(part) for place in places), (part, places)
    # what is no secret is kept
    (params,) = [line for line in lines if line["type"] == "params"]
    assert params["values"]["args.lr"] == 0.5
    (git_fact,) = [line["value"] for line in lines if line["type"] == "fact" and line["name"] == "git"]
    assert "git.example.com/team/repo.git" in git_fact["remote"]
    assert "settings.py" in git_fact["patch"]


def test_files_are_private_to_the_user(recorded):
    for path in [recorded, *recorded.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
