"""Runs for the server's benchmark, written as files: what clients would have sent."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from autolog import events
from autolog.store import compact
from autolog.store.grouping import Piece
from autolog.store.parquet import CHART, FILE, FORMAT, Origin
from benchmarks.load import names_of

__all__ = ["growing_run", "long_runs", "many_runs", "series_of"]

_START = 1_790_000_000.0


def _journal(directory: Path, records: Iterator[events.Record] | list[events.Record]) -> None:
    directory.mkdir(parents=True)
    header = events.RunStart(time=_START, id=directory.name, name=f"run-{directory.name[-4:]}", project="bench")
    with (directory / "journal.jsonl").open("wb") as file:
        for record in (header, *records) if isinstance(records, list) else _chained(header, records):
            file.write(events.encode(record) + b"\n")


def _chained(first: events.Record, rest: Iterator[events.Record]) -> Iterator[events.Record]:
    yield first
    yield from rest


def many_runs(project: Path, count: int) -> list[str]:
    """Runs with ten parameters, five metrics, a tag each."""
    draw = random.Random(1)
    names = names_of(count)
    for number, name in enumerate(names):
        values = {f"p{n}": draw.random() for n in range(9)} | {"lr": draw.random()}
        records: list[events.Record] = [
            events.Params(time=_START + 1, values=values),
            events.Tags(time=_START + 1, add=[f"group-{number % 20}"]),
            events.Metrics(time=_START + 2, values={n: draw.random() for n in ("loss", "acc", "f1", "auc", "mae")}),
            events.End(time=_START + 3, status="completed", exit_code=0),
        ]
        _journal(project / name, records)
    return names


def series_of(project: Path, series: int, points: int, runs: int = 1) -> list[str]:
    """Runs of several series each, compacted."""
    names = names_of(runs)
    for name in names:
        values = [{f"metric_{n}": math.sin(step / 100 + n) for n in range(series)} for step in range(points)]
        records: list[events.Record] = [
            events.Metrics(time=_START + step, values=dict(each), step=step) for step, each in enumerate(values)
        ]
        _journal(project / name, [*records, events.End(time=_START + points, status="completed", exit_code=0)])
        compact.compact(project / name)
    return names


def growing_run(project: Path, points: int) -> str:
    """One run that still runs, of one long series."""
    (name,) = names_of(1)
    draw = random.Random(2)
    _journal(
        project / name,
        (events.Metrics(time=_START + n, values={"loss": draw.random()}, step=n) for n in range(points)),
    )
    return name


class _Drawn:
    """A long series that was never in a journal: writing and reading that would take an hour."""

    def __init__(self, points: int, seed: int) -> None:
        self._points, self._seed = points, seed

    def pieces(self, _: object) -> Iterator[Piece]:
        """As :class:`autolog.store.grouping.Grouped` has them."""
        draw = random.Random(self._seed)
        for first in range(0, self._points, 1 << 16):
            places = range(first, min(first + (1 << 16), self._points))
            values = array("d", [draw.random() for _ in places])
            yield array("d", places), array("d", [math.nan] * len(places)), array("d", places), values


def long_runs(data: Path, project: str, count: int, points: int) -> list[str]:
    """Runs of one long series each, compacted. Ten are drawn, each of them stands under ten names."""
    names = names_of(count)
    for number, name in enumerate(names):
        _journal(data / project / name, [events.End(time=_START + 3, status="completed", exit_code=0)])
        folder = data / ".parquet" / f"project={quote(project)}" / f"run={name}"
        folder.mkdir(parents=True)
        if number < 10:
            journals = {"journal.jsonl": (data / project / name / "journal.jsonl").stat().st_size}
            origin = Origin(journals=journals, format=FORMAT, series=[("loss", None, points)])
            compact.write(_Drawn(points, number), origin, folder)
        else:
            source = folder.with_name(f"run={names[number % 10]}")
            for file in (FILE, CHART):
                (folder / file).hardlink_to(source / file)
    return names
