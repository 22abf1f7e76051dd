"""What a run's journals say now, for the index."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from autolog.journal import is_edits, journals
from autolog.server.storage.contract import Storage
from autolog.store import fold, reader, summary
from autolog.store.layout import Place
from autolog.store.summary import RunSummary

__all__ = ["Seen", "see"]


class Seen(NamedTuple):
    """A run as of now."""

    stamp: str
    """Of the journals, taken before they were read."""
    summary: RunSummary
    state: fold.RunState


def see(storage: Storage, place: Place, stamp: str, state: fold.RunState | None = None) -> Seen:
    """Read a run, or on from a state of it.

    Args:
        storage: where it is.
        place: which.
        stamp: its stamp, as it is now or was a moment ago: what comes later will be seen as news.
        state: what was read before; it is changed in place.

    Raises:
        FileNotFoundError: there is no such run.
    """
    with storage.directory(place) as directory:
        state = reader.read_state(directory, state)
        seen = summary.summarize(state, directory, heard=_heard(directory))
    for one in summary.descendants(seen):
        one.directory = ""  # where a server keeps them is nobody else's business
    return Seen(stamp, seen, state)


def _heard(directory: Path) -> float:
    """When bytes of a run came in last, by this machine's clock: those of its sender may be wrong."""
    times = [path.stat().st_mtime for path in journals(directory) if not is_edits(path.name)]
    return max(times, default=0.0)
