"""The query language: Python-like conditions on a run, parsed to a small tree, never evaluated.

    metrics.val_loss < 0.3 and params.lr >= 1e-3 or 'baseline' in tags
    0.1 < metrics['val/loss'].min <= 0.3 and status in ('completed', 'running')
    matches(name, 'resnet*') and not facts.git.branch == 'main' and age < '7d'

A metric means its last value; ``.min``, ``.max``, ``.count``, ``.last_step`` and ``.last_epoch`` may follow. With a
number a value is compared as a number (a text that reads as one counts), with a text as text. What a run does not
have compares false with everything, also by ``!=``; only ``is None`` is true of it. NaN compares as in Python.
docs/querying.md has the whole of it.
"""

from __future__ import annotations

import ast
import warnings
from typing import NoReturn

from autolog.store.conditions import (
    All,
    AnyOf,
    Compare,
    Contains,
    Field,
    IsNone,
    Literal,
    Match,
    Negation,
    Node,
    Operand,
    Truth,
)  # fmt: skip
from autolog.store.words import DURATIONS, RUN_FIELDS, STATUSES, TIMES, duration_seconds, nearest, time_seconds

__all__ = ["MAX_CONDITIONS", "MAX_LENGTH", "QueryError", "parse"]

MAX_LENGTH = 10_000
MAX_CONDITIONS = 200
_GROUPS = ("metrics", "params", "args", "facts", "other", "fields")
_STATS = ("last", "min", "max", "count", "last_step", "last_epoch")
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_FUNCTIONS = ("matches", "isnan")
_METHODS = ("startswith", "endswith")


class QueryError(ValueError):
    """A query cannot be understood. Its text shows the query with a caret under the place."""

    def __init__(self, problem: str, query: str, position: int) -> None:
        super().__init__(f"{problem}\n  {query}\n  {' ' * position}^")
        self.problem, self.query, self.position = problem, query, position


def parse(query: str) -> Node:
    """The tree of a query.

    Raises:
        QueryError: it is no query; the message shows where and what may have been meant.
    """
    text = " ".join(query.split("\n")).strip()
    if not text:
        raise QueryError("an empty query", text, 0)
    if len(text) > MAX_LENGTH:
        raise QueryError(f"the query is longer than {MAX_LENGTH} characters", text[:60] + "…", 60)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # '\d' in a pattern is no one's concern here
            warnings.simplefilter("ignore", DeprecationWarning)  # the same, before Python 3.12
            tree = ast.parse(text, mode="eval")
        return _Parser(text).condition(tree.body)
    except SyntaxError as error:
        raise _syntax_error(text, error) from None
    except (RecursionError, MemoryError):
        raise QueryError("the query is nested too deeply", text, 0) from None
    except ValueError as error:
        if isinstance(error, QueryError):
            raise
        raise QueryError(str(error), text, 0) from None  # a NUL in the text


def _syntax_error(text: str, error: SyntaxError) -> QueryError:
    # Offset 0 is how some versions of Python say "at the end".
    position = min(error.offset - 1, len(text)) if error.offset else len(text)
    near = text[max(position - 12, 0) : position + 12]
    for wrong, right in (("&&", "and"), ("||", "or"), ("=~", "matches(name, 'a*')"), ("<>", "!="), ("!", "not")):
        if wrong in near and f"{wrong}=" not in near:
            return QueryError(f"write {right} instead of {wrong}", text, text.index(wrong, max(position - 12, 0)))
    if text[position : position + 1] == "=" or "==" in (error.msg or ""):
        return QueryError("write == to compare", text, text.find("=", position) if "=" in text[position:] else position)
    hint = "; a name that is no plain word goes in brackets, such as metrics['val/loss'] or params['lambda']"
    return QueryError(f"this is no condition{hint}", text, position)


class _Parser:
    """Turns the nodes of Python's own parser into ours; everything that is not on the list is an error."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._bytes = text.encode()
        self._conditions = 0

    def fail(self, problem: str, node: ast.AST) -> NoReturn:
        # Python counts bytes, people count characters.
        offset = len(self._bytes[: getattr(node, "col_offset", 0)].decode())
        raise QueryError(problem, self.text, offset)

    def condition(self, node: ast.expr) -> Node:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            self.fail(f"more than {MAX_CONDITIONS} conditions in one query", node)
        if isinstance(node, ast.BoolOp):
            parts = tuple(self.condition(value) for value in node.values)
            return All(parts) if isinstance(node.op, ast.And) else AnyOf(parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return Negation(self.condition(node.operand))
        if isinstance(node, ast.Compare):
            return self.comparison(node)
        if isinstance(node, ast.Call):
            return self.call(node)
        if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)):
            return Truth(self.field(node))
        return self.fail("a condition is expected here, such as metrics.loss < 0.3", node)

    def comparison(self, node: ast.Compare) -> Node:
        parts: list[Node] = []
        left = node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            parts.append(self.pair(left, op, right))
            left = right
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Node:
        nothing = isinstance(right, ast.Constant) and right.value is None
        if nothing and isinstance(op, (ast.Is, ast.Eq)):
            return IsNone(self.field(left))
        if nothing and isinstance(op, (ast.IsNot, ast.NotEq)):
            return Negation(IsNone(self.field(left)))
        if isinstance(op, (ast.In, ast.NotIn)):
            found = self.membership(left, right)
            return found if isinstance(op, ast.In) else Negation(found)
        word = _COMPARISONS.get(type(op))
        if word is None:
            return self.fail("'is' goes with None only; write == to compare", right)
        return self.compare(word, left, right)

    def compare(self, op: str, left: ast.expr, right: ast.expr) -> Node:
        first, second = self.operand(left), self.operand(right)
        if isinstance(first, Literal) and isinstance(second, Literal):
            return self.fail("a comparison needs something of the run, such as metrics.loss or name", left)
        if isinstance(first, Field):
            second = self.fitted(first, second, right)
        elif isinstance(second, Field):
            first = self.fitted(second, first, left)
        return Compare(op, first, second)

    def fitted(self, field: Field, other: Operand, node: ast.expr) -> Operand:
        """The other side of a comparison with ``field``, checked, and as the number it stands for."""
        if field.name == "tags" and field.group == "run":
            return self.fail("tags are asked with in: 'baseline' in tags", node)
        if not isinstance(other, Literal):
            return other
        if field.group == "run" and field.name in TIMES + DURATIONS:
            return self.moment(field, other, node)
        if field == Field("run", "archived"):
            return other if isinstance(other.value, bool) else self.fail("archived is True or False", node)
        text = isinstance(other.value, str)
        if field.group == "run" and not text:
            self.fail(f"{field.name} is a text: write it in quotes", node)
        if field.group.endswith("metrics") and text:
            self.fail("metrics are numbers", node)
        if field == Field("run", "status") and other.value not in STATUSES:
            self.fail(f"no status {other.value!r}{nearest(str(other.value), STATUSES)}", node)
        return other

    def moment(self, field: Field, other: Literal, node: ast.expr) -> Literal:
        """A time or a duration: written as text, or as the number of its seconds."""
        if not isinstance(other.value, str):
            return other
        try:
            return Literal(time_seconds(other.value) if field.name in TIMES else duration_seconds(other.value))
        except ValueError as error:
            return self.fail(str(error), node)

    def membership(self, left: ast.expr, right: ast.expr) -> Node:
        if isinstance(right, (ast.Tuple, ast.List, ast.Set)):
            if not right.elts:
                self.fail("an empty list holds nothing", right)
            return AnyOf(tuple(self.compare("==", left, element) for element in right.elts))
        text = self.operand(left)
        if not isinstance(text, Literal) or not isinstance(text.value, str):
            return self.fail("a text in quotes is expected before 'in', such as 'baseline' in tags", left)
        field = self.field(right)
        if field.group.endswith("metrics") or field.name in (*TIMES, *DURATIONS, "archived"):
            return self.fail("a number holds no text", right)
        return Contains(text.value, field)

    def call(self, node: ast.Call) -> Node:
        function = node.func
        if node.keywords:
            self.fail("no named arguments here", node)
        if isinstance(function, ast.Attribute) and function.attr in _METHODS and len(node.args) == 1:
            field, text = self.field(function.value), self.pattern(node.args[0])
            escaped = text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
            return Match(field, escaped + "*" if function.attr == "startswith" else "*" + escaped)
        if isinstance(function, ast.Name) and function.id == "matches" and len(node.args) == 2:
            return Match(self.field(node.args[0]), self.pattern(node.args[1]))
        if isinstance(function, ast.Name) and function.id == "isnan" and len(node.args) == 1:
            field = self.field(node.args[0])
            if field.stat != "last":
                self.fail("only the last value of a metric is asked for NaN", node.args[0])
            return Truth(field, nan=True)
        called = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
        known = [*_FUNCTIONS, *_METHODS]
        usage = "there are matches(name, 'a*'), isnan(metrics.loss), name.startswith('a'), name.endswith('a')"
        return self.fail(f"{called!r} cannot be called like this{nearest(called, known)}; {usage}", node)

    def pattern(self, node: ast.expr) -> str:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        return self.fail("a text in quotes is expected here", node)

    def operand(self, node: ast.expr) -> Operand:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            inner = self.operand(node.operand)
            if not isinstance(inner, Literal) or not isinstance(inner.value, float):
                return self.fail("only a number can have a sign", node)
            return Literal(-inner.value if isinstance(node.op, ast.USub) else inner.value)
        if isinstance(node, ast.Name) and node.id == "inf":
            return Literal(float("inf"))
        return self.literal(node) if isinstance(node, ast.Constant) else self.field(node)

    def literal(self, node: ast.Constant) -> Literal:
        value = node.value
        if isinstance(value, (bool, str)):
            return Literal(value)
        if not isinstance(value, (int, float)):
            return self.fail("only numbers, texts, True, False and None can be compared", node)
        try:
            return Literal(float(value))
        except OverflowError:
            return self.fail("this number is too large", node)

    def field(self, node: ast.expr) -> Field:
        parts, literal = self.path(node)
        group = parts.pop(0)
        if group == "children" and len(parts) > 1 and parts[0] in ("metrics", "params"):
            group = f"children.{parts.pop(0)}"
        if group in RUN_FIELDS and not parts:
            return Field("run", RUN_FIELDS[group])
        if group.removeprefix("children.") not in _GROUPS:
            words = [*RUN_FIELDS, *_GROUPS, "children.metrics", "children.params"]
            self.fail(f"unknown name {'.'.join([group, *parts])!r}{nearest(group, words)}", node)
        if not parts:
            self.fail(f"{group} needs a name, such as {group}.loss or {group}['val/loss']", node)
        if not group.endswith("metrics"):
            return Field(group, ".".join(parts))
        stat = parts.pop() if len(parts) > 1 and parts[-1] in _STATS and not literal else "last"
        return Field(group, ".".join(parts), stat)

    def path(self, node: ast.expr) -> tuple[list[str], bool]:
        """``a.b['c']`` → its words, and whether the last one stood in brackets."""
        if isinstance(node, ast.Name):
            return [node.id], False
        if isinstance(node, ast.Attribute):
            return [*self.path(node.value)[0], node.attr], False
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            return [*self.path(node.value)[0], str(node.slice.value)], True
        return self.fail("a name is expected here, such as metrics.loss, params.lr, name or tags", node)
