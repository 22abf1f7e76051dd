"""A run's summary → the rows of the server's index, as both databases can hold them."""

from __future__ import annotations

from typing import Any

from autolog.store import conditions, entries, schema
from autolog.store.layout import Place
from autolog.store.summary import RunSummary

__all__ = ["as_indexed", "index_entries", "index_rows"]

_LONGEST_KEY = 1500
"""Bytes of a name: PostgreSQL's indexes hold no longer ones. The journals, and the run itself, have all of it."""


def index_rows(place: Place, seen: RunSummary, stamp: str, state: bytes) -> dict[str, list[dict[str, Any]]]:
    """What the index holds of a run, by table.

    Texts are told without U+0000, which PostgreSQL does not take, and with lone surrogates replaced.
    """
    return {
        table: [dict(zip(_NAMES[table], row, strict=True)) for row in rows]
        for table, rows in index_entries(place, seen, stamp, state).items()
    }


def index_entries(place: Place, seen: RunSummary, stamp: str, state: bytes) -> dict[str, list[tuple[Any, ...]]]:
    """The same, by position, in the order of :data:`autolog.store.schema.TABLES`."""
    fields, metrics = entries.entries_of(seen)
    run = (
        seen.id, seen.name, place[0], seen.parent, seen.status, seen.note, float(seen.archived), seen.started_at,
        seen.ended_at, stamp, entries.dump_row(seen),
    )  # fmt: skip
    values: dict[str, list[tuple[Any, ...]]] = {
        "runs": [run],
        "progress": [(state,)],
        "tags": [(tag,) for tag in seen.tags],
        "fields": fields,
        "metrics": metrics,
    }
    return {name: _rows(name, place, found) for name, found in values.items()}


_NAMES = {table: [column.name for column in columns] for table, columns in schema.TABLES.items()}
_KEYS = {table: sum(column.key for column in columns) for table, columns in schema.TABLES.items()}
"""How many columns of a table are its key: the first ones."""


def _rows(table: str, place: Place, found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    own = _KEYS[table] - len(place)
    run = tuple(_held(name, key=True) for name in place)
    rows = {}
    for values in found:
        key = tuple([_held(value, key=True) for value in values[:own]])
        rows[key] = (*run, *key, *[_held(value, key=False) for value in values[own:]])
    return list(rows.values())


def _held(value: Any, *, key: bool) -> Any:
    if not isinstance(value, str):
        return value
    if "\0" in value:
        value = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if value.isascii() and not (key and len(value) > _LONGEST_KEY):
        return value
    data = value.encode("utf-8", "replace")
    return data[:_LONGEST_KEY].decode("utf-8", "ignore") if key else data.decode()


def as_indexed(node: Any) -> Any:
    """A parsed query that asks for names and texts as the index holds them."""
    if isinstance(node, str):
        return _held(node, key=False)
    if isinstance(node, conditions.Field):
        return node._replace(name=_held(node.name, key=True))
    if isinstance(node, tuple):
        parts = [as_indexed(part) for part in node]
        return type(node)(*parts) if hasattr(node, "_fields") else tuple(parts)
    return node
