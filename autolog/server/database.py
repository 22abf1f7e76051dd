"""The server's database: SQLite beside the data, or PostgreSQL, brought to this version's schema at the start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

__all__ = [
    "FILE", "DatabaseError", "connect", "is_postgres", "locked", "locked_if_free", "masked", "migrate", "revision",
]  # fmt: skip

FILE = "server.sqlite"
_SQLITE_CONNECTIONS = 40
"""As many as there are threads that answer requests: to make one costs more than most questions."""
_CONNECTIONS = 10
_MORE_CONNECTIONS = 15
"""Of one process to PostgreSQL, while it is busy; one beside them listens for news."""
_CONNECT_SECONDS = 5
_SESSION = "-c statement_timeout=60s -c lock_timeout=30s -c idle_in_transaction_session_timeout=60s"
"""Nothing of a server waits for ever, and nobody waits for ever for a server that hangs."""
_LOCK = 0x6175746F  # "auto": of migrations; others are hashes of names


class DatabaseError(Exception):
    """The database cannot be used; the message says which, why, and what to do, and holds no password."""


def connect(data: Path, url: str = "") -> sa.Engine:
    """An engine for the server's database.

    Args:
        data: the data directory, which is made where it is missing; the database is in it unless a URL is given.
        url: ``postgresql://user:password@host/name``; empty: SQLite.

    Raises:
        DatabaseError: the URL is none of PostgreSQL's.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if url:
        return _postgres(url)
    engine = sa.create_engine(
        f"sqlite:///{data / FILE}", connect_args={"timeout": 30.0}, pool_size=_SQLITE_CONNECTIONS, max_overflow=-1
    )  # fmt: skip
    sa.event.listen(engine, "connect", _options)
    return engine


def _postgres(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        parsed = sa.URL.create("")
    if parsed.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise DatabaseError("--database takes a URL such as postgresql://autolog:PASSWORD@db.example.org/autolog")
    return sa.create_engine(
        parsed.set(drivername="postgresql+psycopg"), pool_size=_CONNECTIONS, max_overflow=_MORE_CONNECTIONS,
        pool_recycle=1800, pool_use_lifo=True, hide_parameters=True,
        connect_args={"connect_timeout": _CONNECT_SECONDS, "options": _SESSION, "application_name": "autolog",
                      "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3},
    )  # fmt: skip


def _options(connection: Any, _: Any) -> None:
    # Reads go on while something is written; a commit is on disk when it returns.
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "case_sensitive_like = ON",
                   "cache_size = -1024"):  # fmt: skip
        connection.execute(f"PRAGMA {pragma}")


def is_postgres(engine: sa.Engine) -> bool:
    """Whether it is PostgreSQL; else it is SQLite."""
    return engine.dialect.name == "postgresql"


def masked(engine: sa.Engine) -> str:
    """Where a database is, without its password."""
    return engine.url.set(drivername=engine.url.get_backend_name()).render_as_string(hide_password=True)


def migrate(engine: sa.Engine) -> None:
    """Bring the schema to this version's, all of it or nothing, under a lock: several servers may start at once.

    Raises:
        DatabaseError: the database cannot be reached, or is of a newer version of autolog.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    try:
        with _alone(engine) as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except sa.exc.OperationalError as error:
        raise DatabaseError(f"the database {masked(engine)} cannot be used: {_reason(error)}") from None
    except CommandError:
        raise DatabaseError(
            f"the database {masked(engine)} was made by a newer version of autolog (schema {revision(engine)}); "
            "use that version, or a database of its own"
        ) from None


def _reason(error: sa.exc.OperationalError) -> str:
    return " ".join(str(error.orig).split()).removeprefix("connection failed: ")


@contextmanager
def _alone(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that no other migration runs beside."""
    with engine.connect() as connection, connection.begin():
        if is_postgres(engine):
            connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
            connection.execute(sa.text("SET LOCAL lock_timeout = 0"))
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


@contextmanager
def locked(engine: sa.Engine, *name: str) -> Iterator[sa.Connection]:
    """A transaction that no other one of the same name runs beside, in whichever process."""
    with engine.connect() as connection, connection.begin():
        if is_postgres(engine):
            key = sa.func.hashtextextended("/".join(name), _LOCK)
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


@contextmanager
def locked_if_free(
    engine: sa.Engine, kind: str, names: Sequence[tuple[str, str]]
) -> Iterator[tuple[sa.Connection, list[tuple[str, str]]]]:
    """A transaction of many names, as of :func:`locked` with ``kind`` and each; which of them it has: those that no
    other one holds. Where it is SQLite: all.
    """
    with engine.connect() as connection, connection.begin():
        if is_postgres(engine):
            texts = {"/".join((kind, *name)): name for name in names}
            text = sa.func.unnest(sa.literal(list(texts), sa.ARRAY(sa.Text))).column_valued("text")
            free = sa.func.pg_try_advisory_xact_lock(sa.func.hashtextextended(text, _LOCK))
            yield connection, [texts[each] for each in connection.execute(sa.select(text).where(free)).scalars()]
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection, list(names)


def revision(engine: sa.Engine) -> str | None:
    """Which step of the schema a database is at; none where it is empty."""
    from alembic.runtime.migration import MigrationContext

    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
