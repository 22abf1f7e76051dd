"""Rows of the index, replaced: of one run, or of many in one transaction.

Rows are only written if what they were made from is still what is stored: two servers may look at a run at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from autolog.server import database, tables
from autolog.server.index.news_feed import tell_all
from autolog.server.storage.contract import Storage
from autolog.store import schema
from autolog.store.layout import Place

__all__ = ["Read", "Written", "remove", "write", "write_all"]

_REMEMBERED = 10_000
_SELDOM = ("tags", "fields")
"""Tables whose rows of a run seldom change, and may be many."""


class Read(NamedTuple):
    """What a run's journals say, and the index does not yet."""

    known: str
    """The stamp that the index had; empty: nothing of this run."""
    stamp: str
    entries: dict[str, list[tuple[Any, ...]]]


class Written:
    """What was written last of runs, so that rows that stay the same are not written again."""

    def __init__(self) -> None:
        self._of: dict[Place, tuple[str, dict[str, bytes]]] = {}

    def same(self, place: Place, read: Read) -> set[str]:
        """Tables in which the rows of a run are as they have been since its index had the stamp that it still has."""
        stamp, digests = self._of.get(place, ("", {}))
        if not stamp or stamp != read.known:
            return set()
        return {table for table in _SELDOM if digests[table] == _digest(read.entries[table])}

    def note(self, place: Place, read: Read) -> None:
        """The rows of a run have been written."""
        if len(self._of) >= _REMEMBERED:
            self._of = {}
        self._of[place] = (read.stamp, {table: _digest(read.entries[table]) for table in _SELDOM})


def _digest(entries: list[tuple[Any, ...]]) -> bytes:
    return hashlib.blake2b(msgspec.msgpack.encode(entries), digest_size=16).digest()


# Made once: under load, hundreds of runs are written a second.
_RUNS = tables.INDEX["runs"].c
_STAMPS = sa.select(_RUNS.project, _RUNS.run, _RUNS.stamp).where(
    sa.tuple_(_RUNS.project, _RUNS.run).in_(sa.bindparam("places", expanding=True))
)
_DELETES = {
    name: sa.delete(table).where((table.c.project == sa.bindparam("_project")) & (table.c.run == sa.bindparam("_run")))
    for name, table in tables.INDEX.items()
}


def write(engine: sa.Engine, storage: Storage, place: Place, read: Read) -> bool:
    """Replace the rows of a run, unless another server has done so since, or the run was taken away: whether it did.

    One that another server is just writing is waited for.
    """
    with database.locked(engine, "index", *place) as connection:
        return bool(_replaced(connection, storage, {place: read}, Written()))


def write_all(engine: sa.Engine, storage: Storage, reads: dict[Place, Read], written: Written) -> list[Place]:
    """The same for many runs at once; those that were replaced.

    Locks that are held are not waited for: two servers cannot stand in each other's way.
    """
    with database.locked_if_free(engine, "index", sorted(reads)) as (connection, mine):
        ours = _replaced(connection, storage, {place: reads[place] for place in mine}, written)
    for place in ours:
        written.note(place, reads[place])
    return ours


def remove(engine: sa.Engine, place: Place) -> None:
    """Take a run out of the index."""
    with database.locked(engine, "index", *place) as connection:
        bound = _bound([place])[0]
        if sum(connection.execute(delete, bound).rowcount for delete in _DELETES.values()) > 0:
            tell_all(connection, [place])


def _replaced(
    connection: sa.Connection, storage: Storage, reads: dict[Place, Read], written: Written
) -> list[Place]:  # fmt: skip
    if not reads:
        return []
    stored = {(project, run): stamp for project, run, stamp in connection.execute(_STAMPS, {"places": list(reads)})}
    ours = [
        place for place, read in reads.items()
        if stored.get(place, "") == read.known and storage.stamp(place, connection)
    ]  # fmt: skip
    same = {place: written.same(place, reads[place]) for place in ours}
    for table in schema.TABLES:
        changed = [place for place in ours if table not in same[place]]
        older = [place for place in changed if place in stored]
        if older:
            connection.execute(_DELETES[table], _bound(older))
        entries = [entry for place in changed for entry in reads[place].entries[table]]
        if entries:
            connection.exec_driver_sql(_insertion(table, connection), entries)
    tell_all(connection, ours)
    return ours


def _bound(places: Sequence[Place]) -> list[dict[str, str]]:
    return [{"_project": project, "_run": run} for project, run in places]


def _insertion(table: str, connection: sa.Connection) -> str:
    """Values are bound by position, as the driver takes them: naming each of them costs more than all the rest."""
    quoted = [f'"{column.name}"' for column in schema.TABLES[table]]
    sign = "?" if connection.dialect.name == "sqlite" else "%s"
    signs = ", ".join(sign for _ in quoted)
    return f"INSERT INTO {table} ({', '.join(quoted)}) VALUES ({signs})"  # noqa: S608  our own names
