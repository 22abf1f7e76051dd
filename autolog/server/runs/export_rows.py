"""The rows of exports, a few runs at a time."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from autolog import journal
from autolog.server import tables
from autolog.server.runs import listing, sorting
from autolog.server.service import Service
from autolog.store import columns, entries, export, series
from autolog.store.formats import Columns, Kind
from autolog.store.schema import STATS
from autolog.store.summary import RunSummary

__all__ = ["Table", "Which", "points", "samples", "table"]

_RUNS = tables.INDEX["runs"].c
_FIELDS = tables.INDEX["fields"].c
_METRICS = tables.INDEX["metrics"].c
_BATCH = 100
"""Runs in memory at once."""
_FIRST = ("fields", "params", "args")


class Which(NamedTuple):
    """The runs that are meant."""

    service: Service
    project: str
    only: str | None
    """The only one that may be shown, if it is one."""
    chosen: list[str] | None
    where: str
    sort: str
    archived: bool


class Table(NamedTuple):
    """The table of runs."""

    names: list[str]
    kinds: list[Kind]
    rows: Iterator[Sequence[Any]]


def table(which: Which, wanted: Sequence[str], *, typed: bool) -> Table:
    """The table of runs.

    Args:
        which: the runs.
        wanted: the columns; empty: every one that some of the runs has.
        typed: find out what each column holds, for which all runs are read once more.

    Raises:
        ApiError: 400: the query or the column to sort by is none.
    """
    order = _order(which)
    names = list(wanted) or _every_column(which)
    kinds: list[Kind] = []
    if typed:
        seen = Columns(len(names))
        for row in _rows(which, order, names, chosen=bool(wanted)):
            seen.see(row)
        kinds = seen.kinds()
    return Table(names, kinds, _rows(which, order, names, chosen=bool(wanted)))


def points(which: Which, metrics: frozenset[str] | None) -> Iterator[Sequence[Any]]:
    """Every point of the runs, as :data:`autolog.store.export.HISTORY`."""
    for run in _order(which):
        with (
            contextlib.suppress(FileNotFoundError),  # taken away just now
            which.service.storage.directory((which.project, run)) as directory,
        ):
            yield from export.points(run, directory, metrics)


def samples(which: Which) -> Iterator[Sequence[Any]]:
    """Every value of every sample; ``child`` names the node, of a job on several."""
    for run in _order(which):
        with (
            contextlib.suppress(FileNotFoundError),
            which.service.storage.directory((which.project, run)) as directory,
        ):
            for path in sorted(directory.glob("system*.jsonl")):
                node = "" if path.name == journal.SYSTEM else path.name.removeprefix("system.").removesuffix(".jsonl")
                for sample in series.system_samples(directory, node):
                    for name, value in sample.values.items():
                        yield run, name, None, None, sample.time, value, node or None


def _condition(which: Which) -> Any:
    named = which.chosen is not None
    condition = listing.condition_of([which.project], which.where, archived=which.archived or named)
    if which.chosen is not None:
        condition &= _RUNS.run.in_(which.chosen)
    if which.only is not None:
        condition &= _RUNS.run == which.only
    return condition


def _order(which: Which) -> list[str]:
    with which.service.engine.connect() as connection:
        return sorting.ordered(connection, _condition(which), which.sort)


def _every_column(which: Which) -> list[str]:
    """The names of all that some of the runs has, in the order of :func:`autolog.store.export.run_records`."""
    mine = sa.select(_RUNS.run).where(_condition(which))
    fields = sa.select(_FIELDS.kind, _FIELDS.name).where(
        _FIELDS.project == which.project, _FIELDS.child == "", _FIELDS.kind.in_(_FIRST), _FIELDS.run.in_(mine)
    )
    metrics = sa.select(_METRICS.name).where(
        _METRICS.project == which.project, _METRICS.child == "", _METRICS.run.in_(mine)
    )
    with which.service.engine.connect() as connection:
        known = {(row.kind, row.name) for row in connection.execute(fields.distinct())}
        named = sorted(connection.execute(metrics.distinct()).scalars())
    found = [f"{group}.{name}" for group in _FIRST for kind, name in sorted(known) if kind == group]
    stats = [f"metrics.{name}{stat}" for name in named for stat in ("", *(f".{stat}" for stat in STATS[1:]))]
    return [*export.RUN, *found, *stats]


def _rows(which: Which, order: Sequence[str], names: Sequence[str], *, chosen: bool) -> Iterator[Sequence[Any]]:
    remaining = iter(order)
    while batch := list(itertools.islice(remaining, _BATCH)):
        for run in _loaded(which, batch):
            if chosen:
                yield [_chosen(run, name) for name in names]
            else:
                record = export.run_record(run)
                yield [record.get(name) for name in names]


def _chosen(run: RunSummary, column: str) -> Any:
    return None if columns.PLAIN.get(column) == "directory" else export.run_value(run, column)


def _loaded(which: Which, runs: Sequence[str]) -> list[RunSummary]:
    """Summaries from the index, in this order; what was taken away meanwhile is left out."""
    select = sa.select(_RUNS.run, _RUNS.row).where(_RUNS.project == which.project, _RUNS.run.in_(list(runs)))
    with which.service.engine.connect() as connection:
        found = {row.run: row.row for row in connection.execute(select)}
    return [entries.load_row(found[run]) for run in runs if run in found]
