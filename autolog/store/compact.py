"""Compaction: the points of a finished run, from its journals into ``metrics.parquet``."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from autolog.store.arrays import floats, texts
from autolog.store.parquet import FILE, KEY, ROWS, Origin, sizes
from autolog.store.pause import collector_paused
from autolog.store.series import journal_points

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["compact"]


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
    origin = Origin(journals=sizes(directory))
    unfinished = directory / f".{FILE}.{os.getpid()}"
    schema = pa.schema(
        [
            ("run", pa.string()),
            ("metric", pa.string()),
            *((name, pa.float64()) for name in ("step", "epoch", "time", "value")),
            ("child", pa.string()),
        ],
        metadata={KEY: msgspec.json.encode(origin)},
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


def _batches(directory: Path) -> Iterator[tuple[Sequence[Any], ...]]:
    """Columns, in the order of the file's."""
    points = journal_points(directory)
    while rows := list(itertools.islice(points, ROWS)):
        child, metric, step, epoch, time, value = zip(*rows, strict=True)
        yield (directory.name,) * len(rows), metric, step, epoch, time, value, child
