"""The index: summaries of all runs under a root, in ``index.sqlite`` beside them.

It is a cache. It can be deleted at any time, is built anew where it is missing, damaged or of another version, and is
brought up to date by what changed: a run whose journals have the sizes and times they had is not opened, and of a
growing one only the new bytes are read. Where it cannot be written (a read-only root, a lock that stays), the same is
done in memory.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from autolog.store import entries, fold, layout, reader, schema, summary

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from autolog.store.layout import Place

__all__ = ["FILE", "open_index"]

FILE = "index.sqlite"
_BATCH_SECONDS = 2.0
"""Runs read for so long are written at once: an interrupted first build is not lost."""


class _Change(NamedTuple):
    """All that is written of one run."""

    place: Place
    run: tuple[Any, ...]
    state: bytes
    tags: list[str]
    fields: list[tuple[Any, ...]]
    metrics: list[tuple[Any, ...]]


def open_index(root: Path, problems: list[str] | None = None) -> sqlite3.Connection:
    """The index of ``root``, brought up to date. The caller closes it.

    Args:
        root: The runs directory.
        problems: Takes a sentence for each run that is there and cannot be read.
    """
    problems = [] if problems is None else problems
    try:
        connection = _connect(root)
    except sqlite3.DatabaseError:
        return _in_memory(root, problems)
    try:
        _refresh(connection, root, problems)
    except sqlite3.OperationalError:
        memory = _in_memory(root, problems, connection)
        connection.close()
        return memory
    except sqlite3.DatabaseError:  # damaged: a cache is made anew
        connection.close()
        with contextlib.suppress(OSError):
            (root / FILE).unlink()
        return _in_memory(root, problems)
    return connection


def _connect(root: Path) -> sqlite3.Connection:
    path = root / FILE
    with contextlib.suppress(OSError):  # read-only, or no root: sqlite says so
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    writable = os.access(path, os.W_OK) and os.access(root, os.W_OK)
    mode = "rw" if writable else "ro"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=5.0)
    try:
        _prepare(connection, writable=writable)
    except sqlite3.DatabaseError as error:
        connection.close()
        if writable and not isinstance(error, sqlite3.OperationalError):
            path.unlink(missing_ok=True)
            return _connect(root)
        raise
    return connection


def _prepare(connection: sqlite3.Connection, *, writable: bool) -> None:
    connection.execute("PRAGMA case_sensitive_like = ON")
    if connection.execute("PRAGMA user_version").fetchone()[0] == schema.VERSION:
        return
    if not writable:
        raise sqlite3.OperationalError("an index of another version, read-only")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("PRAGMA user_version").fetchone()[0] != schema.VERSION:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            connection.execute('DROP TABLE "{}"'.format(table.replace('"', '""')))
        for statement in schema.create_statements():
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {schema.VERSION}")
    connection.execute("COMMIT")


def _in_memory(root: Path, problems: list[str], known: sqlite3.Connection | None = None) -> sqlite3.Connection:
    problems.clear()
    memory = sqlite3.connect(":memory:", isolation_level=None)
    if known is not None:
        if known.in_transaction:
            known.execute("ROLLBACK")
        with contextlib.suppress(sqlite3.DatabaseError):  # then everything is read
            known.backup(memory)
    _prepare(memory, writable=True)
    _refresh(memory, root, problems)
    return memory


def _refresh(connection: sqlite3.Connection, root: Path, problems: list[str]) -> None:
    known = {
        (project, run): (stamp, status)
        for project, run, stamp, status in connection.execute("SELECT project, run, stamp, status FROM runs")
    }
    batch: list[_Change] = []
    since = time.monotonic()
    found = set()
    for place, stamp in layout.run_places(root):
        found.add(place)
        old = known.get(place, ("", ""))
        if stamp == old[0] and old[1] != "running":
            continue
        try:
            change = _read(connection, root, place, stamp, old)
        except FileNotFoundError:  # removed while we look
            continue
        except OSError as error:
            problems.append(f"run {'/'.join(place)} cannot be read: {error.strerror or error}")
            continue
        if change is not None:
            batch.append(change)
        if batch and time.monotonic() - since > _BATCH_SECONDS:
            _write(connection, batch, ())
            batch, since = [], time.monotonic()
    gone = known.keys() - found
    if batch or gone:
        _write(connection, batch, gone)


def _read(connection: sqlite3.Connection, root: Path, place: Place, stamp: str, old: tuple[str, str]) -> _Change | None:
    """What is to be written of a run; ``None`` where it stands as it stood."""
    directory = root / place[0] / place[1]
    state = _known_state(connection, place) if old[0] else None
    state = reader.read_state(directory, state)
    seen = summary.summarize(state, directory)
    if (stamp, seen.status) == old:
        return None
    fields, metrics = entries.entries_of(seen)
    run = (
        seen.id,
        seen.name,
        seen.project,
        seen.parent,
        seen.status,
        seen.note,
        float(seen.archived),
        seen.started_at,
        seen.ended_at,
        stamp,
        entries.dump_row(seen),
    )
    return _Change(place, run, fold.dump_state(state), seen.tags, fields, metrics)


def _known_state(connection: sqlite3.Connection, place: Place) -> fold.RunState | None:
    found = connection.execute("SELECT state FROM progress WHERE project = ? AND run = ?", place).fetchone()
    if found is None:
        return None
    try:
        return fold.load_state(found[0])
    except msgspec.DecodeError:
        return None


def _write(connection: sqlite3.Connection, batch: list[_Change], gone: Iterable[Place]) -> None:
    connection.execute("PRAGMA synchronous = OFF")  # a cache need not survive a power cut
    connection.execute("BEGIN IMMEDIATE")
    try:
        places = [*(change.place for change in batch), *gone]
        for table in schema.TABLES:
            connection.executemany(f"DELETE FROM {table} WHERE project = ? AND run = ?", places)  # noqa: S608  (our own names)
        insert = {table: schema.insert_statement(table) for table in schema.TABLES}
        for change in batch:
            key = change.place
            connection.execute(insert["runs"], (*key, *change.run))
            connection.execute(insert["progress"], (*key, change.state))
            connection.executemany(insert["tags"], [(*key, tag) for tag in change.tags])
            connection.executemany(insert["fields"], [(*key, *row) for row in change.fields])
            connection.executemany(insert["metrics"], [(*key, *row) for row in change.metrics])
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
