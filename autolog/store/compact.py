"""``metrics.parquet``: the points of a finished run as one file that anything can read.

It says in its own metadata how many bytes of which journals it was made of. Where a journal has more by now, it is not
used. The journals stay: they are the record.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from autolog import journal
from autolog.store.arrays import floats, texts
from autolog.store.pause import collector_paused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["FILE", "compact", "stored_points"]

FILE = "metrics.parquet"
_KEY = b"autolog"
_ROWS = 1 << 16


class _Origin(msgspec.Struct):
    """What a file was made of."""

    journals: dict[str, int]
    format: int = 1


def compact(directory: str | Path) -> Path | None:
    """Write ``metrics.parquet`` of a run; columns ``run, metric, step, epoch, time, value, child``.

    Returns:
        The file; ``None`` where there are no points, or one that a float cannot hold exactly.

    Raises:
        ImportError: pyarrow is not installed.
        OSError: the file cannot be written. What was there before stays.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    directory = Path(directory)
    origin = _Origin(journals=_sizes(directory))
    unfinished = directory / f".{FILE}.{os.getpid()}"
    schema = pa.schema(
        [
            ("run", pa.string()),
            ("metric", pa.string()),
            *((name, pa.float64()) for name in ("step", "epoch", "time", "value")),
            ("child", pa.string()),
        ],
        metadata={_KEY: msgspec.json.encode(origin)},
    )
    written = 0
    try:
        with collector_paused(), pq.ParquetWriter(unfinished, schema, compression="zstd") as writer:
            for columns in _batches(directory):
                arrays = [
                    texts(column) if field.type == pa.string() else floats(column)
                    for column, field in zip(columns, schema, strict=True)
                ]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
                written += len(arrays[0])
        if not written:
            return None
        unfinished.chmod(0o600)
        unfinished.replace(directory / FILE)
    except OverflowError:  # an integer that no float is equal to
        return None
    finally:
        unfinished.unlink(missing_ok=True)
    return directory / FILE


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
        origin = msgspec.json.decode((file.schema_arrow.metadata or {}).get(_KEY, b"null"), type=_Origin)
    except (pa.ArrowException, OSError, msgspec.DecodeError):
        return None
    return _rows(file, metrics) if origin.journals == _sizes(directory) else None


def _rows(file: Any, metrics: frozenset[str] | None) -> Iterator[tuple[Any, ...]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    with file:
        for batch in file.iter_batches(batch_size=_ROWS):
            if metrics is not None:
                batch = batch.filter(pc.is_in(batch["metric"], pa.array(sorted(metrics), pa.string())))  # noqa: PLW2901
            names = ("child", "metric", "step", "epoch", "time", "value")
            for child, metric, step, epoch, time, value in zip(
                *(batch[name].to_pylist() for name in names), strict=True
            ):
                yield child, metric, _whole(step), _whole(epoch), time, value


def _batches(directory: Path) -> Iterator[tuple[Sequence[Any], ...]]:
    """Columns, in the order of the file's."""
    from autolog.store import series

    points = series.journal_points(directory)
    while rows := list(itertools.islice(points, _ROWS)):
        child, metric, step, epoch, time, value = zip(*rows, strict=True)
        yield (directory.name,) * len(rows), metric, step, epoch, time, value, child


def _sizes(directory: Path) -> dict[str, int]:
    return {
        path.name: path.stat().st_size
        for path in journal.journals(directory)
        if path.name != journal.EDITS and not journal.is_system(path.name)
    }


def _whole(value: float | None) -> float | None:
    """Steps were written as integers nearly always; the file holds them as floats."""
    return int(value) if value is not None and value.is_integer() else value
