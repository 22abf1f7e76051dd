"""Take the numbers out: the table of runs and the history of metrics, as CSV, JSON and Parquet, exactly.

How values are written is told in :mod:`autolog.store.formats`.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from autolog.store import series
from autolog.store.columns import PLAIN, column_value
from autolog.store.entries import flatten
from autolog.store.formats import Columns, Format, Kind, encoded, fitted
from autolog.store.schema import STATS
from autolog.store.summary import iso

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from autolog.store.summary import RunSummary

__all__ = [
    "HISTORY", "HISTORY_KINDS", "RUN", "Format", "export_history", "export_runs", "history", "points", "run_record",
    "run_records", "run_value", "uniform",
]  # fmt: skip

HISTORY = ("run", "metric", "step", "epoch", "time", "value", "child")
"""Columns of the history; ``time`` in seconds since the epoch, ``child`` empty for the run's own points."""
HISTORY_KINDS: tuple[Kind, ...] = ("text", "text", "number", "number", "number", "number", "text")
RUN = (
    "id", "name", "project", "status", "started_at", "ended_at", "duration", "parent", "tags", "note", "archived",
)  # fmt: skip
"""The first columns of the table of runs."""


def run_records(rows: Iterable[RunSummary]) -> list[dict[str, Any]]:
    """One flat dictionary a run, all with the same keys.

    ``id, name, project, status, started_at, ended_at, duration, parent, tags, note, archived``, ``fields.*``, then
    ``params.*``, ``args.*`` and for each metric ``metrics.X`` (the last value), ``.min``, ``.max``, ``.count``,
    ``.last_step``, ``.last_epoch``.
    """
    records = [run_record(run) for run in rows]
    names = dict.fromkeys(name for record in records for name in record)
    order = {group: place for place, group in enumerate(("params", "args", "metrics"), 1)}
    ordered = sorted(names, key=lambda name: order.get(name.partition(".")[0], 0))
    return [{name: record.get(name) for name in ordered} for record in records]


def history(runs: Iterable[RunSummary], metrics: Collection[str] | None = None) -> Iterator[tuple[Any, ...]]:
    """Every point of the runs, as tuples of :data:`HISTORY`. Of a child run: its own points.

    Args:
        runs: Runs or child runs.
        metrics: Only these; default: all.
    """
    for run in runs:
        child = None if run.kind == "run" else run.id
        yield from points(run.directory.rpartition("/")[2], run.directory, metrics, child)


def points(
    run: str, directory: str | Path, metrics: Collection[str] | None = None, only: str | None = None
) -> Iterator[tuple[Any, ...]]:
    """Every point of one run, as tuples of :data:`HISTORY`.

    Args:
        run: What the column ``run`` says.
        directory: The run's directory.
        metrics: Only these; default: all.
        only: The child run whose points are meant; default: those of the run and of all of its child runs.
    """
    for child, metric, step, epoch, time, value in series.points(directory, metrics):
        if only is None or child == only:
            yield run, metric, step, epoch, time, value, child


def export_runs(rows: Iterable[RunSummary], format: Format, file: IO[bytes]) -> None:  # noqa: A002  (the option's name)
    """Write the table of runs (:func:`run_records`) to a file opened for bytes."""
    records = run_records(rows)
    names = list(records[0]) if records else ["id", "name", "project", "status"]
    table = [tuple(record.values()) for record in records]
    for piece in encoded(table, names, format, _columns(table, len(names)).kinds()):
        file.write(piece)


def export_history(
    runs: Iterable[RunSummary],
    format: Format,  # noqa: A002  (the option's name)
    file: IO[bytes],
    metrics: Collection[str] | None = None,
) -> None:
    """Write every point of the runs (:func:`history`) to a file opened for bytes, as it is read: nothing is kept."""
    for piece in encoded(history(runs, metrics), HISTORY, format, HISTORY_KINDS):
        file.write(piece)


def uniform(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records with one type a column: numbers stay numbers; a column of several types becomes text, lists JSON."""
    if not records:
        return []
    kinds = _columns([tuple(record.values()) for record in records], len(records[0])).kinds()
    return [
        {name: fitted(value, kind) for (name, value), kind in zip(record.items(), kinds, strict=True)}
        for record in records
    ]


def run_value(run: RunSummary, column: str) -> Any:
    """The value of a column in the table of runs: times are texts, child runs are counted."""
    value = column_value(run, column)
    field = PLAIN.get(column, "")
    if field in ("started_at", "ended_at"):
        return iso(value)
    return len(value) if field == "children" else value


def _columns(rows: Iterable[tuple[Any, ...]], count: int) -> Columns:
    columns = Columns(count)
    for row in rows:
        columns.see(row)
    return columns


def run_record(run: RunSummary) -> dict[str, Any]:
    """The columns that one run has, with their values; see :func:`run_records`."""
    record = {name: run_value(run, name) for name in RUN}
    record |= flatten(run.fields, "fields")
    record |= flatten(run.params, "params")
    record |= flatten({name: entry.get("value") for name, entry in run.args.items()}, "args")
    for name, metric in run.metrics.items():
        record[f"metrics.{name}"] = metric.last
        record |= {f"metrics.{name}.{stat}": getattr(metric, stat) for stat in STATS[1:]}
    return record
