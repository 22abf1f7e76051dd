"""Start the sidecar from the training process, and tell it when the run ends. Nothing else of it is imported there.

The sidecar is started through ``sh``, which leaves it to init at once: it is no child of the training process, which
gets no zombie, no new entry among its children, and nothing to wait for. No thread, no ``preexec_fn``, no ``fork`` of
the training process's memory (CPython uses ``vfork`` here).

A copy of that ``sh`` stays beside the sidecar, as its parent: where the sidecar is killed or fails, it starts another,
which takes up its work (:mod:`autolog.sidecar.takeover`). So the training process has nothing to look after.
"""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from autolog import config, events, guard, plugins, process
from autolog.sidecar import progress

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["RESTARTS", "ended", "start"]

RESTARTS = 8
"""So many times a sidecar that was killed, or has failed, is followed by another."""

_MAIN = Path(__file__).with_name("__main__.py")
_FACTS = {"git": "git", "host": "host", "gpus": "host", "packages": "packages"}
"""Facts that the sidecar gathers, and under which name each is switched off."""
_COMMON = ("git", "packages")
"""Facts that all nodes of a job have in common: only the first gathers them."""
_wakes: dict[Path, int] = {}
"""Per open run: the eventfd that wakes its sidecar."""


def start(run: Run) -> None:
    """Start the sidecar of a run and return without waiting for it.

    Where it cannot start, that is written on the run and training goes on. Never raises for that.
    """
    settings = config.settings()
    if process.role() != "rank":
        progress.begin(run.directory, settings)
    if not settings.sidecar:
        return
    reason = _why_not()
    if reason is None:
        try:
            _spawn(run, settings)
        except OSError as error:
            reason = f"{type(error).__name__}: {error}"
    if reason is not None:
        detail = f"the sidecar could not be started ({reason}): no system samples, and no word on how the process died"
        run.append(events.Health(time=time.time(), kind="notice", where="sidecar", detail=detail))


def ended(run: Run) -> None:
    """The run's ``end`` is written: wake its sidecar, which then finishes its work."""
    wake = _wakes.pop(run.directory, None)
    if wake is None:
        return
    try:
        os.eventfd_write(wake, 1)
    except OSError as error:
        guard.report("sidecar.ended", error)
    os.close(wake)


def _why_not() -> str | None:
    if sys.platform == "win32":
        return "not on this system"
    if getattr(sys, "frozen", False):
        return "the program is frozen: there is no Python to start"
    if not any(word in Path(sys.executable or "").name.lower() for word in ("python", "pypy")):
        return f"sys.executable is no Python: {sys.executable!r}"
    return None


def _spawn(run: Run, settings: config.Settings) -> None:
    pidfd = os.pidfd_open(os.getpid()) if hasattr(os, "pidfd_open") else -1
    wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) if hasattr(os, "eventfd") else -1
    try:
        job = _in_memory(_job(run, settings, pidfd, wake))
        try:
            _run_in_background([str(run.directory), str(job)], [fd for fd in (pidfd, wake, job) if fd >= 0])
        finally:
            os.close(job)
    except BaseException:
        if wake >= 0:
            os.close(wake)
        raise
    finally:
        if pidfd >= 0:
            os.close(pidfd)
    if wake >= 0:
        _wakes[run.directory] = wake


def _in_memory(job: bytes) -> int:
    """A descriptor from which each sidecar in turn reads the job; no command line, which all see, holds a token."""
    try:
        fd = os.memfd_create("autolog-job", os.MFD_CLOEXEC)
    except (AttributeError, OSError):  # macOS, or a sandbox that has none
        import tempfile

        with tempfile.TemporaryFile() as file:  # private to the user, and without a name
            fd = os.dup(file.fileno())
    with os.fdopen(os.dup(fd), "wb") as whole:
        whole.write(job)
    return fd


def _run_in_background(arguments: list[str], fds: list[int]) -> None:
    # -I: no PYTHON* variables, no working directory, no script directory whose modules could hide others.
    command = [sys.executable, "-I", str(_MAIN), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AUTOLOG")}
    options: dict[str, Any] = {
        "env": environment | {"AUTOLOG": "off"},
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "cwd": "/",
        "pass_fds": fds,
        "start_new_session": True,
    }
    try:
        between = subprocess.Popen(["/bin/sh", "-c", _KEEP, "sh", *command], **options)
    except OSError:  # no shell in this container: Python does the same, more slowly
        between = subprocess.Popen([sys.executable, "-I", "-S", "-c", _KEEP_BY_PYTHON, *command], **options)
    between.wait()


# Each sidecar is told how many there were before. One that was told to end by SIGTERM (143) has no successor.
_KEEP = f'n=0; until "$@" $n || [ $? = 143 ] || [ $n = {RESTARTS} ]; do n=$((n+1)); done &'
_KEEP_BY_PYTHON = f"""
import os, sys
if not os.fork():
    n = 0
    while os.spawnv(os.P_WAIT, sys.argv[1], [*sys.argv[1:], str(n)]) not in (0, -15) and n < {RESTARTS}:
        n += 1
os._exit(0)
"""


def _job(run: Run, settings: config.Settings, pidfd: int, wake: int) -> bytes:
    """What the sidecar needs to know."""
    identity = process.identity()
    launched = process.job()
    node = launched.node if launched and launched.rank else ""
    disabled = [name for name, switch in _FACTS.items() if plugins.is_disabled(switch)]
    job = {
        "directory": str(run.directory),
        "id": run.id,
        "name": run.name,
        "project": run.project,
        "pid": identity.pid,
        "pid_started": identity.pid_started,
        "pidfd": pidfd,
        "wake": wake,
        # Programs put all sorts of things there. As text, and quick:
        "path": [entry for entry in sys.path if isinstance(entry, str) and os.path.isabs(entry)],  # noqa: PTH117
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "cwd": _cwd(),
        "script": _script(),
        "disabled": [*disabled, *(_COMMON if node else ())],
        "node": node,
        "journal": run.journal.path.name,
        "settings": msgspec.structs.asdict(settings),
        "secrets": run.redactor.known(),
    }
    return marshal.dumps(job)  # both ends are one Python, and file names that are no UTF-8 come through


def _cwd() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:  # the working directory was removed
        return "/"


def _script() -> str | None:
    """The directory of the program; ``None`` in a shell or notebook."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return str(Path(file).absolute().parent) if file else None
