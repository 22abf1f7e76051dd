"""Rows that are there once, whoever else makes them at the same moment: in SQLite and in PostgreSQL."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["insert_once", "put"]


def insert_once(connection: sa.Connection, table: sa.Table, **values: Any) -> bool:
    """Insert a row unless there is one with its key; whether it was inserted."""
    added = _insert(connection, table).values(**values).on_conflict_do_nothing().returning(*table.primary_key)
    return connection.execute(added).first() is not None  # PostgreSQL's driver counts no inserted rows


def put(connection: sa.Connection, table: sa.Table, **values: Any) -> None:
    """Insert a row, or bring the one with its key to these values."""
    keys = [column.name for column in table.primary_key]
    rest = {name: value for name, value in values.items() if name not in keys}
    connection.execute(
        _insert(connection, table).values(**values).on_conflict_do_update(index_elements=keys, set_=rest)
    )


def _insert(connection: sa.Connection, table: sa.Table) -> Any:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
