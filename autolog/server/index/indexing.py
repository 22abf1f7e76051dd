"""The index of the server: what journals say, as rows that can be searched; brought up to date behind what is taken in.

Runs whose journals have grown are looked at in turn by one thread, which rests as long as it has worked: taking in
comes first, and under load the list of runs is some seconds old instead. The index is a cache of the journals: where it
is missing or behind (after a crash, a restored backup), it is made anew when the server starts.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from autolog.server import database, tables
from autolog.server.errors import ApiError
from autolog.server.index.filling import fill
from autolog.server.index.news_feed import tell
from autolog.server.index.rows import index_rows
from autolog.server.index.seeing import see
from autolog.server.storage.contract import Storage
from autolog.store import fold
from autolog.store.layout import Place
from autolog.store.summary import RunSummary

__all__ = ["Indexer", "refresh", "remove"]

_REST = 0.5
"""Least seconds between two looks at one run."""
_REMEMBERED = 10_000
_TRIES = 5
"""As often a run is read again that another server indexes at the same time."""
_AGAIN = 5.0
"""Seconds after which a run is looked at again where the database or the storage could not be reached."""
_AGAIN_AT_LAST = 600.0
"""The same for one that fails again and again: each time twice as long, up to this."""
_RUNNING_EVERY = 20.0
"""Seconds after which runs that seem to run are looked at without news: their heartbeats may have stopped."""


def refresh(engine: sa.Engine, storage: Storage, place: Place) -> RunSummary:
    """Bring the index of one run up to date.

    Returns:
        The run's summary as of now, complete.

    Raises:
        FileNotFoundError: there is no such run.
    """
    for _ in range(_TRIES):
        known = _known(engine, place)
        stamp, seen, state = see(storage, place, storage.stamp(place), known.state)
        if (stamp, seen.status) == (known.stamp, known.status):
            break
        rows = index_rows(place, seen, stamp, fold.dump_state(state))
        if _write(engine, storage, place, known, rows):
            break
    return seen


def remove(engine: sa.Engine, place: Place) -> None:
    """Take a run out of the index."""
    with database.locked(engine, "index", *place) as connection:
        if _delete(connection, place):
            tell(connection, place)


def _mine(table: sa.Table) -> sa.ColumnElement[bool]:
    return (table.c.project == sa.bindparam("_project")) & (table.c.run == sa.bindparam("_run"))


def _bound(place: Place) -> dict[str, str]:
    return {"_project": place[0], "_run": place[1]}


# Made once: under load, runs are looked at hundreds of times a second.
_RUNS, _PROGRESS = tables.INDEX["runs"], tables.INDEX["progress"]
_KNOWN = (
    sa.select(_PROGRESS.c.state, _RUNS.c.stamp, _RUNS.c.status)
    .join_from(_RUNS, _PROGRESS, (_PROGRESS.c.project == _RUNS.c.project) & (_PROGRESS.c.run == _RUNS.c.run))
    .where(_mine(_RUNS))
)
_STAMP = sa.select(_RUNS.c.stamp).where(_mine(_RUNS))
_DELETES = [sa.delete(table).where(_mine(table)) for table in tables.INDEX.values()]


class _Known(NamedTuple):
    """What the index has of a run."""

    state: fold.RunState | None = None
    stamp: str = ""
    status: str = ""


def _known(engine: sa.Engine, place: Place) -> _Known:
    with engine.connect() as connection:
        found = connection.execute(_KNOWN, _bound(place)).one_or_none()
    if found is None:
        return _Known()
    try:
        return _Known(fold.load_state(found.state), found.stamp, found.status)
    except msgspec.DecodeError:
        return _Known()


def _write(
    engine: sa.Engine, storage: Storage, place: Place, known: _Known, rows: dict[str, list[dict[str, Any]]]
) -> bool:  # fmt: skip
    """Replace the rows of a run, unless another server has done so since, or the run was taken away: whether it did."""
    with database.locked(engine, "index", *place) as connection:
        if (connection.execute(_STAMP, _bound(place)).scalar() or "") != known.stamp or not storage.stamp(
            place, connection
        ):
            return False
        _delete(connection, place)
        for name, found in rows.items():
            if found:
                connection.execute(sa.insert(tables.INDEX[name]), found)
        tell(connection, place)
    return True


def _delete(connection: sa.Connection, place: Place) -> bool:
    return sum(connection.execute(delete, _bound(place)).rowcount for delete in _DELETES) > 0


class Indexer(threading.Thread):
    """The thread; ``changed`` tells it of news, ``listeners`` hear when a run's rows are new.

    Args:
        engine: the database.
        storage: where the runs are.
    """

    def __init__(self, engine: sa.Engine, storage: Storage) -> None:
        super().__init__(name="autolog-index", daemon=True)
        self.listeners: list[Callable[[Place], None]] = []
        self.ready = threading.Event()
        """What was there when the server started is in the index."""
        self._engine = engine
        self._storage = storage
        self._news = threading.Condition()
        self._waiting: dict[Place, float] = {}
        """Runs to be looked at, and when at the earliest."""
        self._looked: dict[Place, float] = {}
        """When runs were looked at last."""
        self._failed: dict[Place, int] = {}
        """How often in turn runs could not be indexed, for reasons of their own."""
        self._ended = False

    def changed(self, *places: Place) -> None:
        """Runs have news."""
        with self._news:
            now = time.monotonic()
            for place in places:
                soon = max(now, self._looked.get(place, 0.0) + _REST)
                self._waiting[place] = min(soon, self._waiting.get(place, soon))  # also of one that has failed
            self._news.notify()

    def lag(self) -> tuple[int, float]:
        """How many runs wait to be looked at, and for how many seconds the first of them could have been."""
        with self._news:
            oldest = min(self._waiting.values(), default=None)
            return len(self._waiting), 0.0 if oldest is None else max(0.0, time.monotonic() - oldest)

    def close(self) -> None:
        """End the thread, after the run it is looking at."""
        with self._news:
            self._ended = True
            self._news.notify()
        self.join()

    def run(self) -> None:
        """Until :meth:`close`."""
        while not self._reached(self._catch_up) and not self._ended:
            self._pause(_AGAIN)
        self.ready.set()
        looked = time.monotonic()
        while (place := self._next()) is not None or not self._ended:
            if place is not None:
                begun = time.monotonic()
                self._look(place)
                self._pause(time.monotonic() - begun)
            if time.monotonic() - looked > _RUNNING_EVERY:
                looked = time.monotonic()
                self._reached(self._look_around)

    def _next(self) -> Place | None:
        with self._news:
            while not self._ended:
                now = time.monotonic()
                due = min(self._waiting.items(), key=lambda item: item[1], default=None)
                if due is not None and due[1] <= now:
                    del self._waiting[due[0]]
                    self._note(due[0], now)
                    return due[0]
                self._news.wait(_RUNNING_EVERY if due is None else due[1] - now)
                if not self._waiting:
                    return None
        return None

    def _note(self, place: Place, now: float) -> None:
        if len(self._looked) > _REMEMBERED:
            self._looked = {known: when for known, when in self._looked.items() if when + _REST > now}
        self._looked[place] = now

    def _look(self, place: Place) -> None:
        try:
            self._refresh(place)
        except (sa.exc.OperationalError, ApiError) as problem:
            logging.getLogger("autolog.server").warning("cannot index %s/%s now: %s", *place, problem)
            self._look_again(place, _AGAIN)
            return
        except Exception:  # one run's trouble must not end the thread; the run stays as it was indexed, for a while
            logging.getLogger("autolog.server").exception("cannot index %s/%s", *place)
            failed = self._failed[place] = self._failed.get(place, -1) + 1
            self._look_again(place, min(_AGAIN * 2 ** min(failed, 10), _AGAIN_AT_LAST))
            return
        self._failed.pop(place, None)
        self._tell(place)

    def _look_again(self, place: Place, after: float) -> None:
        with self._news:
            self._waiting.setdefault(place, time.monotonic() + after)

    def _tell(self, place: Place) -> None:
        for listener in self.listeners:
            listener(place)

    def _refresh(self, place: Place) -> None:
        try:
            refresh(self._engine, self._storage, place)
        except FileNotFoundError:
            remove(self._engine, place)

    def _pause(self, seconds: float) -> None:
        with self._news:
            if not self._ended:
                self._news.wait_for(lambda: self._ended, min(seconds, 1.0))

    def _catch_up(self) -> None:
        """Runs that have changed while no server was there, and those that are gone."""
        runs = tables.INDEX["runs"].c
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(runs.project, runs.run, runs.stamp))
            known = {(project, run): stamp for project, run, stamp in rows}
        found = dict(self._storage.places())
        for place in known.keys() - found.keys():
            remove(self._engine, place)
        changed = [each for each in found.items() if known.get(each[0]) != each[1]]
        changed.sort(key=lambda item: item[0][1], reverse=True)  # the newest first
        for filled in fill(self._engine, self._storage, (each for each in changed if each[0] not in known)):
            for place in filled.written:
                self._tell(place)
            if not self._looked_at(filled.left):
                return
        self._looked_at([place for place, _ in changed if place in known])

    def _looked_at(self, places: list[Place]) -> bool:
        """Look at runs one by one; whether the thread is to go on."""
        for place in places:
            if not self._ended:
                self._look(place)
        return not self._ended

    @staticmethod
    def _reached(work: Callable[[], None]) -> bool:
        """Whether what was asked for could be done: the database and the storage answer."""
        try:
            work()
        except (sa.exc.OperationalError, ApiError) as problem:
            logging.getLogger("autolog.server").warning("cannot look for runs to index now: %s", problem)
            return False
        return True

    def _look_around(self) -> None:
        """Runs that seem to run, and what a server took that is gone."""
        runs = tables.INDEX["runs"].c
        with self._engine.connect() as connection:
            running = connection.execute(sa.select(runs.project, runs.run).where(runs.status == "running"))
            places = [(project, run) for project, run in running]
        for place in (*places, *self._storage.behind()):
            self.changed(place)
