"""``autolog diff``: what differs between two runs."""

from __future__ import annotations

import json as jsonlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autolog import store
from autolog.cli import text
from autolog.cli.find import find
from autolog.store.diff import MISSING, Change, source_diff
from autolog.store.diff import diff as compare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

__all__ = ["diff"]

_WIDTH = 32
_MOST = 20
_TITLES = {
    "params": "Parameters", "args": "Arguments", "metrics": "Metrics (last values)", "command": "Command",
    "git": "Git", "packages": "Packages", "source": "Source", "environment": "Environment", "seeds": "Seeds",
}  # fmt: skip


def diff(
    left: Annotated[str, typer.Argument(metavar="A", help="Id, beginning of an id, name, or 'last'.")],
    right: Annotated[str, typer.Argument(metavar="B", help="The other run.")],
    all: Annotated[  # noqa: A002  (the option's name)
        bool, typer.Option("--all", "-a", help="Every difference, and the changed lines of the source.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="The differences as one JSON object.")] = False,
) -> None:
    """What differs between two runs; what is the same is left out.

    Examples:
      autolog diff last~1 last
      autolog diff brave-otter-42 calm-fox-7 --all
    """
    first, second = find(left), find(right)
    found = compare(first, second)
    if json:
        print(jsonlib.dumps(found.to_dict(), ensure_ascii=False, indent=2, default=str))
        return
    if not found.sections:
        print(f"{first.name} and {second.name} do not differ.")
        return
    from autolog.cli.console import heading, show

    for section, changes in found.sections.items():
        show(heading(_TITLES.get(section, section)), _table(changes[: None if all else _MOST], first.name, second.name))
        if len(changes) > _MOST and not all:
            print(f"… {len(changes) - _MOST} more; --all shows them")
        if section == "source" and all:
            _print_source(first, second, changes)


def _table(changes: Sequence[Change], left: str, right: str) -> RenderableType:
    from autolog.cli.console import plain_table

    rows = [[text.shorten(change.name, _WIDTH), *_sides(change), change.detail] for change in changes]
    return plain_table(["", text.shorten(left, _WIDTH), text.shorten(right, _WIDTH), ""], rows)


def _sides(change: Change) -> tuple[str, str]:
    """Both values, rounded unless that hides the difference."""
    rounded = _value(change.left, text.number), _value(change.right, text.number)
    return rounded if rounded[0] != rounded[1] else (_value(change.left, repr), _value(change.right, repr))


def _value(value: Any, number: Callable[[float], str]) -> str:
    if value is MISSING:
        return "-"
    return number(value) if isinstance(value, float) else text.shorten(text.value(value), _WIDTH)


def _print_source(left: store.RunSummary, right: store.RunSummary, changes: Sequence[Change]) -> None:
    for change in changes:
        print()
        for line in source_diff(left, right, change.name):
            print(text.clean(line))
