"""Secrets everywhere a run looks, and not one of them in any stored byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.labs import beside
from tests.waiting import PATIENCE, until

# Parts put together at run time, so that no scanner takes this file for a leak.
CANARIES = {
    "argv_pair": "canary-Argv-pair-1",
    "argv_equals": "canary-Argv-equals-2",
    "argv_url": "canary-Argv-url-3",
    "environment": "canary-Env-token-4",
    "environment_url": "canary-Env-url-5",
    "config": "canary-Config-nested-6",
    "config_shape": "AKIA" + "CANARYCANARY7777",
    "console": "canary-Console-name-8",
    "console_shape": "ghp_" + "canaryC0nsoleShape9abcdefghijklmnopqr",
    "console_known": "canary-Argv-pair-1",
    "source": "canary-Source-literal-10",
    "module": "sk-" + "canaryM0duleShape11abcdefABCDEF0123456789abcdefgh",
    "remote": "canary-Git-remote-12",
    "patch": "canary-Git-patch-13",
    "note": "canary-Note-14",
    "exception": "canary-Exception-15",
    "tag_other": "canary-Other-16",
    "dataclass": "canary-Dataclass-17",
}

SCRIPT = """
import argparse, dataclasses, os, random, sys
import autolog
import secrets_module
parser = argparse.ArgumentParser()
parser.add_argument("--api-key")
parser.add_argument("--password", default="{source}")
parser.add_argument("--url")
parser.add_argument("--lr", type=float, default=0.1)
arguments = parser.parse_args()
db_password = "{source}"
print("before the run: token={console}")
run = autolog.start_run()
@dataclasses.dataclass
class Login:
    user: str
    password: str
model = {{"layers": 2, "hub_token": sys.stdin.readline().strip()}}
autolog.log_params({{"model": model, "keys": ["visible-value", sys.stdin.readline().strip()]}})
autolog.log_param("login", Login("me", sys.stdin.readline().strip()))
autolog.log_other("password", sys.stdin.readline().strip())
print("Authorization: Bearer", sys.stdin.readline().strip())
print(arguments.api_key, "was given")
print(arguments)
print(os.environ["HF_TOKEN"], "in the environment")
random.seed(3)
autolog.log_metric("loss", 0.5)
print("plain line", flush=True)
raise RuntimeError("login failed: password=" + sys.stdin.readline().strip())
"""


def _git(where: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=where, check=True, capture_output=True
    )


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """The runs directory after a run full of secrets."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "train.py").write_text(SCRIPT.format(**CANARIES))
    (project / "secrets_module.py").write_text(f"CLIENT = make('{CANARIES['module']}') if False else None\n")
    (project / "config.yaml").write_text("lr: 1\n")
    _git(project, "init", "-q")
    _git(project, "remote", "add", "origin", f"https://me:{CANARIES['remote']}@example.org/x.git")
    _git(project, "add", "config.yaml")
    _git(project, "commit", "-q", "-m", "first")
    (project / "config.yaml").write_text(f"lr: 2\nvisible_setting: 1\npassword: '{CANARIES['patch']}'\n")
    runs = tmp_path / "runs"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AUTOLOG")} | {
        "AUTOLOG_DIR": str(runs),
        "AUTOLOG_STRICT": "1",
        "HF_TOKEN": CANARIES["environment"],
        "HF_ENDPOINT": f"https://me:{CANARIES['environment_url']}@hub.example.org",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "train.py", "--api-key", CANARIES["argv_pair"], f"--password={CANARIES['argv_equals']}"]
    command += ["--url", f"postgres://me:{CANARIES['argv_url']}@db/x", "--lr", "0.3"]
    typed = [
        CANARIES[name] for name in ("config", "config_shape", "dataclass", "tag_other", "console_shape", "exception")
    ]
    done = subprocess.run(
        command, cwd=project, env=environment, input="\n".join(typed) + "\n", capture_output=True, text=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "RuntimeError: login failed" in done.stderr
    assert CANARIES["console_shape"] in done.stdout  # what the person sees is untouched
    until(lambda: not beside(runs))  # the sidecar has written its facts, and nothing changes any more
    return runs


@pytest.mark.skipif(sys.platform != "linux", reason="waits for the sidecar as it is in /proc")
def test_no_secret_in_any_stored_byte(recorded: Path) -> None:
    (run,) = [path.parent for path in recorded.rglob("journal.jsonl")]
    everything = {path: path.read_bytes() for path in recorded.rglob("*") if path.is_file()}
    for path, content in everything.items():
        for name, canary in CANARIES.items():
            assert canary.encode() not in content, f"{name} in {path.relative_to(run)}"
    text = b"".join(everything.values())
    for visible in (b"visible-value", b"visible_setting", b"plain line", b"0.3", b"before the run", b"login failed"):
        assert visible in text
    assert (run / "source" / "secrets_module.py").exists()
    assert b'"name":"untracked","value":["secrets_module.py","train.py"]' in everything[run / "system.jsonl"]
    records = [
        json.loads(line)
        for path in (run / "journal.jsonl", run / "system.jsonl")
        for line in path.read_text().splitlines()
    ]
    places = {record["where"] for record in records if record["type"] == "health" and record["kind"] == "redacted"}
    assert not [place for place in places if place.startswith("facts.")]  # a file's name is no secret's name
    assert {"args.api_key", "args.password", "params.model.hub_token"} <= places
    for place in ("console", "git.remote", "git.patch", "source.train.py", "source.secrets_module.py"):
        assert place in places, places


@pytest.mark.skipif(sys.platform != "linux", reason="waits for the sidecar as it is in /proc")
def test_everything_stored_is_private_to_the_user(recorded: Path) -> None:
    (run,) = [path.parent for path in recorded.rglob("journal.jsonl")]
    for path in [recorded, *run.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
