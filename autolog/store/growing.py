"""The points of runs that still run, ready for charts: journals are read on from where they were left, never anew."""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from autolog import events
from autolog.store.arrays import double
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

    __slots__ = ("new", "odd", "reduction")

    def __init__(self) -> None:
        self.reduction = Reduction()
        self.new = (array("d"), array("d"), array("d"), array("d"))
        self.odd = False
        """It has an integer that no float is equal to: it is read from the journal."""


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
        name = path.name
        decode, kind = msgspec.json.Decoder(events.Record).decode, self._kind
        with path.open("rb") as file:
            file.seek(self._offsets.get(name, 0))
            rest = b""
            while block := file.read(min(_BLOCK, size - file.tell())):
                lines = (rest + block).split(b"\n")
                rest = lines.pop()
                for line in lines:
                    try:
                        record: Any = decode(line)
                    except (msgspec.MsgspecError, ValueError):
                        continue  # the summary says in its health how many lines are no records
                    if record.__class__ is kind:
                        self._take(name, record)
                self._settle()
                self._offsets[name] = file.tell() - len(rest)

    def _take(self, name: str, record: Any) -> None:
        step, epoch = getattr(record, "step", None), getattr(record, "epoch", None)
        for metric, written in record.values.items():
            key = (record.child, metric, name)
            one = self._series.get(key)
            if one is None:
                one = self._series[key] = _Series()
            value = events.from_wire(written) if isinstance(written, str) else written
            try:
                numbers = double(step), double(epoch), record.time, double(value)
            except OverflowError:
                one.odd, one.new = True, (array("d"), array("d"), array("d"), array("d"))
                continue
            for column, number in zip(one.new, numbers, strict=True):
                column.append(number)

    def _settle(self) -> None:
        for one in self._series.values():
            if one.odd:
                one.new = (array("d"), array("d"), array("d"), array("d"))
            elif one.new[3]:
                one.reduction.extend(*one.new)
                for column in one.new:
                    del column[:]

    def drawn(self, metrics: Collection[str] | None, most: int) -> Iterator[Drawn | tuple[str | None, str]]:
        """About ``most`` points of each series; child and metric alone where they are to be chosen of the points.

        A series that several journals have is that of each, reduced, put together by time.
        """
        found: dict[tuple[str | None, str], list[_Series]] = {}
        for (child, metric, _), one in self._series.items():
            if metrics is None or metric in metrics:
                found.setdefault((child, metric), []).append(one)
        for (child, metric), parts in found.items():
            chosen = [None if one.odd else one.reduction.at_most(most) for one in parts]
            columns = [each for each in chosen if each is not None]
            if len(columns) < len(parts):
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


def _merged(parts: list[Columns]) -> Columns:
    rows = sorted((row for part in parts for row in zip(*part, strict=True)), key=itemgetter(3))
    columns = list(zip(*rows, strict=True))
    return Columns(array("q", range(len(rows))), *(array("d", column) for column in columns[1:]))
