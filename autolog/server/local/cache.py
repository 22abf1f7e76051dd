"""The database of ``autolog ui``: the index of one runs directory, in the user's cache; it may be deleted."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from autolog.server import tables
from autolog.server.accounts import access
from autolog.server.accounts.rows import insert_once
from autolog.store import schema

__all__ = ["database", "enter", "leave", "list_projects"]

_USER = "you"
_DAYS = 366.0


def database(root: Path) -> sa.Engine:
    """The database for a runs directory: that of the last time, or a new one where it is missing, damaged or older.

    Where the cache cannot be written it is made in a temporary directory.
    """
    name, version = _digest(str(root.resolve())), _digest(_described())
    for folder in (_cache(), Path(tempfile.gettempdir()) / f"autolog-ui-{os.getuid()}"):
        path = folder / f"{name}-{version}.sqlite"
        with contextlib.suppress(OSError):
            _prepare(folder, path, name)
            return _opened(path)
    return _opened(Path(tempfile.mkdtemp(prefix="autolog-ui-")) / "index.sqlite")


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autolog" / "ui"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _described() -> str:
    """The schema as text: a database of another one is of no use."""
    columns = [
        f"{table.name}.{column.name}:{column.type}" for table in tables.metadata.sorted_tables for column in table.c
    ]
    return f"{schema.VERSION} {columns}"


def _prepare(folder: Path, path: Path, name: str) -> None:
    """A folder of our own with the file in it; what another version of autolog has left there goes.

    Raises:
        OSError: it cannot be written, or is somebody else's.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.is_symlink():
        raise PermissionError(f"{folder} is somebody else's")
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    for old in folder.glob(f"{name}-*.sqlite*"):
        if not old.name.startswith(path.name):
            old.unlink(missing_ok=True)


def _opened(path: Path) -> sa.Engine:
    engine = _engine(path)
    try:
        tables.metadata.create_all(engine)
        return engine
    except sa.exc.DatabaseError as error:
        if isinstance(error.orig, sqlite3.OperationalError):
            raise
    engine.dispose()  # it is damaged
    for part in path.parent.glob(f"{path.name}*"):
        part.unlink()
    engine = _engine(path)
    tables.metadata.create_all(engine)
    return engine


def _engine(path: Path) -> sa.Engine:
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30.0})
    sa.event.listen(engine, "connect", _options)
    return engine


def _options(connection: Any, _: Any) -> None:
    # A cache need not survive a power cut.
    for pragma in ("journal_mode = WAL", "synchronous = OFF", "case_sensitive_like = ON"):
        connection.execute(f"PRAGMA {pragma}")


def enter(engine: sa.Engine, key: str) -> None:
    """Make the only user, who may do everything, and the key a token of theirs."""
    with engine.begin() as connection:
        insert_once(connection, tables.users, name=_USER, admin=True, created_at=time.time())
        connection.execute(sa.delete(tables.tokens).where(tables.tokens.c.expires_at < time.time()))
        made = access.issue_token(connection, _USER, "admin", label="autolog ui", days=_DAYS)
        mine = tables.tokens.c.hash == access.hashed(made)
        connection.execute(sa.update(tables.tokens).where(mine).values(hash=access.hashed(key)))


def leave(engine: sa.Engine, key: str) -> None:
    """End the key."""
    with engine.begin() as connection:
        connection.execute(sa.delete(tables.tokens).where(tables.tokens.c.hash == access.hashed(key)))


def list_projects(engine: sa.Engine, projects: list[str], *, only: bool = False) -> None:
    """List projects that have runs; with ``only``, no others."""
    known = tables.projects.c.project
    with engine.begin() as connection:
        if only:
            connection.execute(sa.delete(tables.projects).where(known.not_in(projects)))
        for project in projects:
            insert_once(connection, tables.projects, project=project, created_at=time.time(), public=False)
