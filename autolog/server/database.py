"""The server's database: SQLite beside the data, or PostgreSQL, brought to this version's schema."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

__all__ = ["FILE", "connect", "migrate", "revision"]

FILE = "server.sqlite"
_LOCK = 0x6175746F6C6F67
"""Of PostgreSQL's advisory locks, the one under which the schema is changed: ``autolog`` in ASCII."""


def connect(url: str | None, data: Path) -> sa.Engine:
    """An engine for the database.

    Args:
        url: ``postgresql://user:password@host/name``; none: SQLite in the data directory.
        data: the server's data directory.

    Raises:
        ValueError: the URL is of another database.
    """
    if not url:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        engine = sa.create_engine(f"sqlite:///{data / FILE}", connect_args={"timeout": 30.0})
        sa.event.listen(engine, "connect", _sqlite_options)
        return engine
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = sa.create_engine(parsed, connect_args={"timeout": 30.0})
        sa.event.listen(engine, "connect", _sqlite_options)
        return engine
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise ValueError(f"the database {parsed.get_backend_name()!r} is not supported: give postgresql://… or none")
    return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_size=10, pool_pre_ping=True)


def _sqlite_options(connection: Any, _: Any) -> None:
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
    if engine.dialect.name != "sqlite":
        with engine.begin() as connection:
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            yield connection
        return
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
