"""Fingerprints of the tables of pandas, polars and pyarrow, column by column, in bounded pieces."""

from __future__ import annotations

from typing import Any

from autolog.media.digest import Digest, encoded

__all__ = ["fingerprint_frame", "is_frame"]

_SHOWN = 1000
_LIBRARIES = {"pandas": ("DataFrame", "Series"), "polars": ("DataFrame", "Series"), "pyarrow": ("Table",)}


def is_frame(data: Any) -> bool:
    """Whether this is a table or series of pandas or polars, or a pyarrow table (subclasses included)."""
    return any(kind.__name__ in _LIBRARIES.get(kind.__module__.partition(".")[0], ()) for kind in type(data).__mro__)


def fingerprint_frame(data: Any, digest: Digest) -> dict[str, Any]:
    """Rows, columns and types of a table, its content added to the digest.

    Args:
        data: what :func:`is_frame` accepts.
        digest: takes names, types and content.
    """
    columns = _columns(data)
    for name, column in columns:
        dtype = str(getattr(column, "dtype", None) or getattr(column, "type", ""))
        digest.note(f"{name} {dtype} {len(column)}")
        _column(column, digest)
    own = columns[1:] if hasattr(data, "index") else columns
    schema = {str(name): str(getattr(column, "dtype", None) or getattr(column, "type", "")) for name, column in own}
    shown = dict(list(schema.items())[:_SHOWN])
    return {"rows": len(data), "columns": shown, "column_count": len(own)}


def _columns(data: Any) -> list[tuple[str, Any]]:
    """Names and columns; the index of pandas comes first."""
    if hasattr(data, "column_names") and hasattr(data, "column"):
        return [(name, data.column(place)) for place, name in enumerate(data.column_names)]
    if hasattr(data, "get_columns"):
        return [(column.name, column) for column in data.get_columns()]
    index = [("index", data.index.to_series())] if hasattr(data, "index") and hasattr(data, "iloc") else []
    if not hasattr(data, "columns"):
        return [*index, (str(data.name), data)]
    return [*index, *((str(name), data.iloc[:, place]) for place, name in enumerate(data.columns))]


def _column(column: Any, digest: Digest) -> None:
    """Categories are hashed once, the column then by its codes; numbers by their bytes, all else as JSON."""
    if hasattr(column, "cat") and hasattr(column.cat, "codes"):
        digest.note(encoded(column.cat.categories.tolist()).decode())
        column = column.cat.codes
    digest.items(len(column), _width(column), lambda start, stop: _bytes(_slice(column, start, stop)))


def _width(column: Any) -> int:
    dtype = getattr(column, "dtype", None)
    return int(getattr(dtype, "itemsize", 0)) or 16


def _slice(column: Any, start: int, stop: int) -> Any:
    return column.iloc[start:stop] if hasattr(column, "iloc") else column.slice(start, stop - start)


def _bytes(piece: Any) -> bytes:
    listed = piece.to_pylist() if hasattr(piece, "to_pylist") else None
    if listed is None and not _nulls(piece):
        array = piece.to_numpy()
        if array.dtype.kind in "biufmM":
            return bytes(array.tobytes())
    return encoded(piece.to_list() if listed is None else listed)


def _nulls(piece: Any) -> bool:
    """Polars fills a column with nulls into floats: then the values go as JSON."""
    count = getattr(piece, "null_count", None)
    return bool(count()) if callable(count) else False
