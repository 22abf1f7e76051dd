"""One program as a process: its exit code, what it printed, and the processor time of everything it started."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Ended", "run"]

_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE = 60.0
"""Seconds that processes left behind by a program (autolog's sidecar) have to end."""


class Ended(NamedTuple):
    """How a program ended."""

    code: int
    stdout: str
    stderr: str
    cpu: float
    """Seconds, user and system, of the process and the children it waited for."""
    left_behind: float
    """Seconds of processes that outlived it: autolog's sidecar."""
    timed_out: bool


def run(command: Sequence[str], folder: Path, variables: Mapping[str, str], timeout: float) -> Ended:
    """Run a command in a folder and wait for it and for all it leaves behind.

    Args:
        command: the program and its arguments.
        folder: its working directory.
        variables: its whole environment.
        timeout: seconds after which its process group is killed.
    """
    # Orphans become our children instead of init's, so that their time can be read.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(variables), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            start_new_session=True,
        )  # fmt: skip
        status, cpu, timed_out = _wait(process.pid, timeout)
        process.returncode = os.waitstatus_to_exitcode(status)
        left_behind = _reap()
        stdout.seek(0)
        stderr.seek(0)
        texts = [stream.read().decode("utf-8", "replace") for stream in (stdout, stderr)]
    return Ended(process.returncode, texts[0], texts[1], cpu, left_behind, timed_out)


def _wait(pid: int, timeout: float) -> tuple[int, float, bool]:
    deadline = time.monotonic() + timeout
    killed = False
    while True:
        found, status, usage = os.wait4(pid, os.WNOHANG)
        if found:
            return status, usage.ru_utime + usage.ru_stime, killed
        if time.monotonic() > deadline and not killed:
            os.killpg(pid, signal.SIGKILL)
            killed = True
        time.sleep(0.02)


def _reap() -> float:
    """Wait for every orphan; those that do not end in time are left to themselves."""
    spent = 0.0
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            found, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return spent
        if found:
            spent += usage.ru_utime + usage.ru_stime
        else:
            time.sleep(0.02)
    sys.stderr.write("a process that a program left behind did not end\n")
    return spent
