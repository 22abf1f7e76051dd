"""What this process is to autolog: the main process of a run, a rank of its job, or a worker of its parent.

A process with a begun run exports ``AUTOLOG_PARENT=<run directory>|<pid>``. A process that finds it there and was
started to work for the parent (multiprocessing, joblib, a rank of the same job) joins that run; any other script
that a training starts is a run of its own, with that run as its ``parent``.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

__all__ = [
    "PARENT_VARIABLE",
    "Identity",
    "Parent",
    "boot_id",
    "export",
    "identity",
    "is_owner",
    "parent",
    "role",
    "withdraw",
]

PARENT_VARIABLE = "AUTOLOG_PARENT"
_WORKER_COMMANDS = ("from multiprocessing.", "joblib.externals.loky.backend")


class Parent(NamedTuple):
    """The run that the environment names: its directory, and the process that began it."""

    directory: Path
    pid: int


class Identity(NamedTuple):
    """What tells this process from every other one, for good: see :class:`autolog.events.RunStart`."""

    pid: int
    host: str
    boot: str
    pid_started: float
    pid_namespace: str


def export(directory: Path) -> None:
    """Let processes that this one starts find its run."""
    os.environ[PARENT_VARIABLE] = f"{directory}|{os.getpid()}"


def is_owner(directory: Path) -> bool:
    """Whether this very process began the run: a forked child inherits the variable, but not the pid."""
    return os.environ.get(PARENT_VARIABLE) == f"{directory}|{os.getpid()}"


def withdraw() -> None:
    """The run has ended: processes that start now are no part of it."""
    os.environ.pop(PARENT_VARIABLE, None)


def parent() -> Parent | None:
    """The run another process has exported, or ``None``."""
    directory, found, pid = os.environ.get(PARENT_VARIABLE, "").rpartition("|")
    if not found or not pid.isdigit() or int(pid) == os.getpid():
        return None
    return Parent(Path(directory), int(pid))


def role() -> Literal["main", "rank", "worker"]:
    """``worker``: started by multiprocessing or joblib. ``rank``: started for the job of an exported run."""
    command = " ".join(sys.orig_argv[1:4])
    if any(words in command for words in _WORKER_COMMANDS):
        return "worker"
    if parent() is not None and os.environ.get("LOCAL_RANK", os.environ.get("RANK", "")).isdigit():
        return "rank"
    return "main"


def identity() -> Identity:
    """This process's identity. Where the system does not tell a part, that part is empty."""
    pid = os.getpid()
    return Identity(pid, os.uname().nodename, boot_id(), _started(pid), _link("/proc/self/ns/pid"))


@cache
def boot_id() -> str:
    """The kernel's boot id; empty where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def _started(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0.0
    return float(stat.rpartition(b")")[2].split()[19])


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""
