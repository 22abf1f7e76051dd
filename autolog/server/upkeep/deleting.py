"""Taking runs away: out of sight at once, to be brought back for some days, then gone for good.

A row of the database says that a run was deleted, and stays when it is gone: what is still sent to it is refused, and a
run that is sent again later is not taken for a new one.
"""

from __future__ import annotations

import time

import msgspec
import sqlalchemy as sa

from autolog.server import tables
from autolog.server.accounts import auditing
from autolog.server.accounts.auditing import Origin
from autolog.server.accounts.rows import put
from autolog.server.errors import ApiError
from autolog.server.index import refreshing, writing
from autolog.server.service import Service
from autolog.store.layout import Place
from autolog.store.summary import RunSummary

__all__ = ["DeletedRun", "check", "delete", "deleted", "purge", "restore"]

_DELETED = tables.deleted.c
_DAY = 86400.0


class DeletedRun(msgspec.Struct):
    """A run that was deleted and can still be brought back."""

    id: str
    name: str
    deleted_at: float
    deleted_by: str
    gone_at: float
    """When it is gone for good."""


def check(engine: sa.Engine, place: Place) -> None:
    """Refuse what is sent to a run that was deleted.

    Raises:
        ApiError: 410.
    """
    with engine.connect() as connection:
        row = connection.execute(sa.select(tables.deleted).where(_here(place))).one_or_none()
    if row is not None:
        message = f"the run {place[1]} was deleted here; nothing more is taken of it"
        if row.purged_at is None:
            message += " unless it is brought back"
        raise ApiError(410, "deleted", message, deleted_at=row.deleted_at, restorable=row.purged_at is None)


def delete(service: Service, place: Place, name: str, origin: Origin, *, why: str = "run_deleted") -> None:
    """Delete a run, for a while.

    Args:
        service: the server.
        place: the run.
        name: what people call it.
        origin: who deletes it.
        why: the word in the audit log.

    Raises:
        ApiError: 404: there is no such run.
    """
    with service.engine.begin() as connection:  # first: from now on nothing is taken for it
        put(
            connection, tables.deleted, project=place[0], run=place[1], name=name, deleted_at=time.time(),
            deleted_by=origin.user, purged_at=None,
        )  # fmt: skip
        auditing.note(connection, origin, why, project=place[0], subject=place[1], name=name)
    try:
        service.storage.remove(place)
    finally:
        _forget(service, place)


def _forget(service: Service, place: Place) -> None:
    writing.remove(service.engine, place)
    with service.engine.begin() as connection:
        usage = tables.usage.c
        connection.execute(sa.delete(tables.usage).where(usage.project == place[0], usage.run == place[1]))
    service.indexer.changed(place)  # tells who listens; and the indexer may have been reading the run just now


def restore(service: Service, place: Place, origin: Origin) -> RunSummary:
    """Bring back a run.

    Raises:
        ApiError: 404: it was not deleted, or is gone for good; 409: it is there.
    """
    service.storage.restore(place)
    with service.engine.begin() as connection:
        connection.execute(sa.delete(tables.deleted).where(_here(place)))
        auditing.note(connection, origin, "run_restored", project=place[0], subject=place[1])
    service.indexer.changed(place)
    return refreshing.refresh(service.engine, service.storage, place)


def deleted(service: Service, project: str) -> list[DeletedRun]:
    """What can be brought back, newest first."""
    mine = sa.select(tables.deleted).where(_DELETED.project == project, _DELETED.purged_at.is_(None))
    kept = service.limits.undo_days * _DAY
    with service.engine.connect() as connection:
        rows = connection.execute(mine.order_by(_DELETED.deleted_at.desc())).all()
    return [DeletedRun(row.run, row.name, row.deleted_at, row.deleted_by, row.deleted_at + kept) for row in rows]


def purge(service: Service, now: float) -> int:
    """Delete for good what was deleted long enough ago; how many runs that were.

    Also finishes what a server began and did not come to the end of.
    """
    before = now - service.limits.undo_days * _DAY
    due = [one for one in service.storage.removed() if one.at <= before]
    for one in due:
        service.storage.purge(one)
        with service.engine.begin() as connection:
            ended = sa.update(tables.deleted).where(_here(one.place), _DELETED.deleted_at <= before)
            connection.execute(ended.values(purged_at=now))
            auditing.note(connection, _ITSELF, "run_purged", project=one.place[0], subject=one.place[1])
    for place in _unfinished(service, now):
        service.storage.remove(place)
        _forget(service, place)
    return len(due)


_ITSELF = Origin("", "server")
_SETTLED = 60.0


def _unfinished(service: Service, now: float) -> list[Place]:
    """Runs that are said to be deleted and are there all the same: a server was killed between the two."""
    rows = sa.select(_DELETED.project, _DELETED.run).where(
        _DELETED.purged_at.is_(None), _DELETED.deleted_at < now - _SETTLED
    )
    with service.engine.connect() as connection:
        places = [(project, run) for project, run in connection.execute(rows)]
    return [place for place in places if service.storage.stamp(place)]


def _here(place: Place) -> sa.ColumnElement[bool]:
    return sa.and_(_DELETED.project == place[0], _DELETED.run == place[1])
