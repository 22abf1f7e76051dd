"""Tables of any library as one JSON that can be read without autolog; cells may be pictures and sounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from autolog.events import to_wire
from autolog.media.base import Media, refusal
from autolog.media.jsonable import LIMIT, jsonable

__all__ = ["ACCEPTED", "MEDIA_TYPE", "Columns", "read", "table"]

MEDIA_TYPE = "application/vnd.autolog.table+json"
ACCEPTED = (
    "a pandas or polars frame, a pyarrow table, a list of dicts, a dict of lists, or with columns= a list of rows or "
    "an array of two dimensions"
)


class Columns(NamedTuple):
    """A table as names and rows."""

    names: list[str]
    rows: list[Sequence[Any]]


def read(data: Any, columns: Sequence[str] | None = None) -> Columns:
    """Names and rows of a table.

    Args:
        data: see :data:`ACCEPTED`. A dict missing in a row gives ``None``. The index of a pandas frame becomes the
            first columns unless it only counts the rows.
        columns: the columns' names, for rows that have none.

    Raises:
        TypeError: it is none of these.
        ValueError: rows or columns differ in length.
    """
    root = type(data).__module__.partition(".")[0]
    if root == "pandas" and hasattr(data, "columns"):
        return _pandas(data)
    if root == "polars" and hasattr(data, "collect_schema") and hasattr(data, "rows"):
        return Columns(list(data.columns), data.rows())
    if root == "pyarrow" and hasattr(data, "to_pydict"):
        return _mapping(data.to_pydict())
    if isinstance(data, Mapping):
        return _mapping({str(name): _sequence(values, name) for name, values in data.items()})
    if hasattr(data, "tolist") and len(getattr(data, "shape", ())) == 2:
        data = data.tolist()
    if not isinstance(data, (list, tuple)):
        raise refusal("log_table", data, ACCEPTED)
    return _dicts(data) if data and all(isinstance(row, Mapping) for row in data) else _rows(data, columns)


def _pandas(frame: Any) -> Columns:
    index = frame.index
    counts = type(index).__name__ == "RangeIndex" and index.name is None
    names = [str(name) for name in frame.columns]
    columns = [_series(frame.iloc[:, place]) for place in range(len(names))]
    if not counts:
        for level in reversed(range(index.nlevels)):
            names.insert(0, str(index.names[level] if index.names[level] is not None else "index"))
            columns.insert(0, index.get_level_values(level).tolist())
    return Columns(names, list(zip(*columns, strict=True)) if columns else [() for _ in range(len(frame))])


def _series(column: Any) -> list[Any]:
    """Values of a pandas column: NaN is a number among floats, elsewhere it is pandas' word for a missing value."""
    values = list(column.tolist())
    if getattr(column.dtype, "kind", "") == "f":
        return values
    return [None if isinstance(value, float) and value != value else value for value in values]


def _sequence(values: Any, name: Any) -> list[Any]:
    if hasattr(values, "tolist"):
        values = values.tolist()
    elif hasattr(values, "to_list"):
        values = values.to_list()
    if not isinstance(values, (list, tuple, range)):
        raise refusal(f"log_table: column {name!r}", values, "a list, an array of one dimension, or a series")
    return list(values)


def _mapping(columns: Mapping[str, list[Any]]) -> Columns:
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"log_table: the columns differ in length: {lengths}")
    return Columns(list(columns), list(zip(*columns.values(), strict=True)))


def _dicts(rows: Iterable[Mapping[Any, Any]]) -> Columns:
    keys = list(dict.fromkeys(key for row in rows for key in row))
    return Columns([str(key) for key in keys], [[row.get(key) for key in keys] for row in rows])


def _rows(rows: Sequence[Any], columns: Sequence[str] | None) -> Columns:
    for place, row in enumerate(rows):
        if not isinstance(row, (list, tuple)):
            raise refusal(f"log_table: row {place}", row, ACCEPTED)
    width = len(columns) if columns is not None else len(rows[0]) if rows else 0
    wrong = next((place for place, row in enumerate(rows) if len(row) != width), None)
    if wrong is not None:
        raise ValueError(f"log_table: row {wrong} has {len(rows[wrong])} cells, the table {width} columns")
    return Columns([str(name) for name in (columns or range(width))], list(rows))


def table(columns: Columns, store: Callable[[Any], dict[str, Any] | None]) -> Media:
    """A table as media; docs/media.md has the schema.

    Args:
        columns: from :func:`read`.
        store: stores a cell that is media and gives the reference to it; ``None`` for any other cell.
    """
    rows = [[_cell(value, store) for value in row] for row in columns.rows]
    types = [_type_of(row[place] for row in rows) for place in range(len(columns.names))]
    plain = [[_word(cell) for cell in row] for row in rows]
    content = {"version": 1, "columns": jsonable(columns.names), "types": types, "rows": plain}
    metadata = {"rows": len(rows), "columns": columns.names[:100], "types": types[:100]}
    data = msgspec.json.encode(content)
    return Media(data=data, kind="table", media_type=MEDIA_TYPE, extension=".json", metadata=metadata)


def _cell(value: Any, store: Callable[[Any], dict[str, Any] | None]) -> Any:
    """A cell as JSON, but floats stay floats until the column's type is known."""
    kind = type(value)
    if value is None or kind in (bool, float) or (kind is int and -(2**63) <= value < 2**63):
        return value
    if kind is str and len(value) <= LIMIT and value.isascii():
        return value
    if kind.__name__ in ("NAType", "NaTType"):
        return None
    if kind is not str and (reference := store(value)) is not None:
        return reference
    return float(value) if isinstance(value, float) else jsonable(value)


def _word(cell: Any) -> Any:
    return to_wire(cell) if type(cell) is float else cell


_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def _type_of(cells: Iterable[Any]) -> str:
    """One word for the column: so that the text ``NaN`` and the number NaN can be told apart."""
    found = {_TYPES.get(type(cell)) or ("asset" if _is_asset(cell) else "any") for cell in cells if cell is not None}
    if found == {"integer", "number"}:
        return "number"
    return found.pop() if len(found) == 1 else "any" if found else "null"


def _is_asset(cell: Any) -> bool:
    return isinstance(cell, dict) and {"kind", "media_type"} <= set(cell) and bool({"hash", "lost"} & set(cell))
