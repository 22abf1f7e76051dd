"""``autolog run``: run a training as it is, with autolog imported before its first line."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

__all__ = ["Plan", "plan", "run_command"]

_USAGE = """\
Usage: autolog run [OPTIONS] SCRIPT.py [ARGUMENTS …]
       autolog run [OPTIONS] -m MODULE [ARGUMENTS …]
       autolog run [OPTIONS] -- COMMAND [ARGUMENTS …]

Run a training, unchanged, and record it. Everything after the script, module or command is its own; output, signals
and exit code are those it has without autolog.

Options (each is also a setting, see `autolog doctor`):
  --name TEXT            name of the run
  --project TEXT         project of the run
  --tag TEXT             tag of the run; may be repeated
  --dir DIRECTORY        where runs are kept
  --resume ID            continue an earlier run
  --backend NAMES        where the record goes, comma-separated: local, http, mlflow …
  --url TEXT             address of the server (the token: AUTOLOG_TOKEN)
  --disable NAMES        integrations and facts that stay off, comma-separated: keras, console …
  --sample-interval S    seconds between system samples
  --no-sidecar           do not start the process beside training
  -h, --help             show this

Examples:
  autolog run train.py --lr 0.1
  autolog run --name baseline --tag paper train.py --lr 0.1
  autolog run -m package.train --epochs 3
  autolog run -- torchrun --nproc-per-node 4 train.py
"""
_VALUES = {"name", "project", "dir", "resume", "backend", "url", "disable", "sample-interval"}
_BOOT = Path(__file__).resolve().parent.parent / "boot"


class _UsageError(Exception):
    """The command line is wrong; the text says what would do."""


class Plan(NamedTuple):
    """What is to be started: a command, and what its environment gets on top."""

    command: list[str]
    environment: dict[str, str]


def run_command(argv: list[str]) -> int:
    """Carry out ``autolog run``.

    Args:
        argv: the words after ``autolog run``.

    Returns:
        The exit code of what was run; 2 for a wrong command line, 126 or 127 where it cannot be started. If a
        signal ended it, that signal ends this process too.
    """
    if not argv or argv[0] in ("-h", "--help"):
        sys.stdout.write(_USAGE)
        return 0 if argv else 2
    from autolog.cli.supervise import supervise

    try:
        command, environment = plan(argv)
        return supervise(command, environment)
    except _UsageError as error:
        sys.stderr.write(f"autolog run: {error}\n(`autolog run --help` shows how it is used)\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"autolog run: cannot start {error.filename or argv[0]}: {error.strerror}\n")
        return 127 if isinstance(error, FileNotFoundError) else 126


def plan(argv: list[str]) -> Plan:
    """Take the words of the command line apart.

    Raises:
        _UsageError: there is nothing to run, or an option is not known.
    """
    settings: dict[str, str] = {}
    tags: list[str] = []
    words = list(argv)
    while words and words[0].startswith("--") and words[0] != "--":
        name, given, value = words.pop(0)[2:].partition("=")
        if name == "no-sidecar":
            settings["AUTOLOG_SIDECAR"] = "false"
            continue
        if name not in _VALUES | {"tag"}:
            raise _UsageError(_unknown(name))
        if not given:
            if not words:
                raise _UsageError(f"--{name} needs a value")
            value = words.pop(0)
        if name == "tag":
            tags.append(value)
        else:
            settings[f"AUTOLOG_{name.replace('-', '_').upper()}"] = value
    if tags:
        settings["AUTOLOG_TAGS"] = ",".join(tags)
    return Plan(_command(words), _environment(settings))


def _command(words: list[str]) -> list[str]:
    explicit = words[:1] == ["--"]
    words = words[1:] if explicit else words
    if not words:
        raise _UsageError("what is to be run?")
    first = words[0]
    if first == "-m" and not explicit:
        if len(words) < 2:
            raise _UsageError("-m needs a module")
        return [sys.executable, *words]
    if first.startswith("-") and not explicit:
        raise _UsageError(_unknown(first.lstrip("-")))
    if first.endswith((".py", ".pyw")) or (not explicit and Path(first).is_dir()):
        return [sys.executable, *words]
    if not explicit and shutil.which(first) is None and Path(first).is_file():
        return [sys.executable, *words]
    return words


def _environment(settings: dict[str, str]) -> dict[str, str]:
    paths = [str(_BOOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, **settings, "PYTHONPATH": os.pathsep.join(paths)}


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, [*_VALUES, "tag", "no-sidecar", "help"], n=1)
    return f"unknown option --{name}" + (f"; did you mean --{near[0]}?" if near else "")
