"""The tables of the index, as data: SQLite and PostgreSQL get the same ones.

Every primary key begins with the project, so that a server can be sharded by it. ``project`` and ``run`` are the names
of a run's folders. ``child`` is empty for the run as it is shown, with its only fit merged into it.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["STATS", "TABLES", "VERSION", "Column", "create_statements", "insert_statement"]

VERSION = 2
"""Of the tables and of what is kept in them; an index of another version is built anew."""

STATS = ("last", "min", "max", "count", "last_step", "last_epoch")
"""What is known of a metric without reading its points."""


class Column(NamedTuple):
    """One column: its SQL type, and whether it belongs to the primary key."""

    name: str
    type: str
    key: bool = False


_RUN = (Column("project", "TEXT", key=True), Column("run", "TEXT", key=True))

TABLES: dict[str, tuple[Column, ...]] = {
    "runs": (
        *_RUN,
        Column("id", "TEXT"),
        Column("name", "TEXT"),
        Column("project_name", "TEXT"),
        Column("parent", "TEXT"),
        Column("status", "TEXT"),
        Column("note", "TEXT"),
        Column("archived", "REAL"),
        Column("started_at", "REAL"),
        Column("ended_at", "REAL"),
        Column("stamp", "TEXT"),
        Column("row", "BLOB"),
    ),
    "progress": (*_RUN, Column("state", "BLOB")),
    "tags": (*_RUN, Column("tag", "TEXT", key=True)),
    "fields": (
        *_RUN,
        Column("child", "TEXT", key=True),
        Column("kind", "TEXT", key=True),
        Column("name", "TEXT", key=True),
        Column("number", "REAL"),
        Column("text", "TEXT"),
    ),
    "metrics": (
        *_RUN,
        Column("child", "TEXT", key=True),
        Column("name", "TEXT", key=True),
        *(Column(stat, "REAL") for stat in STATS),
    ),
}


def create_statements() -> list[str]:
    """SQL that makes the tables in SQLite. Entries are kept within their key: half the size."""
    return [
        f"CREATE TABLE {table} ({', '.join(f'{column.name} {column.type}' for column in columns)}, "
        f"PRIMARY KEY ({', '.join(column.name for column in columns if column.key)}))"
        f"{'' if columns[-1].type == 'BLOB' else ' WITHOUT ROWID'}"
        for table, columns in TABLES.items()
    ]


def insert_statement(table: str) -> str:
    """SQL that adds one row to a table; its values are bound by position."""
    columns = TABLES[table]
    return (
        f"INSERT INTO {table} ({', '.join(column.name for column in columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608  (names from above only)
    )
