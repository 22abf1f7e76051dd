"""What a server does by itself: counts what runs hold, ends what was deleted, deletes what is older than it is kept.

Every server counts what it has taken. The rest is done by one of them, which holds a lease.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable

import sqlalchemy as sa

from autolog.server import tables
from autolog.server.accounts.auditing import Origin
from autolog.server.service import Service
from autolog.server.upkeep import deleting, leasing

__all__ = ["KEEP", "Housekeeper", "expire", "tidy"]

KEEP = "keep"
"""Runs with this tag are not deleted by age."""
_EVERY = 20.0
_LEASE = 120.0
_WORK = "housekeeping"
_BATCH = 200
"""Runs that are deleted by age at once."""
_DAY = 86400.0
_RUNS = tables.INDEX["runs"].c
_TAGS = tables.INDEX["tags"].c


def expire(service: Service, now: float) -> int:
    """Delete runs that have ended longer ago than their project keeps them; how many.

    They can be brought back like all that were deleted. Those tagged :data:`KEEP` stay, and those that run. One that
    came here, or back, later than it ended (its clock may have been wrong) is kept as long from then on.
    """
    projects, usage = tables.projects.c, tables.usage.c
    days = sa.func.coalesce(projects.retention_days, service.limits.retention_days)
    kept = sa.exists().where(_TAGS.project == _RUNS.project, _TAGS.run == _RUNS.run, _TAGS.tag == KEEP)
    due = (
        sa.select(_RUNS.project, _RUNS.run, _RUNS.name)
        .join(tables.projects, projects.project == _RUNS.project)
        .join(tables.usage, (usage.project == _RUNS.project) & (usage.run == _RUNS.run))
        .where(days > 0, _RUNS.status != "running", _RUNS.ended_at < now - days * _DAY, sa.not_(kept))
        .where(usage.since < now - days * _DAY)
        .limit(_BATCH)
    )
    with service.engine.connect() as connection:
        found = connection.execute(due).all()
    for project, run, name in found:
        deleting.delete(service, (project, run), name, Origin("", "server"), why="run_expired")
    return len(found)


def tidy(service: Service, now: float) -> None:
    """What one of several servers does."""
    expire(service, now)
    deleting.purge(service, now)


class Housekeeper(threading.Thread):
    """The thread.

    Args:
        service: the server.
    """

    def __init__(self, service: Service) -> None:
        super().__init__(name="autolog-housekeeping", daemon=True)
        self._service = service
        self._name = secrets.token_hex(8)
        self._over = threading.Event()

    def run(self) -> None:
        """Until :meth:`close`."""
        self._attempt(self._recount)
        while not self._over.is_set():
            self._attempt(self._once)
            self._over.wait(_EVERY)
        self._attempt(self._service.usage.count)
        self._attempt(lambda: leasing.let_go(self._service.engine, _WORK, self._name))

    def close(self) -> None:
        """End the thread, after what it is doing."""
        self._over.set()
        self.join()

    def _once(self) -> None:
        self._service.usage.count()
        if leasing.hold(self._service.engine, _WORK, self._name, _LEASE):
            tidy(self._service, time.time())

    def _recount(self) -> None:
        """Runs that were never counted: a server was killed before, or the data is that of a backup."""
        usage = tables.usage.c
        with self._service.engine.connect() as connection:
            known = {(project, run) for project, run in connection.execute(sa.select(usage.project, usage.run))}
        for place, _ in self._service.storage.places():
            if place not in known:
                self._service.usage.touch(place)

    @staticmethod
    def _attempt(work: Callable[[], object]) -> None:
        try:
            work()
        except Exception:  # the next round may go better; a server serves meanwhile
            logging.getLogger("autolog.server").exception("housekeeping")
