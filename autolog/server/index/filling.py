"""Runs that the index does not know, many in one transaction: the first index of a data directory, or one made anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from autolog.server import database, tables
from autolog.server.index.news_feed import tell_all
from autolog.server.index.rows import index_entries
from autolog.server.index.seeing import see
from autolog.server.storage.contract import Storage
from autolog.store import fold, schema
from autolog.store.layout import Place

__all__ = ["Filled", "fill"]

_RUNS = 200
_BYTES = 8 << 20
"""Most runs, and about the most bytes, of one transaction: whoever waits for it does not wait long."""
_RUN = tables.INDEX["runs"].c

_Entries = dict[str, list[tuple[Any, ...]]]


class Filled(NamedTuple):
    """What became of some runs."""

    written: list[Place]
    left: list[Place]
    """To be looked at one by one: another server writes them or has written them, they are gone, or cannot be read."""


def fill(engine: sa.Engine, storage: Storage, stamps: Iterable[tuple[Place, str]]) -> Iterator[Filled]:
    """Index runs that have no rows yet; each step is a transaction.

    Args:
        engine: the database.
        storage: where the runs are.
        stamps: the runs with the stamps that they had a moment ago.
    """
    batch: dict[Place, _Entries] = {}
    left: list[Place] = []
    size = 0
    for place, stamp in stamps:
        try:
            seen = see(storage, place, stamp)
            state = fold.dump_state(seen.state)
            batch[place] = index_entries(place, seen.summary, stamp, state)
        except Exception:  # one run's trouble: whoever looks at it alone says which it is
            left.append(place)
            continue
        size += 2 * len(state)
        if len(batch) >= _RUNS or size > _BYTES:
            yield _write(engine, storage, batch, left)
            batch, left, size = {}, [], 0
    if batch or left:
        yield _write(engine, storage, batch, left)


def _write(engine: sa.Engine, storage: Storage, batch: dict[Place, _Entries], left: list[Place]) -> Filled:
    # Locks that are held are not waited for: two servers that fill the index cannot stand in each other's way.
    with database.locked_if_free(engine, "index", list(batch)) as (connection, mine):
        known = {
            (row.project, row.run)
            for row in connection.execute(
                sa.select(_RUN.project, _RUN.run).where(
                    _RUN.project.in_({place[0] for place in mine}), _RUN.run.in_([place[1] for place in mine])
                )
            )
        }
        written = [place for place in mine if place not in known and storage.stamp(place, connection)]
        for table in schema.TABLES:
            rows = [row for place in written for row in batch[place][table]]
            if rows:
                connection.exec_driver_sql(_insertion(table, connection), rows)
        tell_all(connection, written)
    done = set(written)
    return Filled(written, [*left, *(place for place in batch if place not in done)])


def _insertion(table: str, connection: sa.Connection) -> str:
    """Values are bound by position, as the driver takes them: naming each of them costs more than all the rest."""
    quoted = [f'"{column.name}"' for column in schema.TABLES[table]]
    sign = "?" if connection.dialect.name == "sqlite" else "%s"
    signs = ", ".join(sign for _ in quoted)
    return f"INSERT INTO {table} ({', '.join(quoted)}) VALUES ({signs})"  # noqa: S608  our own names
