"""Compaction: the points of a finished run, from its journals into ``metrics.parquet`` and ``.metrics.arrow``."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from autolog.store.grouping import Grouped, in_rows
from autolog.store.parquet import CHART, FILE, FORMAT, GROUP, KEY, ROWS, Origin, sizes
from autolog.store.pause import collector_paused
from autolog.store.reduce import Reduction
from autolog.store.series import journal_points

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autolog.store.grouping import Key, Piece

__all__ = ["Pieces", "compact", "write"]


def compact(directory: str | Path, folder: Path | None = None) -> Path | None:
    """Write ``metrics.parquet`` of a run; columns ``run, metric, step, epoch, time, value, child``.

    Args:
        directory: The run's directory.
        folder: Where the files are to be; default: there. In another folder they lack the column ``run``, which
            is to stand in the folder's name.

    Returns:
        The file; ``None`` where there are no points, or one that a float cannot hold exactly.

    Raises:
        ImportError: pyarrow is not installed.
        OSError: the file cannot be written. What was there before stays.
    """
    import pyarrow  # noqa: F401, ICN001  before anything is read

    directory = Path(directory)
    journals = sizes(directory)
    with tempfile.TemporaryFile(dir=folder or directory) as aside, collector_paused():
        series = Grouped(aside)
        try:
            series.take(journal_points(directory, upto=journals))
        except OverflowError:  # an integer that no float is equal to
            return None
        found = [(metric, child, series.total((metric, child))) for metric, child in series.keys]
        if not found:
            return None
        origin = Origin(journals=journals, format=FORMAT, series=found)
        return write(series, origin, folder or directory, directory.name if folder is None else None)


class Pieces(Protocol):
    """Where points come from: :class:`autolog.store.grouping.Grouped`."""

    def pieces(self, key: Key, /) -> Iterator[Piece]:
        """Those of a series."""


def write(series: Pieces, origin: Origin, folder: Path, run: str | None = None) -> Path:
    """Write the files of a run.

    Args:
        series: the points.
        origin: which series there are, and what they come from.
        folder: where.
        run: the run's name, for a column; none: it stands in the folder's name.
    """
    unfinished = {name: folder / f".{name.lstrip('.')}.{os.getpid()}" for name in (CHART, FILE)}
    try:
        with _Rows(unfinished[FILE], origin, run) as rows, _Charts(unfinished[CHART], origin) as charts:
            for metric, child, total in origin.series:
                rows.begin(total)
                reduction = Reduction()
                for piece in in_rows(series.pieces((metric, child)), GROUP):
                    reduction.extend(*piece)
                    rows.add((metric, child), piece)
                charts.add(reduction)
        for name, path in unfinished.items():
            path.chmod(0o600)
            path.replace(folder / name)
    finally:
        for path in unfinished.values():
            path.unlink(missing_ok=True)
    return folder / FILE


class _Rows:
    """``metrics.parquet`` while it is written: short series share row groups, long ones have their own."""

    def __init__(self, path: Path, origin: Origin, run: str | None) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        names = ("metric", "step", "epoch", "time", "value", "child")
        texts = ("run", "metric", "child")
        self._schema = pa.schema(
            [(name, pa.string() if name in texts else pa.float64()) for name in (("run", *names) if run else names)],
            metadata={KEY: msgspec.json.encode(origin)},
        )
        self._run = run
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd", use_dictionary=list(texts))
        self._held: list[Any] = []
        self._rows = 0

    def __enter__(self) -> _Rows:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def begin(self, total: int) -> None:
        """A series of so many points follows."""
        if self._rows + total > ROWS:
            self._flush()

    def add(self, key: Key, piece: Piece) -> None:
        """Points of the series that has begun."""
        import pyarrow as pa

        metric, child = key
        steps, epochs, times, values = piece
        rows = len(times)
        columns = [
            *([_same(self._run, rows)] if self._run else []), _same(metric, rows), _numbers(steps, missing=True),
            _numbers(epochs, missing=True), _numbers(times), _numbers(values), _same(child, rows),
        ]  # fmt: skip
        self._held.append(pa.record_batch(columns, schema=self._schema))
        self._rows += rows
        if self._rows >= GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held, schema=self._schema), row_group_size=self._rows)
        self._held, self._rows = [], 0


class _Charts:
    """``.metrics.arrow`` while it is written: of each long series one batch for each width of buckets."""

    def __init__(self, path: Path, origin: Origin) -> None:
        import pyarrow as pa

        names = ("step", "epoch", "time", "value")
        self._schema = pa.schema(
            [("place", pa.int64()), *((name, pa.float64()) for name in names)],
            metadata={KEY: msgspec.json.encode(origin)},
        )
        self._file = pa.OSFile(str(path), "wb")
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        self._writer = pa.ipc.new_file(self._file, self._schema, options=options)

    def __enter__(self) -> _Charts:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
        self._file.close()

    def add(self, reduction: Reduction) -> None:
        """A series, in the order of the rows."""
        import pyarrow as pa

        for _, (places, *columns) in reduction.levels():
            counted = pa.Array.from_buffers(pa.int64(), len(places), [None, pa.py_buffer(places)])
            self._writer.write_batch(
                pa.record_batch([counted, *(_numbers(column) for column in columns)], schema=self._schema)
            )


def _same(text: str | None, rows: int) -> Any:
    """A text as often as there are rows. (``pyarrow.scalar`` would import pandas, where it is installed.)"""
    import pyarrow as pa

    builder = pa.lib.StringBuilder()
    builder.append_values([text] * rows)
    return builder.finish()


def _numbers(column: Any, *, missing: bool = False) -> Any:
    """An ``array`` of doubles as Arrow holds it; with ``missing``, NaN stands for what is not there."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = pa.py_buffer(column)
    found = pa.Array.from_buffers(pa.float64(), len(column), [None, numbers])
    if not missing:
        return found
    known = pc.invert(pc.is_nan(found))
    return pa.Array.from_buffers(pa.float64(), len(column), [known.buffers()[1], numbers])


if __name__ == "__main__":  # beside a server; see autolog/server/upkeep/compaction.py
    os.nice(10)
    os.umask(0o077)
    compact(sys.argv[1], Path(sys.argv[2]))
