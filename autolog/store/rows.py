"""``autolog.runs(...)``: runs as rows, pandas, polars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from autolog.store import columns, entries, index, layout
from autolog.store.pause import collector_paused
from autolog.store.summary import descendants

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from autolog.store.summary import RunSummary

__all__ = ["Runs", "runs"]


class Runs(Sequence["RunSummary"]):
    """Runs in their order: a sequence of :class:`~autolog.store.RunSummary`, without facts as long as ``packages``."""

    def __init__(self, rows: Sequence[RunSummary], total: int, hints: Sequence[str] = ()) -> None:
        self._rows = list(rows)
        self.total = total
        """How many there are without the limit."""
        self.hints = list(hints)
        """What a person should know: runs that cannot be read; names in a query that no run has."""

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> RunSummary: ...
    @overload
    def __getitem__(self, place: slice) -> Runs: ...
    def __getitem__(self, place: int | slice) -> RunSummary | Runs:
        if isinstance(place, slice):
            return Runs(self._rows[place], self.total, self.hints)
        return self._rows[place]

    def __repr__(self) -> str:
        listed = "".join(f"\n  {run.id}  {run.name}  {run.status}" for run in self._rows[:10])
        more = "\n  …" if len(self) > 10 else ""
        return f"<{len(self)} of {self.total} runs>{listed}{more}"

    def to_dicts(self) -> list[dict[str, Any]]:
        """The runs as plain JSON data, as ``autolog ls --json`` prints them."""
        return [run.to_dict() for run in self._rows]

    def to_records(self) -> list[dict[str, Any]]:
        """One flat dictionary a run: ``id``, ``name``, …, ``params.lr``, ``args.lr``, ``metrics.loss`` (its last),
        ``metrics.loss.min``, ``metrics.loss.max``. Every one has the same keys; missing values are ``None``.
        """
        from autolog.store.export import run_records

        return run_records(self._rows)

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame`` of :meth:`to_records`; times are timestamps in UTC.

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas as pd

        frame = pd.DataFrame(self.to_records())
        for name in ("started_at", "ended_at"):
            if name in frame:
                frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
        return frame

    def to_polars(self) -> Any:
        """A ``polars.DataFrame`` of :meth:`to_records`; times are timestamps in UTC. Columns of mixed types are texts.

        Raises:
            ImportError: polars is not installed.
        """
        import polars as pl

        from autolog.store.export import uniform

        records = self.to_records()
        frame = pl.DataFrame(uniform(records), infer_schema_length=None)
        times = [name for name in ("started_at", "ended_at") if name in frame.columns]
        return frame.with_columns(pl.col(times).cast(pl.String).str.to_datetime(time_zone="UTC")) if times else frame


def runs(
    where: str | None = None,
    sort: str | None = None,
    limit: int | None = None,
    project: str | None = None,
    dir: str | Path | None = None,  # noqa: A002  (the setting's name)
    *,
    archived: bool = False,
) -> Runs:
    """Runs for which a query holds.

    Args:
        where: A query, such as ``"metrics.val_loss < 0.3 and params.lr >= 1e-3 or 'baseline' in tags"``.
        sort: A column, such as ``metrics.val_loss``; ``-column``: highest first. Default: newest first.
        limit: At most so many.
        project: Only runs of this project.
        dir: The runs directory; default: as the settings say.
        archived: Archived runs as well; they are left out unless this or the query asks for them.

    Raises:
        QueryError: the query cannot be understood; the message points at the place.
        UnknownColumn: no run has the column to sort by.
    """
    root = layout.root_directory(dir)
    with collector_paused():
        problems: list[str] = []
        connection = index.open_index(root, problems)
        try:
            rows, total, hints = _select(
                connection, (where or "").strip(), project or "", None if sort else limit, archived=archived
            )
        finally:
            connection.close()
        found = [_row(root, *row) for row in rows]
    return Runs(columns.sorted_runs(found, sort)[:limit] if sort else found, total, [*problems, *hints])


def _select(
    connection: sqlite3.Connection, where: str, project: str, limit: int | None, *, archived: bool
) -> tuple[list[tuple[str, str, bytes]], int, list[str]]:
    """Rows of the index, how many there are without the limit, and hints where there are none."""
    hints: list[str] = []
    source, values = "FROM runs WHERE :_project IN (project_name, project, '')", {"_project": project}
    if not archived and (not where or _hides_archived(where)):
        source = f"{source} AND archived = 0"
    if where:
        from autolog.store import search

        found, bound = search.statement(where)
        source, values = f"{source} AND (project, run) IN ({found})", values | bound
    chosen = f"SELECT project, run, row {source} ORDER BY started_at DESC, run DESC"
    rows = connection.execute(chosen if limit is None else f"{chosen} LIMIT {int(limit)}", values).fetchall()
    if where and not rows:
        hints = search.unknown_names(where, connection)
    return rows, len(rows) if limit is None else _count(connection, source, values), hints


def _hides_archived(where: str) -> bool:
    from autolog.store import search

    return search.hides_archived(where)


def _count(connection: sqlite3.Connection, source: str, values: dict[str, Any]) -> int:
    return int(connection.execute(f"SELECT count(*) {source}", values).fetchone()[0])


def _row(root: Path, project: str, run: str, data: bytes) -> RunSummary:
    summary = entries.load_row(data)
    for one in descendants(summary):
        one.directory = str(root / project / run)  # the root may have been moved since it was indexed
    return summary
