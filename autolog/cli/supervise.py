"""Run a command as if the shell had started it, and know how it ended.

The parent stays out of the way: the child has its terminal, its process group, its descriptors. Signals that reach
only the parent are passed on; the terminal's own (Ctrl-C) have reached the child already.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["supervise"]

_PASSED_ON = {
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
}
_FROM_TERMINAL = {signal.SIGINT, signal.SIGQUIT}
_REAP_PATIENCE = 10.0
"""As process 1 of a container: seconds left to the sidecar, which dies with us."""


def supervise(command: Sequence[str], environment: dict[str, str]) -> int:
    """Run ``command`` to its end.

    Args:
        command: the program and its arguments.
        environment: its environment; ``AUTOLOG_RENDEZVOUS`` is added.

    Returns:
        Its exit code. If a signal ended it, that signal ends this process as well, before returning.

    Raises:
        OSError: the program cannot be started.
    """
    meeting = _Rendezvous()
    watched = _PASSED_ON | {signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    try:
        child = subprocess.Popen(
            command,
            env=environment | {"AUTOLOG_RENDEZVOUS": meeting.path},
            close_fds=False,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, before),  # noqa: PLW1509  there is one thread
        )
        status = _wait(child.pid, watched)
        child.returncode = os.waitstatus_to_exitcode(status)
        meeting.report(child.pid, status)
        _reap_others()
    finally:
        meeting.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if os.WIFSIGNALED(status):
        _die_by(os.WTERMSIG(status))
        return 128 + os.WTERMSIG(status)
    return os.WEXITSTATUS(status)


def _wait(pid: int, watched: set[signal.Signals]) -> int:
    """Wait for the child, passing signals on meanwhile."""
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found == pid:
            return status
        number, sent = _next_signal(watched)
        if number != signal.SIGCHLD and (sent or number not in _FROM_TERMINAL):
            os.kill(pid, number)


def _next_signal(watched: set[signal.Signals]) -> tuple[int, bool]:
    """The next signal, and whether a process sent it (the terminal sends its own to all of the process group)."""
    if not hasattr(signal, "sigwaitinfo"):  # macOS
        return signal.sigwait(watched), False
    info = signal.sigwaitinfo(watched)
    return info.si_signo, info.si_code <= 0


def _reap_others() -> None:
    """As process 1 of a container, let the sidecar finish: our end is the end of all."""
    until = time.monotonic() + _REAP_PATIENCE
    while os.getpid() == 1 and time.monotonic() < until:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.05)
        except ChildProcessError:
            return


def _die_by(number: int) -> None:
    """End as the child did, without another core file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.stdout is not None:
        sys.stdout.flush()
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)


class _Rendezvous:
    """Where the child writes its process id and its runs' directories, so that its end can be written there.

    A file in memory, which the child opens through ``/proc``: nothing is left behind, and no descriptor is passed on.
    """

    def __init__(self) -> None:
        self._file: Path | None = None
        if hasattr(os, "memfd_create"):
            self._fd = os.memfd_create("autolog-run", os.MFD_CLOEXEC)
            self.path = f"/proc/{os.getpid()}/fd/{self._fd}"
        else:
            self._fd, self.path = tempfile.mkstemp(prefix="autolog-run-")
            self._file = Path(self.path)

    def report(self, pid: int, status: int) -> None:
        """Write how process ``pid`` ended into the runs that it has named."""
        os.lseek(self._fd, 0, os.SEEK_SET)
        with os.fdopen(os.dup(self._fd), "r", encoding="utf-8", errors="surrogateescape") as lines:
            runs = [line.rstrip("\n").split("|", 2) for line in lines]
        for owner, rank, directory in runs:
            if owner == str(pid) and Path(directory).is_dir():
                _write_exit(Path(directory), pid, int(rank), status)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)
        if self._file is not None:
            self._file.unlink(missing_ok=True)


def _write_exit(directory: Path, pid: int, rank: int, status: int) -> None:
    from autolog import events
    from autolog.journal import SYSTEM

    signalled = os.WIFSIGNALED(status)
    record = events.Exit(
        time=time.time(),
        pid=pid,
        rank=rank,
        source="parent",
        exit_code=None if signalled else os.WEXITSTATUS(status),
        signal=os.WTERMSIG(status) if signalled else None,
    )
    # The leading newline ends a line that a killed sidecar may have left unfinished; readers skip empty lines.
    try:
        fd = os.open(directory / SYSTEM, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, b"\n" + events.encode(record) + b"\n")
        finally:
            os.close(fd)
    except OSError as error:
        sys.stderr.write(f"autolog: cannot write how the process ended into {directory}: {error}\n")
