"""How a process that is not our child ended, asked of the kernel.

Three sources, the surest first: the pidfd (Linux 6.15 keeps the wait status there once the process was reaped),
``/proc/PID/stat`` while it is a zombie, and nothing.
"""

from __future__ import annotations

import os
import re
import struct
import time
from pathlib import Path
from typing import NamedTuple

__all__ = ["Death", "death", "knows_exits", "wait_status"]

# struct pidfd_info of linux/pidfd.h, its first published size: mask, cgroup, eleven ids, exit code.
_INFO = struct.Struct("=QQ11Ii")
_PIDFD_INFO_EXIT = 1 << 3
_PIDFD_GET_INFO = (3 << 30) | (_INFO.size << 16) | (0xFF << 8) | 11  # _IOWR(0xFF, 11, struct pidfd_info)
_PATIENCE = 0.3
"""Seconds to wait for a parent that is just reaping: between zombie and reaped neither source may answer."""


class Death(NamedTuple):
    """How a process ended. All but ``source`` is ``None`` where nobody knows."""

    source: str
    """``pidfd``, ``zombie`` or ``none``."""
    exit_code: int | None = None
    signal: int | None = None


def death(pid: int, pid_started: float, pidfd: int | None) -> Death:
    """How process ``pid`` ended; it is known to be dead.

    Args:
        pid: its id.
        pid_started: start of the process in clock ticks since boot, so that no other process of that id is taken
            for it.
        pidfd: an open pidfd of it, if there is one.
    """
    until = time.monotonic() + _PATIENCE
    while True:
        status = None if pidfd is None else _status_by_pidfd(pidfd)
        if status is not None:
            return wait_status("pidfd", status)
        status = _status_of_zombie(pid, pid_started)
        if status is not None:
            return wait_status("zombie", status)
        if pidfd is None or time.monotonic() > until:
            return Death("none")
        time.sleep(0.005)


def wait_status(source: str, status: int) -> Death:
    """Take a status as ``waitpid`` gives it apart."""
    if os.WIFSIGNALED(status):
        return Death(source, signal=os.WTERMSIG(status))
    return Death(source, exit_code=os.WEXITSTATUS(status))


def knows_exits() -> bool:
    """Whether this kernel keeps the wait status of a reaped process on its pidfd (Linux 6.15 and newer)."""
    system = os.uname()
    version = re.match(r"(\d+)\.(\d+)", system.release)
    return system.sysname == "Linux" and version is not None and (int(version[1]), int(version[2])) >= (6, 15)


def _status_by_pidfd(pidfd: int) -> int | None:
    import fcntl

    buffer = bytearray(_INFO.size)
    struct.pack_into("=Q", buffer, 0, _PIDFD_INFO_EXIT)
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, buffer)
    except OSError:  # an older kernel: no such ioctl, or (6.13, 6.14) no word about the dead
        return None
    fields = _INFO.unpack(buffer)
    return int(fields[-1]) if fields[0] & _PIDFD_INFO_EXIT else None


def _status_of_zombie(pid: int, pid_started: float) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    if fields[0] != "Z" or float(fields[19]) != pid_started:
        return None
    return int(fields[49])
