"""Series of a run for a chart or a table: from compacted files, or from the journals; exactly or reduced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autolog import events, journal
from autolog.store import series
from autolog.store.arrays import NONE
from autolog.store.growing import Drawn, Kept
from autolog.store.parquet import sizes
from autolog.store.pause import collector_paused
from autolog.store.reduce import Columns, chosen

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from autolog.store.parquet import Stored

__all__ = ["Drawn", "Kept", "from_journals", "from_stored", "samples"]


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


def from_journals(directory: Path, kept: Kept, metrics: Collection[str] | None, most: int | None) -> Iterator[Drawn]:
    """The same from the journals in a directory, which may grow.

    Args:
        directory: of the run.
        kept: what is known already of runs that grow.
        metrics: as in :func:`from_stored`.
        most: the same.
    """
    wanted = None if metrics is None else frozenset(metrics)
    if most is None:
        yield from _of_points(series.journal_points(directory, wanted), None)
        return
    growing = kept.get(directory)
    with growing.lock:
        growing.refresh(sizes(directory))
        found = list(growing.drawn(metrics, most))
    yield from (each for each in found if isinstance(each, Drawn))
    left = {each for each in found if not isinstance(each, Drawn)}
    if left:
        points = series.journal_points(directory, frozenset(metric for _, metric in left))
        yield from _of_points((point for point in points if point[:2] in left), most)


def samples(directory: Path, kept: Kept, node: str, most: int | None) -> Iterator[Drawn]:
    """The samples of the machine, a series for each value, by name.

    Args:
        directory: of the run.
        kept: as in :func:`from_journals`.
        node: of a job on several nodes, which; empty: the one of rank 0.
        most: as in :func:`from_stored`.
    """
    name = f"system.{node}.jsonl" if node else journal.SYSTEM
    path = directory / name
    if not path.exists():
        return
    found: Iterable[Drawn | tuple[str | None, str]] = [(None, "")]
    if most is not None:
        growing = kept.get(directory / name, events.System)
        with growing.lock:
            growing.refresh({name: path.stat().st_size})
            found = list(growing.drawn(None, most))
    if not all(isinstance(each, Drawn) for each in found):
        found = _of_points(_sampled(directory, node), most)
    yield from sorted((each for each in found if isinstance(each, Drawn)), key=lambda each: each.metric)


def _sampled(directory: Path, node: str) -> Iterator[series.Point]:
    for sample in series.system_samples(directory, node):
        for name, value in sample.values.items():
            yield series.Point(None, name, None, None, sample.time, value)


def _of_points(points: Iterable[series.Point], most: int | None) -> Iterator[Drawn]:
    """Points put together by series, numbers as they were written."""
    found: dict[tuple[str | None, str], tuple[list[Any], list[Any], list[Any], list[Any]]] = {}
    with collector_paused():
        for child, metric, step, epoch, time, value in points:
            columns = found.setdefault((child, metric), ([], [], [], []))
            for column, number in zip(columns, (step, epoch, time, value), strict=True):
                column.append(NONE if number is None else number)
    for (child, metric), lists in found.items():
        every = Columns(range(len(lists[0])), *lists)
        total = len(lists[0])
        yield Drawn(child, metric, total, every if most is None or total <= most else chosen(every, most))
