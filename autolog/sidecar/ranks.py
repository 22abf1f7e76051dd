"""The other ranks of a job on this node: found by their journals, watched like the process that leads the node."""

from __future__ import annotations

import os
import re
import signal
import time
from typing import TYPE_CHECKING, NamedTuple

from autolog import events, process
from autolog.journal import last_line, read
from autolog.sidecar import kernel

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from pathlib import Path

    from autolog.sidecar import oom

__all__ = ["Ranks"]

_JOURNAL = re.compile(r"journal\.\d+\.jsonl")


class _Rank(NamedTuple):
    start: events.RunStart
    path: Path
    pidfd: int | None


class Ranks:
    """The ranks that are watched.

    Args:
        directory: the run's.
        leader: header of the process that the sidecar belongs to; ranks of its node are watched, it itself is not.
        oom: what the kernel has killed for want of memory.
        over: processes whose end is on record already.
    """

    def __init__(self, directory: Path, leader: events.RunStart, oom: oom.Watch, *, over: Container[int] = ()) -> None:
        self._over = over
        self._directory = directory
        self._leader = leader
        self._oom = oom
        self._read: dict[str, int] = {}
        self._living: list[_Rank] = []

    @property
    def pids(self) -> list[int]:
        """The processes that are alive as far as is known."""
        return [rank.start.pid for rank in self._living]

    @property
    def fds(self) -> list[int]:
        """Descriptors that become readable when a rank dies."""
        return [rank.pidfd for rank in self._living if rank.pidfd is not None]

    def look(self) -> None:
        """Find the ranks that have begun since the last look."""
        for path in self._directory.glob("journal.*.jsonl"):
            if _JOURNAL.fullmatch(path.name):
                for record, offset in read(path, self._read.get(path.name, 0), problems=[]):
                    self._read[path.name] = offset
                    if isinstance(record, events.RunStart) and self._is_here(record) and record.pid not in self._over:
                        self._living.append(_Rank(record, path, _pidfd(record)))

    def exits(self) -> Iterator[events.Exit]:
        """How those have ended that have died since the last call."""
        for rank in list(self._living):
            if process.liveness(rank.start) != "alive":
                self._living.remove(rank)
                yield self._exit(rank)

    def all_over(self) -> bool:
        """Whether none is at work for the run: dead, or the run was ended and its process goes on."""
        return all(_has_finished(rank.path) for rank in self._living)

    def _is_here(self, start: events.RunStart) -> bool:
        """Another node's processes cannot be seen; of two nodes on one machine, each has its own sidecar."""
        same = (start.host, start.boot, start.pid_namespace, start.node)
        leader = self._leader
        known = bool(start.boot) and start.pid != leader.pid
        return known and same == (leader.host, leader.boot, leader.pid_namespace, leader.node)

    def _exit(self, rank: _Rank) -> events.Exit:
        now = time.time()
        died = kernel.death(rank.start.pid, rank.start.pid_started, rank.pidfd)
        if rank.pidfd is not None:
            os.close(rank.pidfd)
        out_of_memory = died.signal == signal.SIGKILL and self._oom.explains_death()
        return events.Exit(
            time=now, pid=rank.start.pid, rank=rank.start.rank, source=died.source, exit_code=died.exit_code,
            signal=died.signal, oom=out_of_memory,
            detail="the kernel's out-of-memory killer" if out_of_memory else "",
        )  # fmt: skip


def _pidfd(start: events.RunStart) -> int | None:
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        pidfd = os.pidfd_open(start.pid)
    except OSError:  # it is dead already
        return None
    if process.started(start.pid) == start.pid_started:
        return pidfd
    os.close(pidfd)
    return None


def _has_finished(path: Path) -> bool:
    line = last_line(path)
    return line.startswith(b'{"type":"end"') and b'"at_exit":true' not in line
