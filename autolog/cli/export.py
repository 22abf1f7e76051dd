"""``autolog export``: runs, or every point of their metrics, for other tools."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from autolog.cli.errors import CommandError
from autolog.cli.find import query
from autolog.store.export import export_history, export_runs

__all__ = ["export"]


def export(  # noqa: PLR0917  (the options of the command)
    where: Annotated[str, typer.Argument(help="Only runs for which this holds, as in `autolog ls`.")] = "",
    format: Annotated[  # noqa: A002  (the option's name)
        Literal["csv", "json", "jsonl", "parquet"] | None,
        typer.Option("--format", "-f", help="Default: as the name of the output file says, else csv."),
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="Every point of every metric.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file. Default: standard output.")] = None,
    project: Annotated[str, typer.Option("--project", "-p", help="Only runs of this project.")] = "",
    archived: Annotated[bool, typer.Option("--archived", help="Archived runs as well.")] = False,
) -> None:
    """Export runs: one row a run, or with --history one row a point.

    Columns of the history: run, metric, step, epoch, time, value. Numbers are
    exact; NaN and infinities are written as NaN, Infinity, -Infinity. json is one
    array, jsonl one object a line.

    Examples:
      autolog export -o runs.csv
      autolog export "metrics.val_loss < 0.3" --format json
      autolog export "'paper' in tags" --history -o points.parquet
    """
    chosen = format or _by_name(output) or "csv"
    if chosen == "parquet" and output is None and sys.stdout.isatty():
        raise CommandError("Parquet is not for a terminal; name a file with -o", code=2)
    runs = query(where, project=project, archived=archived)
    write = export_history if history else export_runs
    try:
        if output is None:
            # A copy: a writer that breaks off closes what it wrote to, and standard output is not ours to close.
            with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as stream:
                write(runs, chosen, stream)
        else:
            with output.open("wb") as file:
                write(runs, chosen, file)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandError(f"{output or 'standard output'} cannot be written: {error.strerror or error}") from None


def _by_name(output: Path | None) -> Literal["csv", "json", "jsonl", "parquet"] | None:
    kinds: dict[str, Literal["csv", "json", "jsonl", "parquet"]] = {
        ".csv": "csv", ".json": "json", ".jsonl": "jsonl", ".parquet": "parquet",
    }  # fmt: skip
    return None if output is None else kinds.get(output.suffix.lower())
