"""The tree of a query: what the parser makes and SQL is made of."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias, Union

__all__ = [
    "All", "AnyOf", "Compare", "Contains", "Field", "IsNone", "Literal", "Match", "Negation", "Node", "Operand",
    "Truth",
]  # fmt: skip


class Literal(NamedTuple):
    """A number, text or truth value written in the query."""

    value: float | str | bool


class Field(NamedTuple):
    """Something a run has. ``group`` is ``run`` for its own fields, ``children.metrics`` for any of its children."""

    group: str
    name: str
    stat: str = ""


Operand: TypeAlias = Union[Literal, Field]  # noqa: UP007  (read at run time by Python 3.10)


class Compare(NamedTuple):
    """``left op right``."""

    op: str
    left: Operand
    right: Operand


class Contains(NamedTuple):
    """A tag among the tags, or a text within a text."""

    text: str
    field: Field


class Match(NamedTuple):
    """A text field against a pattern of ``*`` and ``?``."""

    field: Field
    pattern: str


class IsNone(NamedTuple):
    """The run has no such value."""

    field: Field


class Truth(NamedTuple):
    """A bare field, or ``isnan(field)``."""

    field: Field
    nan: bool = False


class Negation(NamedTuple):
    """``not node``."""

    node: Node


class All(NamedTuple):
    """``and``."""

    nodes: tuple[Node, ...]


class AnyOf(NamedTuple):
    """``or``."""

    nodes: tuple[Node, ...]


Node: TypeAlias = Union[Compare, Contains, Match, IsNone, Truth, Negation, All, AnyOf]  # noqa: UP007  (the same)
