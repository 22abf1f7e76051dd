"""Runs of a project: filtered by the query language, sorted by any column, page by page."""

from __future__ import annotations

import base64
import bisect
import math
import time
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa

from autolog import events
from autolog.server import tables
from autolog.server.errors import ApiError
from autolog.server.index.rows import as_indexed
from autolog.server.runs import sorting
from autolog.server.shapes import RunItem, RunList
from autolog.store import columns, search
from autolog.store.query import QueryError, parse

__all__ = ["MOST", "column_names", "condition_of", "page"]

MOST = 1000
"""Most runs of one page."""
_RUNS = tables.INDEX["runs"].c
_FIELDS = tables.INDEX["fields"].c
_METRICS = tables.INDEX["metrics"].c
_TAGS = tables.INDEX["tags"].c
_SHOWN = sa.select(
    _RUNS.project, _RUNS.run, _RUNS.name, _RUNS.status, _RUNS.started_at, _RUNS.ended_at, _RUNS.note, _RUNS.archived
)


class _Cursor(msgspec.Struct, array_like=True):
    """Where a page ended: the run, its start where runs are listed by that, and how many came before the next one."""

    run: str
    started_at: float
    place: Annotated[int, msgspec.Meta(ge=0, le=2**53)]


def page(
    connection: sa.Connection, projects: Sequence[str], *, where: str = "", sort: str = "", limit: int = 100,
    cursor: str = "", wanted: Sequence[str] = (), archived: bool = False,
    only: str | None = None,
) -> RunList:  # fmt: skip
    """One page of the runs of some projects.

    Args:
        connection: to the database.
        projects: which.
        where: a query; empty: all.
        sort: a column, ``-column``: highest first; empty: newest first. Runs without a value come last.
        limit: at most so many.
        cursor: of the page before.
        wanted: columns whose values are told, such as ``metrics.loss``, ``metrics.loss.min``, ``params.lr``.
        archived: archived runs as well; they are left out unless this or the query asks for them.
        only: the only run that may be shown, if it is one.

    Raises:
        ApiError: 400: the query, the column or the cursor is none.
    """
    condition = condition_of(projects, where, archived=archived)
    if only is not None:
        condition &= _RUNS.run == only
    known = _unpacked(cursor) if cursor else None
    place = (known.place if known is not None else 0) + limit
    if sort:
        mine = None if known is None else _RUNS.project.in_(list(projects)) & (_RUNS.run == known.run)
        found = sorting.page(connection, condition, sort, limit, mine, known.place if known is not None else 0)
        last = _Cursor(found.runs[-1], 0.0, place) if found.more else None
    else:
        found, last = _newest(connection, condition, limit, known)
    return RunList(
        runs=_items(connection, projects, found.runs, wanted),
        total=found.total,
        cursor=_packed(last) if last is not None else None,
        hints=[] if found.total or not where.strip() else _hints(connection, projects, where, only),
    )


def _newest(
    connection: sa.Connection, condition: Any, limit: int, known: _Cursor | None
) -> tuple[sorting.Page, _Cursor | None]:
    """The newest first: an index has them in this order, so that few of them are looked at."""
    total = connection.execute(
        sa.select(sa.func.count()).select_from(tables.INDEX["runs"]).where(condition)
    ).scalar_one()
    select = sa.select(_RUNS.run, _RUNS.started_at).where(condition).order_by(*sorting.newest()).limit(limit + 1)
    if known is not None:
        select = select.where(sa.tuple_(_RUNS.started_at, _RUNS.run) < sa.tuple_(known.started_at, known.run))
    rows = connection.execute(select).all()
    more = len(rows) > limit
    last = _Cursor(rows[limit - 1].run, rows[limit - 1].started_at, 1) if more else None
    return sorting.Page([row.run for row in rows[:limit]], total, more), last


def condition_of(projects: Sequence[str], where: str, *, archived: bool = False) -> Any:
    """The condition on the index's ``runs`` for a query; the arguments are those of :func:`page`.

    Raises:
        ApiError: 400: the query cannot be understood.
    """
    condition: Any = _RUNS.project.in_(list(projects))
    try:
        if not archived and search.hides_archived(where):
            condition &= _RUNS.archived == 0
        if where.strip():
            condition &= search.condition_of(as_indexed(parse(where)), now=time.time())
        return condition
    except QueryError as error:
        raise ApiError(400, "query", str(error), position=error.position, problem=error.problem) from None


def _hints(connection: sa.Connection, projects: Sequence[str], where: str, only: str | None) -> list[str]:
    """For each name in a query that finds nothing, and that no run has: a sentence with the nearest one."""
    names = column_names(connection, projects, only)
    return [hint for group, name in search.names_of(where) if (hint := search.hint(group, name, names.get(group, [])))]


def _packed(cursor: _Cursor) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def _unpacked(text: str) -> _Cursor:
    try:
        known = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Cursor)
    except (ValueError, msgspec.DecodeError):
        known = None
    if known is None or not known.run.isprintable():
        raise ApiError(400, "cursor", "this cursor is not one that the server has given")
    return known


# -- what is shown of each ---------------------------------------------------------------------------------------------


def _items(
    connection: sa.Connection, projects: Sequence[str], runs: Sequence[str], wanted: Sequence[str]
) -> list[RunItem]:
    if not runs:
        return []
    items = {
        row.run: RunItem(
            id=row.run, name=row.name, project=row.project, status=row.status, started_at=row.started_at,
            ended_at=row.ended_at, tags=[], note=row.note or "", archived=bool(row.archived), values={},
        )
        for row in connection.execute(_SHOWN.where(_of(_RUNS, projects, runs)))
    }  # fmt: skip
    for run, tag in connection.execute(sa.select(_TAGS.run, _TAGS.tag).where(_of(_TAGS, projects, runs))):
        if run in items:
            bisect.insort(items[run].tags, tag)  # both databases in one order
    _fill_metrics(connection, projects, items, wanted)
    _fill_fields(connection, projects, items, wanted)
    return [items[run] for run in runs if run in items]


def _of(table: Any, projects: Sequence[str], runs: Iterable[str]) -> Any:
    """Rows of some runs. With the project, which every key begins with: else all rows would be looked at."""
    return table.project.in_(list(projects)) & table.run.in_(list(runs))


def _fill_metrics(
    connection: sa.Connection, projects: Sequence[str], items: dict[str, RunItem], wanted: Sequence[str]
) -> None:
    by_name: dict[str, list[tuple[str, str]]] = {}
    for column in wanted:
        if column.startswith("metrics."):
            metric, stat = sorting.metric_stat(column.removeprefix("metrics."))
            by_name.setdefault(metric, []).append((column, stat))
    if not by_name or not items:
        return
    select = sa.select(tables.INDEX["metrics"]).where(
        _of(_METRICS, projects, items), _METRICS.child == "", _METRICS.name.in_(list(by_name))
    )
    for row in connection.execute(select).mappings():
        for column, stat in by_name[row["name"]]:
            value = row[stat]
            items[row["run"]].values[column] = "NaN" if value is None and stat == "last" else _wire(value)


def _fill_fields(
    connection: sa.Connection, projects: Sequence[str], items: dict[str, RunItem], wanted: Sequence[str]
) -> None:
    names: dict[tuple[str, str], str] = {}
    for column in wanted:
        group, _, name = column.partition(".")
        if group in columns.GROUPS and group != "metrics" and name:
            names[group, name] = column
    if not names or not items:
        return
    select = sa.select(_FIELDS.run, _FIELDS.kind, _FIELDS.name, _FIELDS.number, _FIELDS.text).where(
        _of(_FIELDS, projects, items),
        _FIELDS.child == "",
        _FIELDS.kind.in_(sorted({kind for kind, _ in names})),
        _FIELDS.name.in_([name for _, name in names]),
    )
    for run, kind, name, number, text in connection.execute(select):
        if (kind, name) in names:
            items[run].values[names[kind, name]] = _wire(number) if number is not None else text


def _wire(value: float | None) -> Any:
    if value is None:
        return None
    whole = int(value) if math.isfinite(value) and value.is_integer() and abs(value) < 2**53 else value
    return events.to_wire(whole)


def column_names(connection: sa.Connection, projects: Sequence[str], only: str | None = None) -> dict[str, list[str]]:
    """Every name that can be a column, by group; of all runs of some projects, or of the only one that may be shown."""
    found: dict[str, list[str]] = {group: [] for group in columns.GROUPS}
    mine = _METRICS.project.in_(list(projects)) & (_METRICS.child == "")
    if only is not None:
        mine &= _METRICS.run == only
    found["metrics"] = sorted(connection.execute(sa.select(_METRICS.name).where(mine).distinct()).scalars())
    mine = _FIELDS.project.in_(list(projects)) & (_FIELDS.child == "")
    if only is not None:
        mine &= _FIELDS.run == only
    for kind, name in connection.execute(sa.select(_FIELDS.kind, _FIELDS.name).where(mine).distinct()):
        found.setdefault(kind, []).append(name)
    return {group: sorted(names) for group, names in found.items()}
