"""The order of runs by any column, in SQL: by value, then NaN, then those without one; equal ones newest first."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import sqlalchemy as sa

from autolog.server import tables
from autolog.server.errors import ApiError
from autolog.store import columns
from autolog.store.schema import STATS

__all__ = ["Page", "metric_stat", "newest", "ordered", "page"]

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


class Page(NamedTuple):
    """Some of the runs in their order."""

    runs: list[str]
    total: int
    """How many there are on all pages."""
    more: bool
    """Others follow."""


def newest() -> tuple[Any, ...]:
    """The newest run first."""
    return _RUNS.started_at.desc(), _RUNS.run.desc()


def ordered(connection: sa.Connection, condition: Any, sort: str) -> list[str]:
    """The ids of the runs for which a condition holds, by a column, ``-column``: highest first; empty: newest first.

    Raises:
        ApiError: 400: there can be no such column.
    """
    if not sort:
        return list(connection.execute(sa.select(_RUNS.run).where(condition).order_by(*newest())).scalars())
    keys, source = _keys(sort, postgres=connection.dialect.name == "postgresql")
    order = [key.desc() if down else key for key, down in keys]
    return list(
        connection.execute(sa.select(_RUNS.run).select_from(source).where(condition).order_by(*order)).scalars()
    )


def page(  # noqa: PLR0917  what, in which order, which part
    connection: sa.Connection, condition: Any, sort: str, limit: int, mine: Any = None, place: int = 0
) -> Page:  # fmt: skip
    """A part of :func:`ordered`; the database returns no more than that.

    Args:
        connection: to the database.
        condition: holds for the runs that are meant.
        sort: a column.
        limit: at most so many.
        mine: holds for the run that the part comes after, wherever that stands now; none: it is the first.
        place: how many came before, should that run be gone.

    Raises:
        ApiError: 400: there can be no such column.
    """
    keys, source = _keys(sort, postgres=connection.dialect.name == "postgresql")
    labelled = [key.label(f"key{number}") for number, (key, _) in enumerate(keys)]
    # Named twice below, so that both databases make it once: what a query costs is paid once.
    found = sa.select(_RUNS.run, *labelled).select_from(source).where(condition).cte("found")
    made = [(found.c[f"key{number}"], down) for number, (_, down) in enumerate(keys)]
    total = sa.select(sa.func.count()).select_from(found).scalar_subquery()
    select = sa.select(found.c.run, total).order_by(*(key.desc() if down else key for key, down in made))
    if mine is not None:
        known = connection.execute(sa.select(*labelled).select_from(source).where(mine)).first()
        # It was removed, and those behind it have moved up.
        select = select.where(_after(made, known)) if known is not None else select.offset(max(0, place - 1))
    rows = connection.execute(select.limit(limit + 1)).all()
    if not rows and mine is not None:
        counted = connection.execute(sa.select(sa.func.count()).select_from(tables.INDEX["runs"]).where(condition))
        return Page([], counted.scalar_one(), more=False)
    return Page([row[0] for row in rows[:limit]], rows[0][1] if rows else 0, more=len(rows) > limit)


def _after(keys: list[tuple[Any, bool]], values: Any) -> Any:
    """The rows behind the one that has these values."""
    found: list[Any] = []
    same: list[Any] = []
    for (key, down), value in zip(keys, values, strict=True):
        if value is not None:  # else so it is in all rows of its rank
            found.append(sa.and_(*same, key < value if down else key > value))
            same.append(key == value)
    return sa.or_(*found)


def _keys(sort: str, *, postgres: bool) -> tuple[list[tuple[Any, bool]], Any]:
    """What decides the order, each with whether the highest comes first; and the table with all of that."""
    column, down = _column(sort.removeprefix("-")), sort.startswith("-")
    numbers, texts = (1, 0) if down else (0, 1)
    ranks, values = [], []
    if column.number is not None:
        ranks.append((column.number.is_not(None), numbers))
        values.append((column.number, down))
    if column.text is not None:
        ranks.append((column.text.is_not(None), texts))
        values.append((column.text.collate("C" if postgres else "BINARY"), down))
    if column.nan is not None:
        ranks.append((column.nan, 2))
    source: Any = tables.INDEX["runs"]
    if column.table is not None:
        source = source.outerjoin(column.table, column.where)
    return [(sa.case(*ranks, else_=3), False), *values, (_RUNS.started_at, True), (_RUNS.run, True)], source


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
