"""The page of ``autolog show``: a run as titled sections. Pure: a summary in, things to print out."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from rich.text import Text

from autolog.cli import facts, text
from autolog.cli.console import heading, plain_table
from autolog.cli.table import telling
from autolog.store.summary import merged_child

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import RenderableType

    from autolog.store import RunSummary

__all__ = ["ending", "page"]

_VALUE_WIDTH = 60
_MOST_CHILDREN = 20


def page(run: RunSummary, *, now: float) -> Iterator[RenderableType]:
    """Everything about a run, section by section; empty sections are left out.

    Args:
        run: The run.
        now: The present.
    """
    yield from _head(run, now)
    for section in (_exception, _ranks, _fields, _args, _metrics, _children, _params, _other, _assets, _health):
        yield from section(run)


def _head(run: RunSummary, now: float) -> Iterator[RenderableType]:
    title = Text(f"{text.clean(run.name)}  ", style="bold")
    title.append(text.status(run.status), style=text.STYLES.get(run.status, ""))
    yield title
    lines = {"id": run.id, "project": run.project}
    if run.status not in ("running", "completed"):
        lines["ended"] = ending(run.end)
    lines["started"] = f"{text.moment(run.started_at)} ({text.ago(run.started_at, now)})"
    lines["took"] = text.duration(run.duration) + (" so far" if run.ended_at is None else "")
    lines["part of"] = run.parent or ""
    lines["tags"] = " ".join(run.tags)
    lines["note"] = run.note
    lines["archived"] = "yes" if run.archived else ""
    lines |= facts.lines(run.facts)
    lines["kept in"] = run.directory
    yield _pairs((name, value) for name, value in lines.items() if value)


def _pairs(pairs: Any) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(Text(text.clean(str(name))), Text(text.clean(value)))
    return table


def ending(end: Mapping[str, Any]) -> str:
    """How a run ended, as a sentence: exception, signal, exit code, cause."""
    parts = []
    exception = end.get("exception")
    if exception:
        parts.append(f"{exception.get('type', 'exception')}: {exception.get('message', '')}".rstrip(": "))
    if end.get("oom"):
        parts.append("out of memory: the kernel killed it")
    elif end.get("signal"):
        parts.append(f"signal {end['signal']}")
    if end.get("exit_code") is not None:
        parts.append(f"exit code {end['exit_code']}")
    if end.get("cause"):
        parts.append(str(end["cause"]))
    return "; ".join(parts)


def _exception(run: RunSummary) -> Iterator[RenderableType]:
    traceback = (run.end.get("exception") or {}).get("traceback")
    if traceback:
        yield heading("Traceback")
        yield text.clean(traceback.rstrip())


def _ranks(run: RunSummary) -> Iterator[RenderableType]:
    """Of a job those ranks that stand otherwise than the run; all of them are in ``--json``."""
    ranks = [one for one in run.processes if one["role"] == "rank"]
    odd = [one for one in ranks if one.get("status") != run.status]
    if odd:
        yield heading(f"Ranks that ended otherwise ({len(odd)} of {len(ranks) + 1})")
        yield _pairs((f"rank {one['rank']}", _fate(one)) for one in odd)


def _fate(one: Mapping[str, Any]) -> str:
    how = ending(one)
    return f"{text.status(one['status'])}{': ' if how else ''}{how}"


def _fields(run: RunSummary) -> Iterator[RenderableType]:
    if run.fields:
        yield heading("Fields")
        yield _pairs((name, text.shorten(text.value(value), 200)) for name, value in run.fields.items())


def _args(run: RunSummary) -> Iterator[RenderableType]:
    if not run.args:
        return
    yield heading("Arguments")
    rows = []
    for name, argument in run.args.items():
        given = bool(argument.get("given"))
        remark = "" if not given else f"given (default {text.shorten(text.value(argument.get('default')), 24)})"
        if given and argument.get("default") == argument.get("value"):
            remark = "given (the default)"
        cells = (text.clean(name), text.shorten(text.value(argument.get("value")), _VALUE_WIDTH), remark)
        rows.append([Text(cell, style="bold" if given and not index else "") for index, cell in enumerate(cells)])
    yield plain_table(["name", "value", ""], rows)


def _params(run: RunSummary) -> Iterator[RenderableType]:
    if run.params:
        yield heading("Parameters")
        yield _pairs((name, text.shorten(text.value(value), 200)) for name, value in run.params.items())


def _metrics(run: RunSummary) -> Iterator[RenderableType]:
    if not run.metrics:
        return
    yield heading("Metrics")
    titles = ["name", "last", "min", "max", "count", "step", "epoch"]
    rows = [
        [text.shorten(name, 32), *(text.number(one) for one in (m.last, m.min, m.max)), str(m.count),
         text.number(m.last_step), text.number(m.last_epoch)]
        for name, m in run.metrics.items()
    ]  # fmt: skip
    yield plain_table(titles, rows, right=titles[1:])


def _children(run: RunSummary) -> Iterator[RenderableType]:
    if not run.children:
        return
    yield heading("Child runs")
    lines = list(_tree(run, 0))
    yield plain_table(["", "", "", ""], lines[:_MOST_CHILDREN])
    if len(lines) > _MOST_CHILDREN:
        yield f"… {len(lines) - _MOST_CHILDREN} more (autolog show {shlex.quote(run.name)} --json has all)"


def _tree(run: RunSummary, depth: int) -> Iterator[list[str | Text]]:
    for child in run.children:
        shown = [(name, child.metrics[name]) for name in telling(child.metrics)[:2]]
        metrics = ", ".join(f"{text.shorten(name, 16)} {text.number(metric.last)}" for name, metric in shown)
        state = Text(text.status(child.status), style=text.STYLES.get(child.status, ""))
        name = "  " * depth + text.shorten(f"{child.kind} {child.name}", 30)
        yield [name, state, text.duration(child.duration), metrics]
        yield from _tree(child, depth + 1)


def _other(run: RunSummary) -> Iterator[RenderableType]:
    rest = {**facts.rest(run.facts), **run.other}
    if rest:
        yield heading("More")
        yield _pairs((name, text.shorten(text.value(value), 200)) for name, value in rest.items())


def _assets(run: RunSummary) -> Iterator[RenderableType]:
    fit = merged_child(run)
    assets = run.assets if fit is None else [*run.assets, *fit.assets]
    if not assets:
        return
    yield heading("Assets")
    series: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for asset in assets:
        series.setdefault((asset["name"], asset["kind"]), []).append(asset)
    rows = [
        [
            text.shorten(name, 40),
            kind,
            text.size(sum(asset.get("size") or 0 for asset in same)),
            _place(same),
        ]
        for (name, kind), same in series.items()
    ]
    yield plain_table(["name", "kind", "size", "where"], rows, right=["size"])


def _place(assets: list[dict[str, Any]]) -> str:
    """Where an asset lies; of a series of one name, how many there are, of which steps, and where the last one lies."""
    last = str(assets[-1].get("path") or assets[-1].get("uri") or "")
    if len(assets) == 1:
        return last
    steps = [asset["step"] for asset in assets if asset.get("step") is not None]
    which = f" at the steps {text.number(min(steps))} … {text.number(max(steps))}" if steps else ""
    return f"{len(assets)}{which}, the last: {last}"


def _health(run: RunSummary) -> Iterator[RenderableType]:
    lines = []
    for kind, entries in run.health.items():
        if not isinstance(entries, list):
            lines.append((kind.replace("_", " "), text.value(entries)))
            continue
        for entry in entries:
            count = f" ({entry['count']} times)" if entry["count"] > 1 else ""
            lines.append((kind, f"{entry['where']}{count}: {entry['detail']}".rstrip(": ")))
    if lines:
        yield heading("Health of the record")
        yield _pairs(lines)
