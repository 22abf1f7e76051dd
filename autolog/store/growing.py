"""The points of runs that still run, ready for charts: journals are read on from where they were left, never anew."""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from autolog import events
from autolog.store.arrays import EXACT, NONE, double
from autolog.store.pause import collector_paused
from autolog.store.reduce import Columns, Reduction

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

__all__ = ["Drawn", "Growing", "Kept"]

_BLOCK = 1 << 20


class Drawn(NamedTuple):
    """One series: how many points it has, and those of them to be drawn."""

    child: str | None
    metric: str
    total: int
    columns: Columns


class _Series:
    """One series of one journal, with what was read in this turn."""

    __slots__ = ("odd", "reduction", "stamps", "values")

    def __init__(self) -> None:
        self.reduction = Reduction()
        self.stamps: list[tuple[float, float, float]] = []
        """Step, epoch and time of each of ``values``; a record's own are one object."""
        self.values: list[float] = []
        self.odd = False
        """It has an integer that no float is equal to: it is read from the journal."""

    def settle(self) -> None:
        """Take what was read into the reduction."""
        if self.values and not self.odd:
            steps, epochs, times = zip(*self.stamps, strict=True)
            columns = (array("d", column) for column in (steps, epochs, times, self.values))
            self.reduction.extend(*columns)
        self.stamps.clear()
        self.values.clear()


class Growing:
    """What the journals of one run have logged so far, reduced.

    Args:
        kind: which records; :class:`autolog.events.Metrics` or :class:`autolog.events.System`.
    """

    def __init__(self, kind: type = events.Metrics) -> None:
        self.lock = threading.Lock()
        """Held by whoever uses it."""
        self._kind = kind
        self._offsets: dict[str, int] = {}
        self._series: dict[tuple[str | None, str, str], _Series] = {}

    def refresh(self, directory: Path, journals: Mapping[str, int]) -> None:
        """Read what the journals have more by now.

        Args:
            directory: where they lie now.
            journals: their names and sizes.
        """
        if any(journals.get(name, -1) < offset for name, offset in self._offsets.items()):
            self._offsets, self._series = {}, {}  # one is not the one that was read
        with collector_paused():
            for name, size in journals.items():
                if size > self._offsets.get(name, 0):
                    self._read(directory / name, size)

    def _read(self, path: Path, size: int) -> None:
        known: dict[str | None, dict[str, _Series]] = {}
        with path.open("rb") as file:
            file.seek(self._offsets.get(path.name, 0))
            rest = b""
            while block := file.read(min(_BLOCK, size - file.tell())):
                lines = (rest + block).split(b"\n")
                rest = lines.pop()
                self._take(path.name, lines, known)
                for series in known.values():
                    for one in series.values():
                        one.settle()
                self._offsets[path.name] = file.tell() - len(rest)

    def _take(self, name: str, lines: list[bytes], known: dict[str | None, dict[str, _Series]]) -> None:
        """Whole lines of a journal. Written for millions of them: what a record costs is waited for."""
        decode = msgspec.json.Decoder(events.Record).decode
        kind: Any = self._kind
        child, series = None, known.setdefault(None, {})
        for line in lines:
            try:
                record: Any = decode(line)
            except (msgspec.MsgspecError, ValueError):
                continue  # the summary says in its health how many lines are no records
            if record.__class__ is not kind:
                continue
            if record.child != child:
                child = record.child
                series = known.setdefault(child, {})
            stamp = _stamp(record)
            for metric, value in record.values.items():
                one = series.get(metric)
                if one is None:
                    one = series[metric] = self._series.setdefault((child, metric, name), _Series())
                if value.__class__ is not float:
                    value = _number(value)  # noqa: PLW2901
                if stamp is None or value is None:
                    one.odd = True
                else:
                    one.stamps.append(stamp)
                    one.values.append(value)

    def drawn(self, metrics: Collection[str] | None, most: int | None) -> Iterator[Drawn | tuple[str | None, str]]:
        """About ``most`` points of each series, or all; child and metric alone where the points are to be read.

        A series that several journals have is that of each, reduced, put together by time.
        """
        found: dict[tuple[str | None, str], list[_Series]] = {}
        for (child, metric, _), one in self._series.items():
            if metrics is None or metric in metrics:
                found.setdefault((child, metric), []).append(one)
        for (child, metric), parts in found.items():
            chosen = [None if one.odd else one.reduction.at_most(most) for one in parts]
            columns = [each for each in chosen if each is not None]
            if len(columns) < len(parts) or (most is None and len(parts) > 1):
                yield child, metric
            else:
                total = sum(one.reduction.total for one in parts)
                yield Drawn(child, metric, total, columns[0] if len(columns) == 1 else _merged(columns))

    @property
    def size(self) -> int:
        """Bytes of what is held, about."""
        return sum(500 + one.reduction.size for one in self._series.values())


class Kept:
    """Runs that were asked for lately; the oldest are let go where they hold more than ``most`` bytes."""

    def __init__(self, most: int = 64 << 20) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._runs: OrderedDict[tuple[str, ...], Growing] = OrderedDict()

    def get(self, key: tuple[str, ...], kind: type = events.Metrics) -> Growing:
        """That of a run, to be refreshed.

        Args:
            key: which run; for records of another kind, another key.
            kind: of :class:`Growing`.
        """
        with self._lock:
            one = self._runs.pop(key, None) or Growing(kind)
            self._runs[key] = one
            sizes = {known: each.size for known, each in self._runs.items() if not each.lock.locked()}
            held = sum(sizes.values())
            for known, size in sizes.items():
                if held > self._most and known != key:
                    del self._runs[known]
                    held -= size
        return one


def _stamp(record: Any) -> tuple[float, float, float] | None:
    """Step, epoch and time; ``None`` where no floats are equal to them."""
    if record.__class__ is events.System:
        return NONE, NONE, record.time
    step, epoch = record.step, record.epoch
    if epoch is None and step.__class__ is int and -EXACT <= step <= EXACT:
        return step, NONE, record.time  # nearly always
    try:
        return double(step), double(epoch), record.time
    except OverflowError:
        return None


def _number(written: int | str) -> float | None:
    try:
        return double(events.from_wire(written) if isinstance(written, str) else written)
    except OverflowError:
        return None


def _merged(parts: list[Columns]) -> Columns:
    rows = sorted((row for part in parts for row in zip(*part, strict=True)), key=itemgetter(3))
    columns = list(zip(*rows, strict=True))
    return Columns(array("q", range(len(rows))), *(array("d", column) for column in columns[1:]))
