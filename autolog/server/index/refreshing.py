"""One run of the index, brought to what its journals say now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from autolog.server import tables
from autolog.server.index.rows import index_entries
from autolog.server.index.seeing import see
from autolog.server.index.writing import Read, write
from autolog.server.storage.contract import Storage
from autolog.store import fold
from autolog.store.layout import Place
from autolog.store.summary import RunSummary

__all__ = ["Known", "known", "refresh"]

_TRIES = 5
"""As often a run is read again that another server indexes at the same time."""


class Known(NamedTuple):
    """What the index has of a run."""

    state: fold.RunState | None = None
    stamp: str = ""
    status: str = ""


_RUNS, _PROGRESS = tables.INDEX["runs"], tables.INDEX["progress"]
_KNOWN = (
    sa.select(_RUNS.c.project, _RUNS.c.run, _PROGRESS.c.state, _RUNS.c.stamp, _RUNS.c.status)
    .join_from(_RUNS, _PROGRESS, (_PROGRESS.c.project == _RUNS.c.project) & (_PROGRESS.c.run == _RUNS.c.run))
    .where(sa.tuple_(_RUNS.c.project, _RUNS.c.run).in_(sa.bindparam("places", expanding=True)))
)


def known(engine: sa.Engine, places: Sequence[Place]) -> dict[Place, Known]:
    """What the index has of runs; a state that this version cannot read is none, so that the run is read anew."""
    with engine.connect() as connection:
        rows = connection.execute(_KNOWN, {"places": list(places)}).all()
    found = {}
    for project, run, state, stamp, status in rows:
        try:
            found[project, run] = Known(fold.load_state(state), stamp, status)
        except msgspec.DecodeError:
            found[project, run] = Known(None, stamp, "")
    return found


def refresh(engine: sa.Engine, storage: Storage, place: Place) -> RunSummary:
    """Bring the index of one run up to date.

    Returns:
        The run's summary as of now, complete.

    Raises:
        FileNotFoundError: there is no such run.
    """
    for _ in range(_TRIES):
        before = known(engine, [place]).get(place, Known())
        stamp, seen, state = see(storage, place, storage.stamp(place), before.state)
        if (stamp, seen.status) == (before.stamp, before.status):
            break
        entries = index_entries(place, seen, stamp, fold.dump_state(state))
        if write(engine, storage, place, Read(before.stamp, stamp, entries)):
            break
    return seen
