"""The points of metrics, exactly as logged: from the journals, or from ``metrics.parquet`` once it is whole."""

from __future__ import annotations

import heapq
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from autolog import events, journal
from autolog.store.parquet import ROWS, in_folder, open_stored, sizes
from autolog.store.pause import collector_paused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from autolog.store.parquet import Entry, Stored
    from autolog.store.summary import RunSummary

__all__ = ["Point", "Sample", "Series", "journal_points", "points", "series", "system_samples"]

_BLOCK = 1 << 20


class Point(NamedTuple):
    """One value of one metric."""

    child: str | None
    """``None``: the run itself."""
    metric: str
    step: float | None
    epoch: float | None
    time: float
    value: float


class Sample(NamedTuple):
    """What the sidecar measured at one moment."""

    time: float
    values: dict[str, float]


class Series(msgspec.Struct):
    """All points of one metric of one child run, or of the run itself (``child`` is ``None``), oldest first."""

    run: str
    child: str | None
    metric: str
    steps: list[float | None] = []
    epochs: list[float | None] = []
    times: list[float] = []
    values: list[float] = []


def points(directory: str | Path, metrics: Collection[str] | None = None) -> Iterator[Point]:
    """The points of a run, streamed. Those of one series come in their order: as one journal has them, of several
    journals by time. Points of different series come in any order.

    Args:
        directory: The run's directory.
        metrics: Only these; default: all.
    """
    directory = Path(directory)
    wanted = None if metrics is None else frozenset(metrics)
    stored = open_stored(in_folder(directory), sizes(directory))
    if stored is None:
        yield from journal_points(directory, wanted)
        return
    with stored:
        for entry in stored.entries:
            if wanted is None or entry.metric in wanted:
                try:
                    yield from _stored_points(stored, entry)
                except OSError:  # damaged: the journals are the record
                    every = journal_points(directory, frozenset((entry.metric,)))
                    yield from (point for point in every if point.child == entry.child)


def _stored_points(stored: Stored, entry: Entry) -> Iterator[Point]:
    for piece in stored.pieces(entry):
        for batch in piece.to_batches(ROWS):
            for step, epoch, time, value in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield Point(entry.child, entry.metric, _whole(step), _whole(epoch), time, value)


def journal_points(
    directory: Path, wanted: frozenset[str] | None = None, upto: Mapping[str, int] | None = None
) -> Iterator[Point]:
    """:func:`points` from the journals themselves, by time.

    Args:
        directory: The run's directory.
        wanted: Only these metrics; default: all.
        upto: Only these journals, and only their first so many bytes; default: all as they are.
    """
    if upto is None:
        streams = [_journal_points(path, wanted) for path in _metric_journals(directory)]
    else:
        streams = [_journal_points(directory / name, wanted, size) for name, size in upto.items()]
    return streams[0] if len(streams) == 1 else heapq.merge(*streams, key=lambda point: point.time)


def series(run: RunSummary, metric: str) -> list[Series]:
    """One metric of a run, a :class:`Series` for the run itself and for each child that has it; of a child: its own."""
    found: dict[str | None, Series] = {}
    only = run.kind != "run"
    with collector_paused():
        for child, _, step, epoch, time, value in points(run.directory, (metric,)):
            if only and child != run.id:
                continue
            one = found.get(child)
            if one is None:
                one = found[child] = Series(run=Path(run.directory).name, child=child, metric=metric)
            one.steps.append(step)
            one.epochs.append(epoch)
            one.times.append(time)
            one.values.append(value)
    return list(found.values())


def system_samples(directory: str | Path, node: str = "") -> Iterator[Sample]:
    """The sidecar's samples of a run, oldest first.

    Args:
        directory: The run's directory.
        node: Of a job on several nodes, which; default: the one of rank 0.
    """
    path = Path(directory) / (f"system.{node}.jsonl" if node else journal.SYSTEM)
    if path.exists():
        for record, _ in journal.read(path, problems=[]):
            if isinstance(record, events.System):
                yield Sample(record.time, {name: _number(value) for name, value in record.values.items()})


def _metric_journals(directory: Path) -> list[Path]:
    found = journal.journals(directory)
    return [path for path in found if not journal.is_edits(path.name) and not journal.is_system(path.name)]


def _journal_points(path: Path, wanted: frozenset[str] | None, upto: int | None = None) -> Iterator[Point]:
    """The same lines that the summary counts; see :mod:`autolog.store.reader`."""
    decode = msgspec.json.Decoder(events.Record).decode
    for line in _lines(path, upto):
        try:
            record: Any = decode(line)
        except (msgspec.MsgspecError, ValueError):
            continue  # the summary says in its health how many lines are no records
        if record.__class__ is not events.Metrics:
            continue
        for name, written in record.values.items():
            if wanted is None or name in wanted:
                value = _number(written) if isinstance(written, str) else written
                yield Point(record.child, name, record.step, record.epoch, record.time, value)


def _lines(path: Path, upto: int | None) -> Iterator[bytes]:
    with path.open("rb") as file:
        rest = b""
        while block := file.read(_BLOCK if upto is None else min(_BLOCK, upto - file.tell())):
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            yield from lines


def _number(written: events.Number) -> float:
    return events.from_wire(written) if isinstance(written, str) else written


def _whole(value: float | None) -> float | None:
    """Steps were written as integers nearly always; the file holds them as floats."""
    return int(value) if value is not None and value.is_integer() else value
