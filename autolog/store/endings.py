"""How the processes of a run stand or ended, told from its state: the main one, and the other ranks of its job."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from autolog import events, journal
from autolog.store import status as statuses

if TYPE_CHECKING:
    from pathlib import Path

    from autolog.store.fold import FileState, RunState

__all__ = ["Ending", "ending"]

_WRONG = 3600.0
"""Seconds that the clock of a machine may be behind."""


class Ending(NamedTuple):
    """How a run stands."""

    start: events.RunStart
    """Of its main process; made up where its first line is lost."""
    status: events.Status
    details: dict[str, Any]
    """As of :func:`autolog.store.status.of_job`."""
    ended: float | None
    fates: dict[str, statuses.Fate]
    """Of the other ranks, by their journal."""


def ending(state: RunState, directory: Path, now: float, heard: float | None = None) -> Ending:
    """How a run stands; asks the system whether processes that have not said their end are alive.

    Args:
        state: the run's.
        directory: its directory; its name stands in where the first line of the journal is lost.
        now: the present, seconds since the epoch.
        heard: when something of the run came in last, by the clock that ``now`` is read from; default: by its own.
    """
    start = _main_start(state, directory)
    word = _main_end(state)
    status, details, ended = _ending(state, start, word, now, heard)
    fates = {name: _fate(state, file, now, heard) for name, file in state.files.items() if _is_other_rank(file, start)}
    fate = statuses.Fate(start.rank, status, details, _last_word(word, ended))
    if status == "running" and fates and not _is_heard(state):
        fate = statuses.unheard(list(fates.values()))
        ended = None if fate.status == "running" else max(file.clock for file in state.files.values())
    status, details = statuses.of_job(fate, fates.values())
    return Ending(start, status, details, ended, fates)


def _main_file(state: RunState) -> FileState | None:
    if journal.MAIN in state.files:
        return state.files[journal.MAIN]
    others = [name for name in sorted(state.files) if not journal.is_edits(name) and not journal.is_system(name)]
    return state.files[others[0]] if others else None


def _main_start(state: RunState, directory: Path) -> events.RunStart:
    main = _main_file(state)
    if main is not None and main.start is not None:
        return main.start
    # The first line is lost: the others know the run, but not its process. The one that is said to have died was it.
    pid = state.exits[-1].pid if state.exits else 0
    for file in state.files.values():
        if file.start is not None:
            return msgspec.structs.replace(file.start, pid=pid, boot="", parent=None)
    name, project = directory.name, directory.parent.name
    return events.RunStart(time=state.first or 0.0, id=name, name=name, project=project, pid=pid)


def _is_heard(state: RunState) -> bool:
    """Whether rank 0, or whoever writes the main journal, has said anything."""
    main = _main_file(state)
    return main is not None and main.start is not None and main.start.role != "rank"


def _main_end(state: RunState) -> events.End | None:
    main = _main_file(state)
    return main.end if main else None


def _is_other_rank(file: FileState, main: events.RunStart) -> bool:
    return file.start is not None and file.start.role == "rank" and file.start is not main


def _fate(state: RunState, file: FileState, now: float, heard: float | None) -> statuses.Fate:
    start = file.start
    assert start is not None  # noqa: S101  see _is_other_rank()
    status, details, ended = _ending(state, start, file.end, now, heard)
    told = "source" in details and details["source"] != "none"
    return statuses.Fate(start.rank, status, details, _last_word(file.end, ended if told else None))


def _last_word(end: events.End | None, ended: float | None) -> float:
    """When a rank was at its end: its own word comes before anybody notices that it is dead."""
    return end.time if end is not None else math.inf if ended is None else ended


def _ending(
    state: RunState, start: events.RunStart, end: events.End | None, now: float, heard: float | None
) -> tuple[events.Status, dict[str, Any], float | None]:
    """How the process of ``start`` stands or ended, and when."""
    exits = [record for record in state.exits if record.time >= start.time and record.rank == start.rank]
    exit_record = statuses.strongest(exits, start.pid)
    latest = max((file.clock for name, file in state.files.items() if not journal.is_edits(name)), default=0.0)
    alive = statuses.liveness(start) if end is None and exit_record is None else "gone"
    # A clock that is wrong does not make a run lost that is heard of; records that came a day late do not revive one.
    beat = heard if heard is not None and latest > heard - _WRONG else latest
    status, details = statuses.resolve(start, end, exit_record, beat, alive, now=now)
    if status == "running":
        return status, details, None
    if end is not None and not (end.at_exit and exit_record is not None):
        return status, details, end.time
    return status, details, exit_record.time if exit_record is not None else latest
