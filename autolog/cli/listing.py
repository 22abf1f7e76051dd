"""``autolog ls``: runs as a table that fits the terminal."""

from __future__ import annotations

import json as jsonlib
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from autolog.cli import table, text
from autolog.cli.find import query, root
from autolog.store.columns import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from autolog.store import RunSummary

__all__ = ["list_table", "ls"]

_SHOWN = 25
_NAME_WIDTH = 24
_CELL_WIDTH = 20


def ls(  # noqa: PLR0917  (the options of the command)
    where: Annotated[str, typer.Argument(help="Only runs for which this holds, such as 'metrics.loss < 0.3'.")] = "",
    sort: Annotated[
        str, typer.Option(metavar="COLUMN", help="Sort by a column; -COLUMN: highest first. Default: newest first.")
    ] = "",
    columns: Annotated[
        str,
        typer.Option("--columns", "-c", metavar="A,B,…", help="The columns, such as name,args.lr,metrics.loss.min."),
    ] = "",
    project: Annotated[str, typer.Option("--project", "-p", help="Only runs of this project.")] = "",
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=0, help=f"At most so many runs. Default: {_SHOWN} in a table.")
    ] = None,
    all: Annotated[bool, typer.Option("--all", "-a", help="Every run, with its child runs beneath it.")] = False,  # noqa: A002  (the option's name)
    json: Annotated[bool, typer.Option("--json", help="Everything about the runs as a JSON list.")] = False,
    archived: Annotated[bool, typer.Option("--archived", help="Archived runs as well.")] = False,
) -> None:
    """List runs, newest first.

    A run with a single fit is one line; child runs are shown by --all.
    Columns are name, id, project, status, started, ended, took, tags, note,
    children, metrics.X (also metrics.X.min, .max, .count, .last_step),
    params.X, args.X, facts.X, fields.X; the X alone will do where it is
    unambiguous. Archived runs are left out unless --archived or the query asks.

    Examples:
      autolog ls
      autolog ls "metrics.val_loss < 0.3 and 'baseline' in tags"
      autolog ls "status == 'failed'" --sort -started
      autolog ls -c name,args.lr,metrics.val_loss.min --sort val_loss
    """
    if limit is None and not (all or json):
        limit = _SHOWN
    runs = query(where, project=project, sort=sort, limit=limit, archived=archived)
    for hint in runs.hints:
        sys.stderr.write(f"autolog: {hint}\n")
    if json:
        print(jsonlib.dumps(runs.to_dicts(), ensure_ascii=False, indent=2))
        return
    if not runs:
        _say_empty(where, project)
        return
    from autolog.cli.console import show, width

    show(list_table(runs, chosen=_names(columns), width=width(), now=time.time(), children=all))
    if runs.total > len(runs):
        print(f"{len(runs)} of {runs.total} runs; --all shows every one")


def _names(columns: str) -> list[str]:
    return [name.strip() for name in columns.split(",") if name.strip()]


def list_table(
    runs: Sequence[RunSummary], *, chosen: Sequence[str], width: int, now: float, children: bool = False
) -> Table:
    """The table of runs.

    Args:
        runs: The runs, in their order.
        chosen: The columns; empty: the usual ones, and as many metrics and settings as fit.
        width: Characters of a line.
        now: The present, for ``started``.
        children: Child runs stand beneath their run.
    """
    from rich.text import Text

    from autolog.cli.console import plain_table

    columns = list(chosen) or _fitting(runs, width, now)
    rows = [
        [
            Text(_cell(run, column, now, depth), style=text.STYLES.get(run.status, "") if column == "status" else "")
            for column in columns
        ]
        for top in runs
        for depth, run in _lines(top, 0, children=children)
    ]
    numeric = [table.header(name) for name in columns if name not in PLAIN or name in ("took", "duration")]
    return plain_table([table.header(name) for name in columns], rows, right=numeric)


def _lines(run: RunSummary, depth: int, *, children: bool) -> Iterator[tuple[int, RunSummary]]:
    yield depth, run
    for child in run.children if children else ():
        yield from _lines(child, depth + 1, children=True)


def _cell(run: RunSummary, column: str, now: float, depth: int = 0) -> str:
    if column != "name":
        return text.shorten(table.cell(run, column, now), _CELL_WIDTH if column not in ("id", "note") else 60)
    count = "" if depth or len(run.children) < 2 else f" (+{len(run.children)})"
    indent = "  " * (depth - 1) + "└ " if depth else ""
    return indent + text.shorten(run.name, _NAME_WIDTH - len(count) - len(indent)) + count


def _fitting(runs: Sequence[RunSummary], width: int, now: float) -> list[str]:
    """The usual columns, and the interesting ones that there is room for."""
    columns = list(table.BASE)
    if len({run.project for run in runs}) > 1:
        columns.insert(1, "project")
    left = width + 2 - sum(_room(runs, column, now) for column in columns)  # no blanks after the last one
    if any(run.tags for run in runs):
        columns.append("tags")
        left -= _room(runs, "tags", now)
    extra = table.interesting(runs)
    fitting = []
    for column in extra[:8]:
        room = _room(runs, column, now)
        if room <= left:
            fitting.append(column)
            left -= room
    return [*columns, *sorted(fitting, key=lambda column: column.startswith("metrics."))]


def _room(runs: Sequence[RunSummary], column: str, now: float) -> int:
    from rich.cells import cell_len

    return max(cell_len(table.header(column)), *(cell_len(_cell(run, column, now)) for run in runs)) + 2


def _say_empty(where: str, project: str) -> None:
    place = root()
    if where or project:
        print(f"No run in {place} matches. `autolog ls` lists all of them.")
    else:
        print(f"No runs in {place} yet.")
        print("Put `import autolog` on top of a training script, or start it with `autolog run SCRIPT`.")
        print("AUTOLOG_DIR names another place to look at.")
