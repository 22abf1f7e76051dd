"""``metrics.parquet``: the points of a finished run as one file that anything can read.

It says in its own metadata how many bytes of which journals it was made of. Where a journal has more by now, it is not
used. The journals stay: they are the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from autolog import journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["FILE", "KEY", "ROWS", "Origin", "sizes", "stored_points"]

FILE = "metrics.parquet"
KEY = b"autolog"
"""Under which the file's metadata says what it was made of."""
ROWS = 1 << 16
"""Points written and read at once."""


class Origin(msgspec.Struct):
    """What a file was made of."""

    journals: dict[str, int]
    format: int = 1


def stored_points(directory: Path, metrics: frozenset[str] | None) -> Iterator[tuple[Any, ...]] | None:
    """Rows ``child, metric, step, epoch, time, value`` of ``metrics.parquet``; ``None`` where it is not there, not
    whole, or cannot be read: the journals can.
    """
    path = directory / FILE
    if not path.exists():
        return None
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return None
    try:
        file = pq.ParquetFile(path)
        origin = msgspec.json.decode((file.schema_arrow.metadata or {}).get(KEY, b"null"), type=Origin)
    except (pa.ArrowException, OSError, msgspec.DecodeError):
        return None
    return _rows(file, metrics) if origin.journals == sizes(directory) else None


def _rows(file: Any, metrics: frozenset[str] | None) -> Iterator[tuple[Any, ...]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    with file:
        for batch in file.iter_batches(batch_size=ROWS):
            if metrics is not None:
                batch = batch.filter(pc.is_in(batch["metric"], pa.array(sorted(metrics), pa.string())))  # noqa: PLW2901
            names = ("child", "metric", "step", "epoch", "time", "value")
            for child, metric, step, epoch, time, value in zip(
                *(batch[name].to_pylist() for name in names), strict=True
            ):
                yield child, metric, _whole(step), _whole(epoch), time, value


def sizes(directory: Path) -> dict[str, int]:
    """Bytes of each journal that can hold points."""
    return {
        path.name: path.stat().st_size
        for path in journal.journals(directory)
        if path.name != journal.EDITS and not journal.is_system(path.name)
    }


def _whole(value: float | None) -> float | None:
    """Steps were written as integers nearly always; the file holds them as floats."""
    return int(value) if value is not None and value.is_integer() else value
