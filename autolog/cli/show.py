"""``autolog show``: everything that is known about one run."""

from __future__ import annotations

import json as jsonlib
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from autolog.cli.errors import CommandError
from autolog.cli.find import find

if TYPE_CHECKING:
    from autolog.store import RunSummary

__all__ = ["show"]


def show(
    run: Annotated[str, typer.Argument(help="Id, beginning of an id, name, or 'last'.")] = "last",
    json: Annotated[bool, typer.Option("--json", help="Everything as one JSON object.")] = False,
    console: Annotated[bool, typer.Option("--console", help="What the run printed.")] = False,
    rank: Annotated[int, typer.Option(help="With --console: what this rank of a job printed.")] = 0,
    packages: Annotated[bool, typer.Option("--packages", help="The installed packages with their versions.")] = False,
) -> None:
    """Show a run: how it went, what it was given, what came out.

    Examples:
      autolog show last
      autolog show brave-otter-42 --json | jq .metrics
      autolog show last --console
    """
    summary = find(run)
    if json:
        print(jsonlib.dumps(summary.to_dict(), ensure_ascii=False, indent=2))
    elif console:
        _print_console(summary, rank)
    elif packages:
        for name, version in sorted((summary.facts.get("packages") or {}).items()):
            print(f"{name}=={version}")
    else:
        from autolog.cli.console import show as print_parts
        from autolog.cli.page import page

        print_parts(*page(summary, now=time.time()))


def _print_console(summary: RunSummary, rank: int) -> None:
    from pathlib import Path

    path = Path(summary.directory) / (f"console.{rank}.log" if rank else "console.log")
    if not path.is_file():
        raise CommandError(f"run {summary.name} has no console log" + (f" of rank {rank}" if rank else ""))
    with path.open("rb") as log:
        while block := log.read(1 << 20):
            sys.stdout.buffer.write(block)
