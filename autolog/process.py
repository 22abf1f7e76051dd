"""What this process is to autolog: the main process of a run, a rank of its job, or a worker of its parent.

A process with a begun run exports ``AUTOLOG_PARENT=<run directory>|<pid>``. A process that was started to work for the
parent (multiprocessing, joblib, a fork, a rank of the same job) joins that run, and is told so (:func:`become_worker`)
or finds the variable; any other script that a training starts is a run of its own, with that run as its ``parent``.
``AUTOLOG_LAUNCHED=<job>|<rank>|<pid>`` says which process is a rank: those it starts inherit its launcher's variables,
but are not ranks.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from autolog import config
from autolog.job import Job, from_environment

if TYPE_CHECKING:
    from autolog.events import RunStart

__all__ = [
    "PARENT_VARIABLE",
    "Identity",
    "Liveness",
    "Parent",
    "become_worker",
    "boot_id",
    "export",
    "identity",
    "is_owner",
    "is_worker",
    "job",
    "liveness",
    "own_file",
    "parent",
    "rank",
    "role",
    "started",
    "stay_worker",
    "withdraw",
]

PARENT_VARIABLE = "AUTOLOG_PARENT"
_LAUNCHED_VARIABLE = "AUTOLOG_LAUNCHED"
_WORKER_COMMANDS = ("from multiprocessing.", "loky.backend")


Liveness: TypeAlias = Literal["alive", "gone", "rebooted", "unseen"]
"""``unseen``: the process cannot be seen from here (another host or pid namespace, or no ``/proc``)."""


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
    if not is_owner(directory):
        _inherited[:] = [text for text in [os.environ.get(PARENT_VARIABLE)] if text]
    os.environ[PARENT_VARIABLE] = f"{directory}|{os.getpid()}"


def is_owner(directory: Path) -> bool:
    """Whether this very process began the run: a forked child inherits the variable, but not the pid."""
    return os.environ.get(PARENT_VARIABLE) == f"{directory}|{os.getpid()}"


def withdraw() -> None:
    """The run has ended: processes that start now are no part of it, but of what this process is part of."""
    os.environ.pop(PARENT_VARIABLE, None)
    if _inherited:
        os.environ[PARENT_VARIABLE] = _inherited[0]


_inherited: list[str] = []
"""What the variable said before this process's run began."""


def become_worker(directory: Path, pid: int) -> None:
    """This process works for the process ``pid``, whose run is in ``directory``, from now on."""
    _works_for.clear()
    _works_for[os.getpid()] = Parent(directory, pid)


_works_for: dict[int, Parent] = {}
"""By this process's id: a fork of a worker is told anew."""


def stay_worker() -> bool:
    """In a fork: it works for the process that its parent works for. ``False`` where that is nobody."""
    told = list(_works_for.values())
    if told:
        become_worker(*told[0])
    return bool(told)


def is_worker() -> bool:
    """Whether this process was started to work for another one: by multiprocessing, joblib or a fork, not as a rank."""
    return os.getpid() in _works_for or any(words in _COMMAND for words in _WORKER_COMMANDS)


_COMMAND = " ".join(sys.orig_argv[1:4])


def parent() -> Parent | None:
    """The run of the process that this one works for, or that another has exported; ``None`` where there is neither."""
    told = _works_for.get(os.getpid())
    if told is not None:
        return told
    directory, found, pid = os.environ.get(PARENT_VARIABLE, "").rpartition("|")
    if not found or not pid.isdigit() or int(pid) == os.getpid():
        return None
    return Parent(Path(directory), int(pid))


def job() -> Job | None:
    """This process's place in a job of several; ``None`` where it is no rank, or the setting ``ranks`` is off."""
    pid = os.getpid()
    if pid not in _jobs:  # looked up once: a program may change its variables, and a fork is no rank
        _jobs.clear()
        _jobs[pid] = _find_job(pid)
    return _jobs[pid]


_jobs: dict[int, Job | None] = {}


def _find_job(pid: int) -> Job | None:
    found = from_environment() if config.settings().ranks else None
    if found is None or is_worker():  # launchers that start functions set the variables in their forks too
        return None
    mark = f"{found.key}|{found.rank}|"
    known = os.environ.get(_LAUNCHED_VARIABLE, "")
    if known.startswith(mark) and known != f"{mark}{pid}":
        return None
    os.environ[_LAUNCHED_VARIABLE] = f"{mark}{pid}"
    return found


def rank() -> int:
    """This process's rank in its job, or that of the rank whose worker it is; 0 outside of one."""
    found = job()
    if found is not None:
        return found.rank
    text = os.environ.get("RANK", os.environ.get("LOCAL_RANK", ""))
    return int(text) if text.isdigit() else 0


def own_file(name: str) -> str:
    """``console.log`` → ``console.3.log`` on rank 3: each process of a job has a file of its own."""
    stem, dot, suffix = name.partition(".")
    return f"{stem}.{rank()}{dot}{suffix}" if role() == "rank" else name


def role() -> Literal["main", "rank", "worker"]:
    """What this process is to its run.

    ``worker``: see :func:`is_worker`. ``rank``: one of a job, not the first; by its launcher's
    variables, or started by the exported run (Lightning). ``main``: all others.
    """
    if is_worker():
        return "worker"
    found = job()
    if found is not None:
        return "rank" if found.rank else "main"
    if _LAUNCHED_VARIABLE in os.environ:
        return "main"
    if parent() is not None and os.environ.get("LOCAL_RANK", os.environ.get("RANK", "")).isdigit():
        return "rank"
    return "main"


def identity() -> Identity:
    """This process's identity. Where the system does not tell a part, that part is empty."""
    pid = os.getpid()
    return Identity(pid, os.uname().nodename, boot_id(), started(pid), _link("/proc/self/ns/pid"))


@cache
def boot_id() -> str:
    """The kernel's boot id; empty where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def started(pid: int) -> float:
    """Start of a process in clock ticks since boot; 0 where that cannot be seen."""
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


def liveness(start: RunStart) -> Liveness:
    """Whether the process that wrote ``start`` is alive, as far as this process can see.

    Process ids are used again, so host, boot id, pid namespace and the process's start time must all agree.
    """
    here = identity()
    if not start.host or start.host != here.host or not start.boot or not here.boot:
        return "unseen"
    if start.boot != here.boot:
        return "rebooted"
    if start.pid_namespace and start.pid_namespace != here.pid_namespace:
        return "unseen"
    try:
        stat = Path(f"/proc/{start.pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "gone"
    fields = stat.rpartition(")")[2].split()
    if fields[0] in ("Z", "X") or float(fields[19]) != start.pid_started:
        return "gone"
    return "alive"
