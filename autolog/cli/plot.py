"""``autolog plot``: a metric of one or several runs, drawn in the terminal."""

from __future__ import annotations

import difflib
import math
import shutil
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from autolog.cli.chart import Series, chart
from autolog.cli.errors import CommandError
from autolog.cli.find import find
from autolog.cli.text import shorten
from autolog.store.series import series

if TYPE_CHECKING:
    from autolog.store.series import Series as Points
    from autolog.store.summary import RunSummary

__all__ = ["plot"]

_WIDEST = 160


def plot(
    words: Annotated[list[str], typer.Argument(metavar="RUN... METRIC", help="Runs, and the metric as the last word.")],
    x: Annotated[Literal["step", "epoch", "time"], typer.Option(help="What the horizontal axis counts.")] = "step",
    log: Annotated[bool, typer.Option("--log", help="A logarithmic vertical axis.")] = False,
    width: Annotated[int, typer.Option(min=0, help="Characters of a line. Default: those of the terminal.")] = 0,
    height: Annotated[int, typer.Option(min=10, help="Lines in all.")] = 22,
) -> None:
    """Draw a metric. Each run has its own mark; NaN leaves a gap.

    Time is in seconds since the start of the run. A metric of a child run: RUN/CHILD for the run.

    Examples:
      autolog plot last loss
      autolog plot brave-otter-42 calm-fox-7 val_loss --log
      autolog plot last last~1 val_loss --x epoch
    """
    if len(words) == 1:
        words = ["last", *words]
    *runs, metric = words
    drawn = [line for run in runs for line in _lines(find(run), metric, x)]
    columns = width or min(shutil.get_terminal_size().columns, _WIDEST)
    for line in chart(
        drawn, width=columns, height=height, log=log, title=metric, x_label=_label(x), colour=sys.stdout.isatty()
    ):
        print(line)


def _label(x: str) -> str:
    return "seconds since the start" if x == "time" else x


def _lines(run: RunSummary, metric: str, x: str) -> list[Series]:
    """The lines of a run: one, or one for each of its children that has the metric."""
    found = series(run, metric)
    if not found:
        raise CommandError(_no_such_metric(run, metric))
    return [Series(_name(run, one.child, alone=len(found) == 1), _xs(run, one, x), one.values) for one in found]


def _name(run: RunSummary, child: str | None, *, alone: bool) -> str:
    return shorten(run.name if alone or child is None else f"{run.name}/{child}", 40)


def _xs(run: RunSummary, points: Points, x: str) -> list[float]:
    if x == "time":
        return [time - run.started_at for time in points.times]
    counts = points.epochs if x == "epoch" else points.steps
    if any(count is not None for count in counts):
        return [math.nan if count is None else float(count) for count in counts]
    if x == "epoch":
        raise CommandError(f"{points.metric} of {run.name} was recorded without epochs; try --x time")
    return [float(place) for place in range(len(counts))]


def _no_such_metric(run: RunSummary, metric: str) -> str:
    names = list(run.metrics)
    deeper = [f"{child.name}/{name}" for child in run.children for name in child.metrics]
    near = difflib.get_close_matches(metric, names, n=3, cutoff=0.4)
    if near:
        return f"run {run.name} has no metric {metric!r}; did you mean {' or '.join(near)}?"
    if not names and not deeper:
        return f"run {run.name} has no metrics"
    return f"run {run.name} has no metric {metric!r}; it has {shorten(', '.join(names or deeper), 300)}"
