"""The server's database: SQLite beside the data, brought to this version's schema when a server starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

__all__ = ["FILE", "connect", "migrate", "revision"]

FILE = "server.sqlite"


def connect(data: Path) -> sa.Engine:
    """An engine for the database in a data directory, which is made where it is missing."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = sa.create_engine(f"sqlite:///{data / FILE}", connect_args={"timeout": 30.0})
    sa.event.listen(engine, "connect", _options)
    return engine


def _options(connection: Any, _: Any) -> None:
    # Reads go on while something is written; a commit is on disk when it returns.
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "case_sensitive_like = ON"):
        connection.execute(f"PRAGMA {pragma}")


def migrate(engine: sa.Engine) -> None:
    """Bring the schema to this version's, under a lock: several servers may start at once."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    with _locked(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _locked(engine: sa.Engine) -> Iterator[sa.Connection]:
    import fcntl

    database = engine.url.database or ""
    with Path(f"{database}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with engine.begin() as connection:
            yield connection


def revision(engine: sa.Engine) -> str | None:
    """Which step of the schema a database is at; none where it is empty."""
    from alembic.runtime.migration import MigrationContext

    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
