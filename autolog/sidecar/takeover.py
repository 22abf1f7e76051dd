"""A sidecar follows one that was killed, or has failed: what that one has written, and how long to wait before."""

from __future__ import annotations

import contextlib
import select
import time
from typing import TYPE_CHECKING, NamedTuple

from autolog import events
from autolog.journal import read
from autolog.sidecar.launch import RESTARTS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["NOBODY", "Before", "before", "clear", "notice", "pause", "wait"]


class Before(NamedTuple):
    """What the sidecars before this one have left of the same training process."""

    facts: frozenset[str] = frozenset()
    """Names of those on record."""
    exits: tuple[events.Exit, ...] = ()
    """How processes have ended, in a sidecar's words."""
    pids: tuple[int, ...] = ()
    """The sidecars that came as far as to write something."""
    begun: float = 0.0
    """When the last of them did."""
    last: float = 0.0
    """Time of the last record."""


NOBODY = Before()
"""This is the first sidecar."""


def before(path: Path, since: float) -> Before:
    """Read it from the sidecars' journal.

    Args:
        path: the journal.
        since: when the training process began the run; what is older belongs to an earlier process of it.
    """
    facts, pids = set(), []
    exits: list[events.Exit] = []
    begun = last = since
    with contextlib.suppress(FileNotFoundError):  # killed before the first word
        for record, _ in read(path):
            if record.time < since:
                continue
            last = max(last, record.time)
            if isinstance(record, events.RunStart):
                pids.append(record.pid)
                begun = record.time
            elif isinstance(record, events.Fact):
                facts.add(record.name)
            elif isinstance(record, events.Exit) and record.source != "parent":
                exits.append(record)
    return Before(frozenset(facts), tuple(exits), tuple(pids), begun, last)


def pause(known: Before, number: int, now: float) -> float:
    """Seconds to wait, so that sidecars begin at growing distances: 1, 2, 4 … None where the last one lived for longer.

    Args:
        known: what was before.
        number: this is so many a restart.
        now: the present, seconds since the epoch.
    """
    distance = 2.0 ** (number - 1)
    return min(distance, max(0.0, distance - (now - known.begun)))


def wait(known: Before, number: int, words: Iterable[int | None]) -> None:
    """Wait for the :func:`pause` to be over, or the run: then there is no time to lose.

    Args:
        known: what was before.
        number: this is so many a restart.
        words: descriptors that become readable when the run is over.
    """
    poller = select.poll()
    for fd in words:
        if fd is not None:
            poller.register(fd, select.POLLIN)
    poller.poll(1000 * pause(known, number, time.time()))


def notice(known: Before, number: int) -> events.Health:
    """The record that says what has happened."""
    now = time.time()
    return events.Health(
        time=now, kind="notice", where="sidecar",
        detail=f"the sidecar was killed, or has failed, and was started again (time {number} of at most {RESTARTS}): "
        f"no system samples for {now - known.last:.0f} seconds",
    )  # fmt: skip


def clear(directory: Path, known: Before) -> None:
    """Remove unfinished files, which have the process id of their writer in their names."""
    for pid in known.pids:
        for pattern in (f".*.{pid}", f".*.{pid}.tmp"):
            for path in directory.glob(pattern):
                path.unlink(missing_ok=True)
