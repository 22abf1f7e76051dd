"""What projects hold, and the quotas that keep one from filling the server's disk.

The database knows the bytes of every run as they were last counted. What this process has taken since then is added, so
that a quota holds between two counts; several servers may together take a little more.
"""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

import sqlalchemy as sa

from autolog.server import tables
from autolog.server.accounts.rows import insert_once
from autolog.server.errors import ApiError
from autolog.server.limits import Limits
from autolog.server.storage.contract import Storage
from autolog.store.layout import Place

__all__ = ["Held", "Usage"]

_FRESH = 5.0
"""Seconds for which what the database said is not asked again."""


class Held(NamedTuple):
    """What a project holds, and may hold; 0: without a limit."""

    bytes: int
    runs: int
    quota_bytes: int
    quota_runs: int


class Usage:
    """Of one server process.

    Args:
        engine: the database.
        storage: where the runs are.
        limits: the quotas of projects that have none of their own.
    """

    def __init__(self, engine: sa.Engine, storage: Storage, limits: Limits) -> None:
        self._engine = engine
        self._storage = storage
        self._limits = limits
        self._lock = threading.Lock()
        self._taken: dict[Place, int] = {}
        """Bytes that were taken since the last count."""
        self._counting: dict[Place, int] = {}
        """The same of what is being counted now."""
        self._known: dict[str, tuple[float, Held]] = {}

    def admit(self, place: Place, size: int, *, begins: bool) -> None:
        """Let ``size`` bytes through, if the run's project may hold them.

        Args:
            place: the run.
            size: bytes that are about to be written.
            begins: the run may be a new one.

        Raises:
            ApiError: 507.
        """
        held = self._held(place[0])
        if held.quota_bytes and held.bytes + self._since(place[0]) + size > held.quota_bytes:
            raise _full(place[0], "bytes", held.quota_bytes, held.bytes + self._since(place[0]))
        if begins and held.quota_runs and not self._storage.stamp(place):
            runs = self.of(place[0]).runs  # exactly: this is rare
            if runs >= held.quota_runs:
                raise _full(place[0], "runs", held.quota_runs, runs)
        with self._lock:
            self._taken[place] = self._taken.get(place, 0) + size

    def touch(self, place: Place) -> None:
        """Have a run counted anew."""
        with self._lock:
            self._taken.setdefault(place, 0)

    def of(self, project: str) -> Held:
        """What a project holds now."""
        held = self._ask(project)
        with self._lock:
            places = {place for place in (*self._taken, *self._counting) if place[0] == project}
        usage = tables.usage.c
        counted = sa.select(usage.run).where(usage.project == project, usage.run.in_([run for _, run in places]))
        with self._engine.connect() as connection:
            known = set(connection.execute(counted).scalars())
        new = sum(1 for place in places if place[1] not in known and self._storage.stamp(place))
        return held._replace(bytes=held.bytes + self._since(project), runs=held.runs + new)

    def count(self) -> None:
        """Count the runs that have taken something since the last time."""
        with self._lock:
            self._counting, self._taken = self._taken, {}
        try:
            for place in list(self._counting):
                size = sum(self._storage.sizes(place).values()) + sum(size for _, size in self._storage.files(place))
                with self._engine.begin() as connection:
                    _write(connection, place, size)
                with self._lock:
                    del self._counting[place]
                    self._known.pop(place[0], None)
        finally:
            with self._lock:  # what could not be counted is counted next time
                for place, size in self._counting.items():
                    self._taken[place] = self._taken.get(place, 0) + size
                self._counting = {}

    def forget(self, project: str) -> None:
        """Ask the database again what a project holds and may hold."""
        with self._lock:
            self._known.pop(project, None)

    def _since(self, project: str) -> int:
        with self._lock:
            return sum(
                size for taken in (self._taken, self._counting) for place, size in taken.items() if place[0] == project
            )

    def _held(self, project: str) -> Held:
        known = self._known.get(project)
        return known[1] if known is not None and known[0] > time.monotonic() else self._ask(project)

    def _ask(self, project: str) -> Held:
        usage, projects = tables.usage.c, tables.projects.c
        held = sa.select(sa.func.coalesce(sa.func.sum(usage.bytes), 0), sa.func.count()).where(usage.project == project)
        may = sa.select(projects.quota_bytes, projects.quota_runs).where(projects.project == project)
        with self._engine.connect() as connection:
            size, runs = connection.execute(held).one()
            row = connection.execute(may).one_or_none()
        own_bytes, own_runs = row if row is not None else (None, None)
        found = Held(
            int(size), int(runs),
            int(self._limits.quota_bytes) if own_bytes is None else own_bytes,
            int(self._limits.quota_runs) if own_runs is None else own_runs,
        )  # fmt: skip
        with self._lock:
            self._known[project] = (time.monotonic() + _FRESH, found)
        return found


def _write(connection: sa.Connection, place: Place, size: int) -> None:
    mine = sa.and_(tables.usage.c.project == place[0], tables.usage.c.run == place[1])
    if not size:
        connection.execute(sa.delete(tables.usage).where(mine))
    elif not insert_once(
        connection, tables.usage, project=place[0], run=place[1], bytes=size, since=time.time()
    ):  # fmt: skip
        connection.execute(sa.update(tables.usage).where(mine).values(bytes=size))


def _full(project: str, what: str, quota: int, used: int) -> ApiError:
    message = f"the project {project!r} may hold {quota} {what} here and holds {used}; delete runs, or ask for more"
    return ApiError(507, "quota", message, what=what, quota=quota, used=used)
