"""Take the numbers out: the table of runs and the history of metrics, as CSV, JSON and Parquet, exactly.

Floats are written with all their digits. CSV and JSON have no NaN and no infinity: they are the words ``NaN``,
``Infinity`` and ``-Infinity``; in Parquet they are themselves, and an integer beyond 2**53 is the nearest float. A
missing value is empty, ``null``, or null.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias

from autolog import events
from autolog.store import series
from autolog.store.entries import flatten
from autolog.store.schema import STATS
from autolog.store.summary import iso

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from autolog.store.summary import RunSummary

__all__ = ["HISTORY", "Format", "export_history", "export_runs", "history", "run_records", "uniform"]

Format: TypeAlias = Literal["csv", "json", "parquet"]
HISTORY = ("run", "metric", "step", "epoch", "time", "value", "child")
"""Columns of the history; ``time`` in seconds since the epoch, ``child`` empty for the run's own points."""
_ROWS = 1 << 16


def run_records(rows: Iterable[RunSummary]) -> list[dict[str, Any]]:
    """One flat dictionary a run, all with the same keys.

    ``id, name, project, status, started_at, ended_at, duration, parent, tags, note, archived``, ``fields.*``, then
    ``params.*``, ``args.*`` and for each metric ``metrics.X`` (the last value), ``.min``, ``.max``, ``.count``,
    ``.last_step``, ``.last_epoch``.
    """
    records = [_record(run) for run in rows]
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
        top = run.kind == "run"
        run_id = run.directory.rpartition("/")[2]
        for child, metric, step, epoch, time, value in series.points(run.directory, metrics):
            if top or child == run.id:
                yield run_id, metric, step, epoch, time, value, child


def export_runs(rows: Iterable[RunSummary], format: Format, file: IO[bytes]) -> None:  # noqa: A002  (the option's name)
    """Write the table of runs (:func:`run_records`) to a file opened for bytes."""
    records = run_records(rows)
    names = list(records[0]) if records else ["id", "name", "project", "status"]
    if format == "parquet":
        _parquet_runs(uniform(records), names, file)
    else:
        _write_rows((tuple(record.values()) for record in records), names, format, file)


def export_history(
    runs: Iterable[RunSummary],
    format: Format,  # noqa: A002  (the option's name)
    file: IO[bytes],
    metrics: Collection[str] | None = None,
) -> None:
    """Write every point of the runs (:func:`history`) to a file opened for bytes, as it is read: nothing is kept."""
    points = history(runs, metrics)
    if format == "parquet":
        _parquet_history(points, file)
    else:
        _write_rows(points, HISTORY, format, file)


def uniform(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records with one type a column: numbers stay numbers; a column of several types becomes text, lists JSON."""
    if not records:
        return []
    columns = {name: _uniform_column([record[name] for record in records]) for name in records[0]}
    return [{name: column[place] for name, column in columns.items()} for place in range(len(records))]


def _record(run: RunSummary) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": run.id,
        "name": run.name,
        "project": run.project,
        "status": run.status,
        "started_at": iso(run.started_at),
        "ended_at": iso(run.ended_at),
        "duration": run.duration,
        "parent": run.parent,
        "tags": run.tags,
        "note": run.note,
        "archived": run.archived,
    }
    record |= flatten(run.fields, "fields")
    record |= flatten(run.params, "params")
    record |= flatten({name: entry.get("value") for name, entry in run.args.items()}, "args")
    for name, metric in run.metrics.items():
        record[f"metrics.{name}"] = metric.last
        record |= {f"metrics.{name}.{stat}": getattr(metric, stat) for stat in STATS[1:]}
    return record


def _uniform_column(values: list[Any]) -> list[Any]:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and all(not isinstance(value, int) or abs(value) < 2**53 for value in values):
        return [float(value) if float in kinds and value is not None else value for value in values]
    return values if kinds in ({bool}, {str}) else [None if value is None else _text(value) for value in values]


def _text(value: Any) -> str:
    """A value in a cell of CSV."""
    if value is None:
        return ""
    if isinstance(value, float):
        written = events.to_wire(value)
        return written if isinstance(written, str) else repr(written)
    return str(value) if isinstance(value, (str, int)) else events.encode(value).decode()


def _write_rows(rows: Iterable[Sequence[Any]], names: Sequence[str], format: Format, file: IO[bytes]) -> None:  # noqa: A002  (the option's name)
    if format == "csv":
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=False)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_text(value) for value in row] for row in rows)
        text.flush()
        text.detach()
        return
    separator = b"[\n"
    for row in rows:
        file.write(separator + events.encode(dict(zip(names, map(_json, row), strict=True))))
        separator = b",\n"
    file.write(b"[]\n" if separator == b"[\n" else b"\n]\n")


def _double(value: float | None) -> float | None:
    try:
        return None if value is None else float(value)
    except OverflowError:  # an integer beyond every float
        return math.inf if value is not None and value > 0 else -math.inf


def _json(value: Any) -> Any:
    return events.to_wire(value) if isinstance(value, float) else value


def _parquet_runs(records: list[dict[str, Any]], names: Sequence[str], file: IO[bytes]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: [record[name] for record in records] for name in names}
    pq.write_table(pa.table(columns), file)


def _parquet_history(points: Iterator[tuple[Any, ...]], file: IO[bytes]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = ("run", "metric", "child")
    schema = pa.schema([(name, pa.string() if name in texts else pa.float64()) for name in HISTORY])
    with pq.ParquetWriter(file, schema) as writer:
        while rows := list(itertools.islice(points, _ROWS)):
            columns = zip(*rows, strict=True)
            arrays = [
                pa.array(column if field.name in texts else map(_double, column), field.type)
                for column, field in zip(columns, schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
