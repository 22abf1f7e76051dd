"""Series of a run for a chart or a table: from compacted files, or from the journals; exactly or reduced."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from autolog import events, journal
from autolog.store import series
from autolog.store.arrays import NONE, double
from autolog.store.growing import Drawn, Kept
from autolog.store.parquet import sizes
from autolog.store.reduce import Columns, chosen

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from autolog.store.parquet import Stored

__all__ = ["Drawn", "Kept", "from_journals", "from_stored", "samples"]

_SHORT = 8 << 20
"""Bytes of journals whose series are hardly too long to be kept whole as they grow."""


def from_stored(stored: Stored, metrics: Collection[str] | None, most: int | None) -> Iterator[Drawn]:
    """The series of a run from its compacted files, one for the run itself and each child that has a metric.

    Args:
        stored: the files.
        metrics: only these; default: all.
        most: about so many points of each at most; default: all.

    Raises:
        OSError: a file is damaged.
    """
    for entry in stored.entries:
        if metrics is None or entry.metric in metrics:
            columns = stored.points(entry) if most is None else stored.at_most(entry, most)
            yield Drawn(entry.child, entry.metric, entry.total, columns)


def from_journals(
    directory: Path, kept: Kept, key: tuple[str, ...], metrics: Collection[str] | None, most: int | None
) -> Iterator[Drawn]:
    """The same from the journals in a directory, which may grow.

    Args:
        directory: where they lie now.
        kept: what is known already of runs that grow.
        key: what the run is called there.
        metrics: as in :func:`from_stored`.
        most: the same.
    """
    wanted = None if metrics is None else frozenset(metrics)
    journals = sizes(directory)
    if most is None and sum(journals.values()) > _SHORT:
        yield from _of_points(series.journal_points(directory, wanted), None)
        return
    growing = kept.get(key)
    with growing.lock:
        growing.refresh(directory, journals)
        found = list(growing.drawn(metrics, most))
    yield from (each for each in found if isinstance(each, Drawn))
    left = {each for each in found if not isinstance(each, Drawn)}
    if left:
        points = series.journal_points(directory, frozenset(metric for _, metric in left))
        yield from _of_points((point for point in points if point[:2] in left), most)


def samples(directory: Path, kept: Kept, key: tuple[str, ...], node: str, most: int | None) -> Iterator[Drawn]:
    """The samples of the machine, a series for each value, by name.

    Args:
        directory: where the journals lie now.
        kept: as in :func:`from_journals`.
        key: as there.
        node: of a job on several nodes, which; empty: the one of rank 0.
        most: as in :func:`from_stored`.
    """
    name = f"system.{node}.jsonl" if node else journal.SYSTEM
    path = directory / name
    if not path.exists():
        return
    found: Iterable[Drawn | tuple[str | None, str]] = [(None, "")]
    if most is not None:
        growing = kept.get((*key, name), events.System)
        with growing.lock:
            growing.refresh(directory, {name: path.stat().st_size})
            found = list(growing.drawn(None, most))
    if not all(isinstance(each, Drawn) for each in found):
        found = _of_points(_sampled(directory, node), most)
    yield from sorted((each for each in found if isinstance(each, Drawn)), key=lambda each: each.metric)


def _sampled(directory: Path, node: str) -> Iterator[series.Point]:
    for sample in series.system_samples(directory, node):
        for name, value in sample.values.items():
            yield series.Point(None, name, None, None, sample.time, value)


def _of_points(points: Iterable[series.Point], most: int | None) -> Iterator[Drawn]:
    """Points put together by series; those that floats cannot hold make lists of numbers as they were written."""
    found: dict[tuple[str | None, str], list[Any]] = {}
    for child, metric, *numbers in points:
        columns = found.get((child, metric))
        if columns is None:
            columns = found[child, metric] = [array("d"), array("d"), array("d"), array("d")]
        if isinstance(columns[0], array):
            try:
                numbers = [double(number) for number in numbers]  # noqa: PLW2901
            except OverflowError:
                columns[:] = [column.tolist() for column in columns]
        for column, number in zip(columns, numbers, strict=True):
            column.append(NONE if number is None else number)
    for (child, metric), columns in found.items():
        total = len(columns[0])
        every = Columns(range(total), *columns)
        yield Drawn(child, metric, total, every if most is None or total <= most else chosen(every, most))
