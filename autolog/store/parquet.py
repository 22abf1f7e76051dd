"""``metrics.parquet``: the points of a finished run as one file that anything can read; and ``.metrics.arrow`` beside
it: the same, reduced for charts.

Both say in their own metadata how many bytes of which journals they were made of, and which series they hold. Where a
journal has more by now, they are not used. The journals stay: they are the record.
"""

from __future__ import annotations

import contextlib
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from autolog import journal
from autolog.store.reduce import WHOLE, Columns, chosen, levels_of, width_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = [
    "CHART", "FILE", "FORMAT", "GROUP", "KEY", "ROWS", "Entry", "Origin", "Stored", "in_folder", "open_stored",
    "sizes",
]  # fmt: skip

FILE = "metrics.parquet"
CHART = ".metrics.arrow"
KEY = b"autolog"
"""Under which a file's metadata says what it was made of."""
FORMAT = 2
"""Of these files: rows of a series are together, and ``series`` says where."""
ROWS = 1 << 16
"""Short series share a row group of so many rows."""
GROUP = 1 << 18
"""Most rows of a row group."""
_COLUMNS = ("step", "epoch", "time", "value")


class Origin(msgspec.Struct):
    """What a file was made of, and the series in it: metric, child and number of points, in the order of their rows."""

    journals: dict[str, int]
    format: int = 1
    series: list[tuple[str, str | None, int]] = []


class Entry(NamedTuple):
    """One series of a file."""

    metric: str
    child: str | None
    total: int
    first: int
    """Its first row."""
    chart: int
    """The first of its reductions."""


def sizes(directory: Path) -> dict[str, int]:
    """Bytes of each journal that can hold points."""
    return {
        path.name: path.stat().st_size
        for path in journal.journals(directory)
        if not journal.is_edits(path.name) and not journal.is_system(path.name)
    }


def open_stored(find: Callable[[str], Path | None], journals: Mapping[str, int]) -> Stored | None:
    """The files of a run, where they are there and were made of ``journals``; ``None``: the journals are to be read.

    Args:
        find: Where the file of a name lies. The points are looked for only when they are needed: for most charts
            ``.metrics.arrow`` is enough.
        journals: The sizes of the run's journals.
    """
    path = find(CHART)
    charts = _open_charts(path) if path is not None else None
    if charts is not None and _fits(charts.origin, journals):
        return Stored(find, charts.origin, charts)
    path = find(FILE)
    origin = _origin(path) if path is not None else None
    return Stored(find, origin) if origin is not None and _fits(origin, journals) else None


def _fits(origin: Origin, journals: Mapping[str, int]) -> bool:
    return origin.format == FORMAT and origin.journals == journals


def in_folder(folder: Path) -> Callable[[str], Path | None]:
    """What :func:`open_stored` takes, for files in one folder."""
    return lambda name: path if (path := folder / name).exists() else None


def _origin(path: Path) -> Origin | None:
    """Of ``metrics.parquet``; ``None``: it is none of ours, or damaged."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return None
    try:
        return _decoded(pq.read_schema(path))
    except (pa.ArrowException, OSError, msgspec.DecodeError):
        return None


def _decoded(schema: Any) -> Origin:
    return msgspec.json.decode((schema.metadata or {}).get(KEY, b"null"), type=Origin)


class _Charts(NamedTuple):
    """``.metrics.arrow``, opened."""

    source: Any
    reader: Any
    origin: Origin


def _open_charts(path: Path) -> _Charts | None:
    try:
        import pyarrow as pa
    except ImportError:
        return None
    try:
        source = pa.memory_map(str(path))
        # Not by threads: for batches of kilobytes they cost more than they do.
        reader = pa.ipc.open_file(source, options=pa.ipc.IpcReadOptions(use_threads=False))
        return _Charts(source, reader, _decoded(reader.schema))
    except (pa.ArrowException, OSError, msgspec.DecodeError):
        return None


class Stored:
    """The files of one run; a context manager that closes them."""

    def __init__(self, find: Callable[[str], Path | None], origin: Origin, charts: _Charts | None = None) -> None:
        self._find = find
        self._charts = charts
        self._origin = origin
        self._stack = contextlib.ExitStack()
        self._file: Any = None
        self._ends: list[int] = []
        self._group: tuple[int, Any] = (-1, None)

    def __enter__(self) -> Stored:
        if self._charts is not None:
            self._stack.enter_context(self._charts.source)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def entries(self) -> Iterator[Entry]:
        """The series, in the order of their rows."""
        first = chart = 0
        for metric, child, total in self._origin.series:
            yield Entry(metric, child, total, first, chart)
            first += total
            chart += len(levels_of(total))

    def pieces(self, entry: Entry) -> Iterator[Any]:
        """The points of a series, oldest first: tables of ``step, epoch, time, value``.

        Raises:
            OSError: they cannot be read, though their reductions could; the journals can.
        """
        self._open()
        begin = 0
        for number, end in enumerate(self._ends):
            first, after = max(begin, entry.first), min(end, entry.first + entry.total)
            if first < after:
                yield self._read(number).slice(first - begin, after - first)
            begin = end

    def _open(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self._find(FILE)
        if self._file is None:
            if path is None or _origin(path) != self._origin:
                raise OSError(f"{FILE} is not there, or another one")
            try:
                self._file = self._stack.enter_context(pq.ParquetFile(path))
            except pa.ArrowException as error:
                raise OSError(f"{FILE} cannot be read: {error}") from error
            groups = range(self._file.num_row_groups)
            self._ends = list(accumulate(self._file.metadata.row_group(n).num_rows for n in groups))

    def _read(self, number: int) -> Any:
        if self._group[0] != number:  # short series follow one another in one group
            self._group = (-1, None)
            self._group = (number, self._file.read_row_group(number, columns=list(_COLUMNS)))
        return self._group[1]

    def points(self, entry: Entry) -> Columns:
        """All points of a series.

        Raises:
            OSError: as :meth:`pieces`.
        """
        import pyarrow as pa

        if entry.total < WHOLE and (found := self._chart(entry.chart)) is not None:
            return found
        table = pa.concat_tables(self.pieces(entry)).combine_chunks()
        columns = (_doubles(table[name].combine_chunks()) for name in _COLUMNS)
        return Columns(range(entry.total), *columns)

    def at_most(self, entry: Entry, most: int) -> Columns:
        """About ``most`` points of a series, as :func:`autolog.store.reduce.reduced` chooses them.

        Raises:
            OSError: as :meth:`pieces`.
        """
        levels, width = levels_of(entry.total), width_for(entry.total, most)
        if entry.total > most and width in levels[entry.total < WHOLE :]:
            found = self._chart(entry.chart + levels.index(width))
            if found is not None:
                return found
        found = self.points(entry)
        return found if entry.total <= most else chosen(found, most)

    def _chart(self, number: int) -> Columns | None:
        import pyarrow as pa

        if self._charts is None:
            return None
        try:
            batch = self._charts.reader.get_batch(number)
        except (pa.ArrowException, OSError):
            return None
        places = memoryview(batch.column(0).buffers()[1]).cast("q")[: batch.num_rows]
        return Columns(places, *(_doubles(batch.column(n)) for n in range(1, 5)))


def _doubles(column: Any) -> Any:
    """A view of a column's numbers; NaN for what is not there."""
    if column.null_count:
        column = column.fill_null(float("nan"))
    buffer = column.buffers()[1]
    if buffer is None:
        return memoryview(b"").cast("d")
    return memoryview(buffer).cast("d")[column.offset : column.offset + len(column)]
