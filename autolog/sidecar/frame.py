"""A run whose own sidecar is gone: whose it was and how it ended, and the end that nobody was left to write."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from autolog import events, process
from autolog.journal import MAIN, SYSTEM, Journal, is_system, journals, last_line, read

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Frame", "frame", "may_go_on", "write_end"]

_SILENT = 180.0
"""Seconds without a record after which a process out of sight is gone; the sidecar writes at least every 60."""


class Frame(NamedTuple):
    """Begin and end of a run."""

    start: events.RunStart
    """The first header of its main process, or of another where that one said nothing."""
    newest: events.RunStart
    """The header of the process that wrote last: a run can be continued."""
    end: events.End | None
    exit: events.Exit | None


def frame(directory: Path) -> Frame | None:
    """Read a run's begin and end; ``None`` where no journal says whose it is."""
    start: events.RunStart | None = None
    newest: events.RunStart | None = None
    end: events.End | None = None
    exits: list[events.Exit] = []
    for path in journals(directory):
        for record, _ in read(path):
            if isinstance(record, events.RunStart):
                start = start or record
                if path.name == MAIN or newest is None:
                    newest, end = record, None
            elif isinstance(record, events.End) and path.name == MAIN:
                end = record
            elif isinstance(record, events.Exit):
                exits.append(record)
    if start is None or newest is None:
        return None
    return Frame(start, newest, end, next((word for word in reversed(exits) if word.pid == newest.pid), None))


def may_go_on(directory: Path, *, sidecar: bool = False) -> bool:
    """Whether a process of the run or its sidecar is there, or may be. Quick.

    Args:
        directory: the run's.
        sidecar: only the sidecar counts: it is the one that delivers.
    """
    for path in journals(directory):
        if not is_system(path.name) and (sidecar or path.name != MAIN):
            continue
        header = _newest_header(path)
        if header is None:
            continue
        seen = process.liveness(header)
        if seen == "alive" and not (path.name == MAIN and _has_ended(path)):
            return True
        if seen == "unseen" and time.time() - path.stat().st_mtime < _SILENT and not _has_ended(path):
            return True
    return False


def _newest_header(path: Path) -> events.RunStart | None:
    """The last ``run`` record, found by its bytes: a journal may hold millions of other lines."""
    found: events.RunStart | None = None
    with path.open("rb") as lines:
        for line in lines:
            if line.startswith(b'{"type":"run"') and line.endswith(b"\n"):
                record = events.decode(line)
                found = record if isinstance(record, events.RunStart) else found
    return found


def _has_ended(path: Path) -> bool:
    try:
        record = events.decode(last_line(path) or b"{}")
    except msgspec.DecodeError:
        return False
    return isinstance(record, events.End)


def write_end(directory: Path, known: Frame) -> Frame:
    """Write that a process is gone whose sidecar could not write it, so that others than this machine know it too.

    Args:
        directory: the run's.
        known: what its journals say.

    Returns:
        What they say now. Nothing is written where the end is on record, or the process cannot be seen from here.
    """
    if known.end is not None or known.exit is not None or process.liveness(known.newest) != "gone":
        return known
    gone = events.Exit(
        time=max(path.stat().st_mtime for path in journals(directory)), pid=known.newest.pid, rank=known.newest.rank,
        source="none", detail="the process is gone and left no word: killed, cause unknown",
    )  # fmt: skip
    own = msgspec.structs.replace(
        known.newest, time=time.time(), role="sidecar", resumed=False, **process.identity()._asdict()
    )
    journal = Journal(directory / SYSTEM, own)
    journal.append(gone)
    journal.close()
    return known._replace(exit=gone)
