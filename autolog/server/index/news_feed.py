"""News between servers over one PostgreSQL: what any of them has written to the index, all of them hear.

Each project's news are numbered by a row of the database, in the transaction that writes the index; PostgreSQL tells
them in the order of the commits (LISTEN and NOTIFY), so that a number means the same on every server.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from autolog.server.index.live_news import News
from autolog.server.storage.tables import news as numbers
from autolog.store.layout import Place

__all__ = ["Feed", "current", "tell_all"]

_CHANNEL = "autolog_news"
_POLL = 1.0
"""Seconds after which the thread looks whether it is to end."""
_AGAIN = 2.0


def tell_all(connection: sa.Connection, places: Sequence[Place]) -> None:
    """Tell all servers of runs' new rows, when the transaction is committed. On SQLite there is nobody else."""
    if connection.dialect.name != "postgresql":
        return
    for project in sorted({place[0] for place in places}):  # in one order: no two transactions wait for each other
        runs = [run for each, run in places if each == project]
        first = insert(numbers).values(project=project, number=len(runs))
        number = numbers.c.number + len(runs)
        counted = first.on_conflict_do_update(index_elements=["project"], set_={"number": number})
        last = connection.execute(counted.returning(numbers.c.number)).scalar_one()
        texts = [f"{last - len(runs) + place} {run} {project}" for place, run in enumerate(runs, 1)]
        text = sa.func.unnest(sa.literal(texts, sa.ARRAY(sa.Text))).column_valued("text")
        connection.execute(sa.select(sa.func.pg_notify(_CHANNEL, text)))


def current(engine: sa.Engine, project: str) -> int:
    """The number of a project's last news."""
    with engine.connect() as connection:
        number: int | None = connection.execute(
            sa.select(numbers.c.number).where(numbers.c.project == project)
        ).scalar()
    return number or 0


class Feed(threading.Thread):
    """Listens, and passes on what it hears to the streams of this process.

    Args:
        engine: PostgreSQL.
        news: who is told.
    """

    def __init__(self, engine: sa.Engine, news: News) -> None:
        super().__init__(name="autolog-news", daemon=True)
        self._engine = engine
        self._news = news
        self._stop_now = threading.Event()

    def close(self) -> None:
        """End the thread."""
        self._stop_now.set()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        """Until :meth:`close`, also over restarts of the database."""
        import psycopg

        while not self._stop_now.is_set():
            try:
                self._listen()
            except (psycopg.Error, sa.exc.SQLAlchemyError) as problem:
                logging.getLogger("autolog.server").warning("no news from the database now: %s", problem)
                self._stop_now.wait(_AGAIN)

    def _listen(self) -> None:
        import psycopg

        arguments: Any = self._engine.dialect.create_connect_args(self._engine.url)[1]
        with psycopg.connect(
            **arguments, connect_timeout=5, application_name="autolog news", autocommit=True
        ) as source:
            source.execute(f"LISTEN {_CHANNEL}")
            self._news.missed()
            while not self._stop_now.is_set():
                for heard in source.notifies(timeout=_POLL):
                    number, run, project = heard.payload.split(" ", 2)
                    self._news.tell((project, run), int(number))
