"""The index of the server: what journals say, as rows that can be searched; brought up to date behind what is taken in.

Runs whose journals have grown are looked at in turn by one thread, many in one go. It rests twice as long as it has
worked: taking in comes first, and under load the list of runs is some seconds old instead. The index is a cache of the
journals: where it is missing or behind (after a crash, a restored backup), it is made anew when the server starts.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import sqlalchemy as sa

from autolog.server import tables
from autolog.server.errors import ApiError
from autolog.server.index.filling import fill
from autolog.server.index.refreshing import known, refresh
from autolog.server.index.writing import Written, remove
from autolog.server.storage.contract import Storage
from autolog.store.layout import Place

__all__ = ["Indexer"]

_REST = 0.5
"""Least seconds between two looks at one run."""
_TOGETHER = 48
"""Runs that are looked at, and written, in one go: whoever waits for the news of one does not wait long."""
_SPARING = 2.0
"""Times as long as it has worked the thread rests: what comes in comes first."""
_REMEMBERED = 10_000
_AGAIN = 5.0
"""Seconds after which a run is looked at again where the database or the storage could not be reached."""
_AGAIN_AT_LAST = 600.0
"""The same for one that fails again and again: each time twice as long, up to this."""
_RUNNING_EVERY = 20.0
"""Seconds after which runs that seem to run are looked at without news: their heartbeats may have stopped."""


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
        self._written = Written()
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
        """End the thread, after the runs it is looking at."""
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
        while (places := self._next()) or not self._ended:
            if places:
                begun = time.monotonic()
                self._look_at(places)
                self._pause(_SPARING * (time.monotonic() - begun))
            if time.monotonic() - looked > _RUNNING_EVERY:
                looked = time.monotonic()
                self._reached(self._look_around)

    def _next(self) -> list[Place]:
        """The runs whose turn it is, those first that have waited for longest; none: nothing is to be done for now."""
        with self._news:
            while not self._ended:
                now = time.monotonic()
                due = sorted((when, place) for place, when in self._waiting.items() if when <= now)[:_TOGETHER]
                if due:
                    places = [place for _, place in due]
                    for place in places:
                        del self._waiting[place]
                    self._note(places, now)
                    return places
                self._news.wait(min(self._waiting.values(), default=now + _RUNNING_EVERY) - now)
                if not self._waiting:
                    return []
        return []

    def _note(self, places: list[Place], now: float) -> None:
        if len(self._looked) > _REMEMBERED:
            self._looked = {known: when for known, when in self._looked.items() if when + _REST > now}
        self._looked.update(dict.fromkeys(places, now))

    def _look_at(self, places: list[Place]) -> bool:
        """Look at runs, together where there are several; whether the thread is to go on."""
        if len(places) == 1:
            return self._one_by_one(places)
        try:
            before = known(self._engine, places)
            stamps = ((place, "") for place in places)
            for filled in fill(self._engine, self._storage, stamps, before, self._written):
                for place in filled.done:
                    self._done(place)
                self._one_by_one(filled.left)
        except sa.exc.OperationalError as problem:
            logging.getLogger("autolog.server").warning("cannot index %d runs now: %s", len(places), problem)
            for place in places:
                self._look_again(place, _AGAIN)
        return not self._ended

    def _one_by_one(self, places: list[Place]) -> bool:
        for place in places:
            if not self._ended:
                self._look(place)
        return not self._ended

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
        self._done(place)

    def _look_again(self, place: Place, after: float) -> None:
        with self._news:
            self._waiting.setdefault(place, time.monotonic() + after)

    def _done(self, place: Place) -> None:
        self._failed.pop(place, None)
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
            stamps = {(project, run): stamp for project, run, stamp in rows}
        found = dict(self._storage.places())
        for place in stamps.keys() - found.keys():
            remove(self._engine, place)
        changed = [each for each in found.items() if stamps.get(each[0]) != each[1]]
        changed.sort(key=lambda item: item[0][1], reverse=True)  # the newest first
        for filled in fill(self._engine, self._storage, (each for each in changed if each[0] not in stamps)):
            for place in filled.done:
                self._done(place)
            if not self._one_by_one(filled.left):
                return
        behind = [place for place, _ in changed if place in stamps]
        for first in range(0, len(behind), _TOGETHER):
            if not self._look_at(behind[first : first + _TOGETHER]):
                return

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
        self.changed(*places, *self._storage.behind())
