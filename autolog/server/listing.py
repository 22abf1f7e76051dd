"""Runs of a project: filtered by the query language, sorted by any column, page by page."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from autolog import events
from autolog.server import tables
from autolog.server.errors import ApiError
from autolog.server.index_rows import as_indexed
from autolog.server.shapes import RunItem, RunList
from autolog.store import columns, search
from autolog.store.query import QueryError, parse
from autolog.store.schema import STATS

__all__ = ["MOST", "column_names", "condition_of", "ordered", "page"]

MOST = 1000
"""Most runs of one page."""
_RUNS = tables.INDEX["runs"].c
_FIELDS = tables.INDEX["fields"].c
_METRICS = tables.INDEX["metrics"].c
_PLAIN = {"id", "name", "status", "note", "started_at", "ended_at", "parent", "archived"}
_NUMBERS = {"started_at", "ended_at", "archived"}


class _Cursor(msgspec.Struct, array_like=True):
    """Where a page ended: the run, its start, and how many runs came before it."""

    run: str
    started_at: float
    place: int


class _Key(NamedTuple):
    run: str
    started_at: float
    value: Any


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
    keys = _sorted(_keys(connection, condition, sort.removeprefix("-")), sort)
    first = _after(keys, cursor) if cursor else 0
    shown = keys[first : first + limit]
    more = first + limit < len(keys)
    last = shown[-1] if shown else None
    return RunList(
        runs=_items(connection, projects, [key.run for key in shown], wanted),
        total=len(keys),
        cursor=_packed(_Cursor(last.run, last.started_at, first + limit)) if more and last else None,
        hints=[] if keys or not where.strip() else _hints(connection, projects, where, only),
    )


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


def ordered(connection: sa.Connection, condition: Any, sort: str = "") -> list[str]:
    """The ids of all runs for which a condition (:func:`condition_of`) holds; see :func:`page`."""
    return [key.run for key in _sorted(_keys(connection, condition, sort.removeprefix("-")), sort)]


def _hints(connection: sa.Connection, projects: Sequence[str], where: str, only: str | None) -> list[str]:
    """For each name in a query that finds nothing, and that no run has: a sentence with the nearest one."""
    names = column_names(connection, projects, only)
    return [hint for group, name in search.names_of(where) if (hint := search.hint(group, name, names.get(group, [])))]


def _keys(connection: sa.Connection, condition: Any, column: str) -> list[_Key]:
    """The runs that fit, newest first, each with the value it is sorted by."""
    number, text = _sort_values(column) if column else (sa.null(), sa.null())
    select = sa.select(
        _RUNS.run, _RUNS.started_at, number.label("number"), text.label("text"), _is_nan(column).label("nan")
    )
    rows = connection.execute(select.where(condition).order_by(_RUNS.started_at.desc(), _RUNS.run.desc()))
    return [
        _Key(run, started, math.nan if nan else text if number is None else number)
        for run, started, number, text, nan in rows
    ]


def _sort_values(column: str) -> tuple[Any, Any]:
    """What a column is sorted by: a number, or where there is none a text."""
    name = columns.PLAIN.get(column, column)
    if name in _PLAIN:
        return (_RUNS[name], sa.null()) if name in _NUMBERS else (sa.null(), _RUNS[name])
    if name == "duration":
        return sa.func.coalesce(_RUNS.ended_at, time.time()) - _RUNS.started_at, sa.null()
    group, _, rest = column.partition(".")
    if group == "metrics" and rest:
        metric, stat = _metric(rest)
        return _only(tables.INDEX["metrics"], _METRICS.name == metric, _METRICS[stat]), sa.null()
    if group in columns.GROUPS and rest:
        fitting = (_FIELDS.kind == group) & (_FIELDS.name == rest)
        table = tables.INDEX["fields"]
        return _only(table, fitting, _FIELDS.number), _only(table, fitting, _FIELDS.text)
    raise ApiError(400, "column", f"{column!r} is no column: name, status, metrics.loss, params.lr …", column=column)


def _is_nan(column: str) -> Any:
    """Whether a metric is there without a number: its last value is NaN."""
    group, _, rest = column.partition(".")
    if group != "metrics" or not rest:
        return sa.false()
    metric, stat = _metric(rest)
    there = _only(tables.INDEX["metrics"], _METRICS.name == metric, _METRICS.count)
    return sa.and_(
        there.is_not(None), _only(tables.INDEX["metrics"], _METRICS.name == metric, _METRICS[stat]).is_(None)
    )


def _metric(name: str) -> tuple[str, str]:
    metric, _, stat = name.rpartition(".")
    return (metric, stat) if metric and stat in STATS else (name, "last")


def _only(table: sa.Table, fitting: Any, value: Any) -> Any:
    mine = (table.c.project == _RUNS.project) & (table.c.run == _RUNS.run) & (table.c.child == "")
    return sa.select(value).where(mine, fitting).correlate(tables.INDEX["runs"]).scalar_subquery()


def _sorted(keys: list[_Key], sort: str) -> list[_Key]:
    """By value; then NaN, then those without one. Equal ones stay newest first."""
    if not sort:
        return keys
    known = [key for key in keys if key.value is not None and key.value == key.value]
    nan = [key for key in keys if key.value is not None and key.value != key.value]
    known.sort(key=lambda key: _order(key.value), reverse=sort.startswith("-"))
    return [*known, *nan, *(key for key in keys if key.value is None)]


def _order(value: Any) -> tuple[int, Any]:
    """Numbers before texts."""
    return (1, value) if isinstance(value, str) else (0, value)


def _after(keys: list[_Key], cursor: str) -> int:
    """Where the next page begins: after the run the last one ended with, wherever that stands now."""
    known = _unpacked(cursor)
    for place, key in enumerate(keys):
        if key.run == known.run:
            return place + 1
    return known.place  # it was removed


def _packed(cursor: _Cursor) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def _unpacked(text: str) -> _Cursor:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Cursor)
    except (ValueError, msgspec.DecodeError):
        raise ApiError(400, "cursor", "this cursor is not one that the server has given") from None


# -- what is shown of each ---------------------------------------------------------------------------------------------


def _items(
    connection: sa.Connection, projects: Sequence[str], runs: Sequence[str], wanted: Sequence[str]
) -> list[RunItem]:
    chosen = (_RUNS.project.in_(list(projects))) & (_RUNS.run.in_(list(runs)))
    select = sa.select(
        _RUNS.project,
        _RUNS.run,
        _RUNS.name,
        _RUNS.status,
        _RUNS.started_at,
        _RUNS.ended_at,
        _RUNS.note,
        _RUNS.archived,
    )
    items = {
        row.run: RunItem(
            id=row.run, name=row.name, project=row.project, status=row.status, started_at=row.started_at,
            ended_at=row.ended_at, tags=[], note=row.note or "", archived=bool(row.archived), values={},
        )
        for row in connection.execute(select.where(chosen))
    }  # fmt: skip
    tags = tables.INDEX["tags"].c
    for run, tag in connection.execute(sa.select(tags.run, tags.tag).where(tags.run.in_(list(runs)))):
        if run in items:
            items[run].tags.append(tag)
    _fill_metrics(connection, items, wanted)
    _fill_fields(connection, items, wanted)
    return [items[run] for run in runs if run in items]


def _fill_metrics(connection: sa.Connection, items: dict[str, RunItem], wanted: Sequence[str]) -> None:
    by_name: dict[str, list[tuple[str, str]]] = {}
    for column in wanted:
        if column.startswith("metrics."):
            metric, stat = _metric(column.removeprefix("metrics."))
            by_name.setdefault(metric, []).append((column, stat))
    if not by_name or not items:
        return
    select = sa.select(tables.INDEX["metrics"]).where(
        _METRICS.run.in_(list(items)), _METRICS.child == "", _METRICS.name.in_(list(by_name))
    )
    for row in connection.execute(select).mappings():
        for column, stat in by_name[row["name"]]:
            value = row[stat]
            items[row["run"]].values[column] = "NaN" if value is None and stat == "last" else _wire(value)


def _fill_fields(connection: sa.Connection, items: dict[str, RunItem], wanted: Sequence[str]) -> None:
    names: dict[tuple[str, str], str] = {}
    for column in wanted:
        group, _, name = column.partition(".")
        if group in columns.GROUPS and group != "metrics" and name:
            names[group, name] = column
    if not names or not items:
        return
    select = sa.select(_FIELDS.run, _FIELDS.kind, _FIELDS.name, _FIELDS.number, _FIELDS.text).where(
        _FIELDS.run.in_(list(items)), _FIELDS.child == "", _FIELDS.name.in_([name for _, name in names])
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
