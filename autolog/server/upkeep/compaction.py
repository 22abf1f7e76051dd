"""Compaction on the server: runs that have ended and been quiet for a while are published as Parquet, to be read in
place by charts and by other programs; see :mod:`autolog.server.upkeep.published`. The journals stay the truth.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from autolog.server import tables
from autolog.server.errors import ApiError
from autolog.server.storage.contract import Storage
from autolog.server.upkeep import leasing, published
from autolog.store import compact
from autolog.store.layout import Place
from autolog.store.parquet import CHART, FILE, open_stored

__all__ = ["Compactor"]

_EVERY = 10.0
"""Seconds between two looks at the index."""
_AGAIN = 600.0
"""Seconds after which what failed is tried again."""
_SMALL = 1 << 20
"""Bytes of journals that are not worth a process of their own."""
_WORK = ".compacting"
"""Folder of the data directory."""
_LEASE = "compaction"


class Compactor(threading.Thread):
    """The thread.

    Args:
        engine: the database.
        storage: where runs are kept.
        data: the data directory.
        after: seconds for which a run must have been quiet.
    """

    def __init__(self, engine: sa.Engine, storage: Storage, data: Path, after: float = 60.0) -> None:
        super().__init__(name="autolog-compaction", daemon=True)
        self._engine = engine
        self._storage = storage
        self._work = data / _WORK
        self._after = after
        self._holder = secrets.token_hex(8)
        self._seen: dict[Place, tuple[str, float]] = {}
        """Runs that are to be compacted: what their journals were, and since when."""
        self._ended = threading.Event()

    def close(self) -> None:
        """End the thread; what is half done is dropped."""
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Until :meth:`close`."""
        shutil.rmtree(self._work, ignore_errors=True)
        while not self._ended.wait(min(_EVERY, max(self._after, 0.1))):
            try:
                if leasing.hold(self._engine, _LEASE, self._holder, 3 * _EVERY):
                    self._round()
            except Exception:  # the next round may do better; nothing but time is lost
                logging.getLogger("autolog.server").exception("compaction")
        leasing.let_go(self._engine, _LEASE, self._holder)

    def _round(self) -> None:
        now = time.monotonic()
        due = self._due()
        self._seen = {
            place: known if (known := self._seen.get(place, ("", 0.0)))[0] == stamp else (stamp, now)
            for place, stamp in due.items()
        }
        for place, (stamp, since) in list(self._seen.items()):
            if now - since >= self._after and not self._ended.is_set():
                leasing.hold(self._engine, _LEASE, self._holder, 3 * _EVERY)
                self._one(place, stamp)
        for place in self._orphans():
            self._withdraw(place)

    def _due(self) -> dict[Place, str]:
        """Runs that have ended, and whose journals are not those that were compacted; with their stamps."""
        runs, done = tables.INDEX["runs"].c, tables.compacted.c
        same = (runs.project == done.project) & (runs.run == done.run)
        select = (
            sa.select(runs.project, runs.run, runs.stamp)
            .select_from(tables.INDEX["runs"].outerjoin(tables.compacted, same))
            .where(runs.status != "running", sa.or_(done.stamp.is_(None), done.stamp != runs.stamp))
        )
        with self._engine.connect() as connection:
            return {(project, run): stamp for project, run, stamp in connection.execute(select.limit(1000))}

    def _orphans(self) -> list[Place]:
        """Runs that are no more, and were published."""
        runs, done = tables.INDEX["runs"], tables.compacted.c
        there = sa.select(runs.c.run).where(runs.c.project == done.project, runs.c.run == done.run).exists()
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(done.project, done.run).where(~there).limit(1000))
            return [(project, run) for project, run in rows]

    def _one(self, place: Place, stamp: str) -> None:
        sizes = published.metric_journals(self._storage.sizes(place))
        known = open_stored(lambda name: self._storage.published(published.key(place, name)), sizes)
        try:
            if known is None:
                self._publish(place, sum(sizes.values()))
            self._storage.pack(place)
        except FileNotFoundError:  # taken away just now
            return
        except (ApiError, sa.exc.DBAPIError) as error:  # the place or the database is away: soon again
            logging.getLogger("autolog.server").warning("cannot compact %s/%s now: %s", *place, error)
            self._seen.pop(place, None)
            return
        except Exception:  # of this run; the others are compacted all the same
            logging.getLogger("autolog.server").exception("cannot compact %s/%s", *place)
            self._seen[place] = (stamp, time.monotonic() + _AGAIN)
            return
        if not self._ended.is_set():
            self._note(place, stamp)

    def _publish(self, place: Place, size: int) -> None:
        self._work.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._work) as name, self._storage.directory(place) as directory:
            folder = Path(name)
            if size <= _SMALL:
                compact.compact(directory, folder)
            else:
                _in_process(directory, folder, self._ended.is_set)
            if self._ended.is_set():
                return
            for file in (FILE, CHART):  # whoever finds the second finds the first
                if (folder / file).exists():
                    self._storage.publish(published.key(place, file), folder / file)
                else:
                    self._storage.unpublish(published.key(place, file))

    def _withdraw(self, place: Place) -> None:
        for file in (CHART, FILE):
            self._storage.unpublish(published.key(place, file))
        self._note(place, None)

    def _note(self, place: Place, stamp: str | None) -> None:
        done = tables.compacted.c
        with self._engine.begin() as connection:
            connection.execute(sa.delete(tables.compacted).where(done.project == place[0], done.run == place[1]))
            if stamp is not None:
                values = {"project": place[0], "run": place[1], "stamp": stamp}
                connection.execute(sa.insert(tables.compacted).values(**values))


def _in_process(directory: Path, folder: Path, stopped: Callable[[], bool]) -> None:
    """A long one beside the server, so that it neither slows it down nor leaves it with its memory."""
    command = [sys.executable, "-m", "autolog.store.compact", str(directory), str(folder)]
    environment = {**os.environ, "AUTOLOG": "off"}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    try:
        while not stopped():
            try:
                _, errors = process.communicate(timeout=0.5)
            except subprocess.TimeoutExpired:
                continue
            if process.returncode:
                raise RuntimeError(errors.decode("utf-8", "replace")[-2000:])
            return
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
