"""A parsed query → SQL, by SQLAlchemy, every value bound.

Each condition is two-valued: a comparison with what a run lacks is false, not NULL, so that ``not`` means not.
"""

from __future__ import annotations

import operator
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from autolog.store import conditions as q
from autolog.store import schema, words
from autolog.store.query import parse

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    Condition = sa.ColumnElement[bool]

__all__ = [
    "TABLES", "condition_of", "hides_archived", "hint", "names_of", "sqlite_text", "statement", "unknown_names",
]  # fmt: skip

_TYPES = {"TEXT": sa.Text, "REAL": sa.Double, "BLOB": sa.LargeBinary}
TABLES = {
    name: sa.Table(
        name,
        sa.MetaData(),
        *(sa.Column(column.name, _TYPES[column.type], primary_key=column.key) for column in columns),
        sqlite_with_rowid=columns[-1].type == "BLOB",  # as schema.create_statements() has it
    )
    for name, columns in schema.TABLES.items()
}
"""The tables of the index, for SQLAlchemy."""

_RUNS = TABLES["runs"].c
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


class _Value(NamedTuple):
    """An operand: as a number, as text (what it cannot be is ``None``), and whether the run has it."""

    number: Any
    text: Any
    there: Any
    table: sa.FromClause | None = None
    """Of what has rows of its own: the condition must hold in one row of this. Databases join that, which they cannot
    do with a value that is looked up for each run."""
    where: Any = None


def statement(query: str) -> tuple[str, dict[str, Any]]:
    """A query as a SELECT of ``project, run`` for SQLite, and its bound values.

    Raises:
        QueryError: the query cannot be understood.
    """
    return sqlite_text(condition_of(parse(query), now=time.time()))


def sqlite_text(condition: Condition) -> tuple[str, dict[str, Any]]:
    """The runs for which a condition holds, as SQL text for SQLite, and the bound values."""
    select = sa.select(_RUNS.project, _RUNS.run).where(condition)
    compiled = select.compile(dialect=sqlite.dialect(paramstyle="named"), compile_kwargs={"render_postcompile": True})
    return str(compiled), dict(compiled.params)


def unknown_names(query: str, connection: sqlite3.Connection) -> list[str]:
    """For each name in the query that no run has: a sentence with the nearest one that some run has."""
    found = [hint(group, name, _known_names(group, connection)) for group, name in names_of(query)]
    return [text for text in found if text]


def condition_of(node: q.Node, *, now: float) -> Condition:
    """The condition on ``runs`` for a tree; ``now`` is the present that ``age`` is counted from."""
    if isinstance(node, (q.All, q.AnyOf)):
        join = sa.and_ if isinstance(node, q.All) else sa.or_
        return join(*(condition_of(part, now=now) for part in node.nodes))
    if isinstance(node, q.Negation):
        return sa.not_(condition_of(node.node, now=now))
    if isinstance(node, q.Compare):
        return _compare(node, now)
    if isinstance(node, q.Contains):
        return _contains(node, now)
    return _about_field(node, _value(node.field, now))


def _about_field(node: q.IsNone | q.Match | q.Truth, value: _Value) -> Condition:
    if isinstance(node, q.IsNone):
        return sa.not_(_in_row(value, value.there))
    if isinstance(node, q.Match):
        text = value.text if value.text is not None else sa.literal("")
        return _in_row(value, _false(text.like(_like(node.pattern), escape="\\")))
    if node.nan:
        return _in_row(value, sa.and_(value.there, value.number.is_(None)))
    return _truth(node.field, value)


def _compare(node: q.Compare, now: float) -> Condition:
    left, right = _value(node.left, now), _value(node.right, now)
    compare = _OPERATORS["==" if node.op == "!=" else node.op]
    kinds: list[Condition] = []
    if left.number is not None and right.number is not None:
        kinds.append(_false(compare(left.number, right.number)))
    if left.text is not None and right.text is not None:
        as_text = compare(left.text, right.text)
        # Two values of a run are compared as text only where one of them is no number.
        both = [side.number.is_(None) for side in (left, right) if side.number is not None]
        kinds.append(_false(sa.and_(sa.or_(*both), as_text)) if len(both) == 2 else _false(as_text))
    found = sa.or_(*kinds) if kinds else sa.false()
    if node.op == "!=":
        found = sa.and_(left.there, right.there, sa.not_(found))
    return _in_row(left, _in_row(right, found))


def _contains(node: q.Contains, now: float) -> Condition:
    if node.field.name == "tags" and node.field.group == "run":
        return _tagged(TABLES["tags"].c.tag == node.text)
    value = _value(node.field, now)
    return _in_row(value, _false(value.text.contains(node.text, autoescape=True)))


def _truth(field: q.Field, value: _Value) -> Condition:
    """A bare field: there, not zero, not empty, not false."""
    if field.group == "run" and field.name == "tags":
        return value.there  # type: ignore[no-any-return]  # of SQLAlchemy
    parts = [value.there]
    if value.number is not None:
        parts.append(sa.func.coalesce(value.number, 1.0) != 0.0)
    if value.text is not None:
        parts.append(value.text != "")
    return _in_row(value, _false(sa.and_(*parts)))


def _value(operand: q.Operand, now: float) -> _Value:
    if isinstance(operand, q.Literal):
        if isinstance(operand.value, str):
            return _Value(None, sa.literal(operand.value, sa.Text), sa.true())
        return _Value(sa.literal(float(operand.value), sa.Double), None, sa.true())
    if operand.group == "run":
        return _run_value(operand.name, now)
    return _entry_value(operand)


def _entry_value(operand: q.Field) -> _Value:
    """What the index keeps in rows of their own: metrics, parameters, arguments, facts; of the run or of any child."""
    group = operand.group.removeprefix("children.")
    table = TABLES["metrics" if group == "metrics" else "fields"].alias()
    whose = table.c.child == "" if operand.group == group else table.c.child != ""
    mine = [table.c.project == _RUNS.project, table.c.run == _RUNS.run, whose, table.c.name == operand.name]
    if group == "metrics":
        there = sa.and_(*_known_stat(table, operand.stat))
        return _Value(table.c[operand.stat], None, there, table, sa.and_(*mine))
    there = table.c.text.is_not(None)
    return _Value(table.c.number, table.c.text, there, table, sa.and_(*mine, table.c.kind == group))


def _known_stat(table: sa.FromClause, stat: str) -> list[Any]:
    """``last`` without a number is NaN and there; the others are unknown then."""
    return [sa.true()] if stat == "last" else [table.c[stat].is_not(None)]


def _run_value(name: str, now: float) -> _Value:
    if name == "tags":
        return _Value(None, None, _tagged())
    if name == "age":
        return _Value(sa.literal(now) - _RUNS.started_at, None, sa.true())
    if name == "duration":
        ended = sa.func.coalesce(_RUNS.ended_at, now)
        return _Value(ended - _RUNS.started_at, None, sa.true())
    column = _RUNS["project_name" if name == "project" else name]
    if name == "archived":
        return _Value(column, None, sa.true())
    if name in words.TIMES:
        return _Value(column, None, column.is_not(None))
    there = column != "" if name == "note" else column.is_not(None)
    return _Value(None, column, there)


def _in_row(value: _Value, condition: Any) -> Condition:
    if value.table is None:
        return condition  # type: ignore[no-any-return]  # of SQLAlchemy
    return _exists(value.table, value.where, condition)


def _tagged(*conditions: Any) -> Condition:
    tags = TABLES["tags"]
    return _exists(tags, tags.c.project == _RUNS.project, tags.c.run == _RUNS.run, *conditions)


# Everything but its own table belongs to the query around it.


def _exists(table: sa.FromClause, *conditions: Any) -> Condition:
    return sa.exists(sa.select(sa.literal(1)).select_from(table).where(*conditions).correlate_except(table))


def _false(condition: Any) -> Condition:
    """NULL is false."""
    return sa.func.coalesce(condition, sa.false())


def _like(pattern: str) -> str:
    """A pattern of ``*`` and ``?`` for LIKE; a backslash takes the next sign as it is."""
    parts, escaped = [], False
    for sign in pattern:
        if escaped or sign not in "\\*?":
            parts.append("\\" + sign if sign in "%_\\" else sign)
            escaped = False
        elif sign == "\\":
            escaped = True
        else:
            parts.append("%" if sign == "*" else "_")
    return "".join(parts)


def _fields(node: Any) -> list[q.Field]:
    if isinstance(node, q.Field):
        return [node]
    return [field for part in node for field in _fields(part)] if isinstance(node, tuple) else []


def hides_archived(query: str) -> bool:
    """Whether archived runs are left out of what a query finds: unless it says itself what it wants of them.

    Raises:
        QueryError: the query cannot be understood.
    """
    return not query.strip() or q.Field("run", "archived") not in _fields(parse(query))


def names_of(query: str) -> list[tuple[str, str]]:
    """The names in a query that a run may lack, as group and name.

    Raises:
        QueryError: the query cannot be understood.
    """
    fields = [(field.group.removeprefix("children."), field.name) for field in _fields(parse(query))]
    return [(group, name) for group, name in fields if group != "run"]


def hint(group: str, name: str, known: Sequence[str]) -> str:
    """Says that no run has a name, and which one is near; empty where some run has it."""
    return "" if name in known else f"no run has {group}.{name}{words.nearest(name, list(known))}"


def _known_names(group: str, connection: sqlite3.Connection) -> list[str]:
    table, kind = ("metrics", None) if group == "metrics" else ("fields", group)
    names = f"SELECT DISTINCT name FROM {table}" + (" WHERE kind = :kind" if kind else "")  # noqa: S608  (our own names)
    return [name for (name,) in connection.execute(names, {"kind": kind} if kind else {})]
