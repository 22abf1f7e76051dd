"""The order of runs by any column, in SQL: by value, then NaN, then those without one; equal ones newest first."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import sqlalchemy as sa

from autolog.server import tables
from autolog.server.errors import ApiError
from autolog.store import columns
from autolog.store.schema import STATS

__all__ = ["metric_stat", "newest", "ordered"]

_RUNS = tables.INDEX["runs"].c
_TEXTS = {"id", "name", "status", "note", "parent"}
_NUMBERS = {"started_at", "ended_at", "archived"}


class _Column(NamedTuple):
    """What runs are sorted by: a number, or where there is none a text; ``nan``: it is there and no number."""

    number: Any = None
    text: Any = None
    nan: Any = None
    table: Any = None
    """Where it is found, if not among the runs, and for which of its rows."""
    where: Any = None


def newest() -> tuple[Any, ...]:
    """The newest run first."""
    return _RUNS.started_at.desc(), _RUNS.run.desc()


def ordered(connection: sa.Connection, condition: Any, sort: str) -> list[str]:
    """The ids of the runs for which a condition holds, by a column, ``-column``: highest first; empty: newest first.

    Raises:
        ApiError: 400: there can be no such column.
    """
    select = sa.select(_RUNS.run).where(condition)
    if sort:
        column, down = _column(sort.removeprefix("-")), sort.startswith("-")
        if column.table is not None:
            select = select.select_from(tables.INDEX["runs"].outerjoin(column.table, column.where))
        select = select.order_by(*_order(column, down=down, postgres=connection.dialect.name == "postgresql"))
    return list(connection.execute(select.order_by(*newest())).scalars())


def _order(column: _Column, *, down: bool, postgres: bool) -> list[Any]:
    numbers, texts = (1, 0) if down else (0, 1)
    ranks, values = [], []
    if column.number is not None:
        ranks.append((column.number.is_not(None), numbers))
        values.append(column.number)
    if column.text is not None:
        ranks.append((column.text.is_not(None), texts))
        values.append(column.text.collate("C" if postgres else "BINARY"))
    if column.nan is not None:
        ranks.append((column.nan, 2))
    return [sa.case(*ranks, else_=3), *(value.desc() if down else value for value in values)]


def _column(column: str) -> _Column:
    name = columns.PLAIN.get(column, column)
    if name in _TEXTS:
        return _Column(text=_RUNS[name])
    if name in _NUMBERS:
        return _Column(_RUNS[name])
    if name == "duration":
        duration = sa.func.coalesce(_RUNS.ended_at, time.time()) - _RUNS.started_at
        return _Column(duration)
    group, _, rest = column.partition(".")
    if group == "metrics" and rest:
        metric, stat = metric_stat(rest)
        table = tables.INDEX["metrics"].alias()
        number = table.c[stat]
        nan = sa.and_(table.c.count.is_not(None), number.is_(None))
        return _Column(number, None, nan, table, _of_run(table, table.c.name == metric))
    if group in columns.GROUPS and rest:
        table = tables.INDEX["fields"].alias()
        fitting = sa.and_(table.c.kind == group, table.c.name == rest)
        return _Column(table.c.number, table.c.text, None, table, _of_run(table, fitting))
    raise ApiError(400, "column", f"{column!r} is no column: name, status, metrics.loss, params.lr …", column=column)


def _of_run(table: Any, fitting: Any) -> Any:
    return sa.and_(table.c.project == _RUNS.project, table.c.run == _RUNS.run, table.c.child == "", fitting)


def metric_stat(name: str) -> tuple[str, str]:
    """``loss.min`` → ``loss`` and ``min``; without one, ``last``."""
    metric, _, stat = name.rpartition(".")
    return (metric, stat) if metric and stat in STATS else (name, "last")
