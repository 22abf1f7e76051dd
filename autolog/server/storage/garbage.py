"""Objects that nothing names any more: noted in the transaction that stops naming them, deleted after it."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from autolog.server.storage.objects import Objects
from autolog.server.storage.tables import garbage

__all__ = ["discard", "sweep"]

_AT_ONCE = 1000


def discard(connection: sa.Connection, project: str, keys: Iterable[str]) -> None:
    """Note objects for deletion."""
    now = sa.func.date_part("epoch", sa.func.clock_timestamp())
    for key in keys:
        values = {"project": project, "object": key, "since": now}
        connection.execute(insert(garbage).values(**values).on_conflict_do_nothing())


def sweep(engine: sa.Engine, objects: Objects) -> None:
    """Delete what was noted. What cannot be deleted now stays noted.

    Raises:
        ApiError: 503: the bucket cannot be reached.
    """
    while True:
        with engine.connect() as connection:
            select = sa.select(garbage.c.project, garbage.c.object).limit(_AT_ONCE)
            found = connection.execute(select).all()
        if not found:
            return
        objects.delete([key for _, key in found])
        with engine.begin() as connection:
            for project, key in found:
                same = (garbage.c.project == project) & (garbage.c.object == key)
                connection.execute(sa.delete(garbage).where(same))
