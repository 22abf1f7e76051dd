"""What is said of a run: plain typed data, made from its state.

A run with exactly one outermost fit is seen as one: the parameters, arguments, facts and metrics of that fit appear
in the run as well, where the run has none of that name itself, and so do the metrics of evaluations beside it.
``children`` lists the tree as it was recorded. With several fits nothing is merged: each child keeps its own.
"""

from __future__ import annotations

import math
import time as clock
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import msgspec

from autolog import events
from autolog.store import endings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from autolog.store.fold import FactState, FileState, MetricState, Node, RunState
    from autolog.store.status import Fate

__all__ = [
    "MetricSummary", "RunSummary", "descendants", "in_calendar", "iso", "merged_child", "number_json", "summarize",
]  # fmt: skip

_FIRST = datetime(1, 1, 2, tzinfo=timezone.utc).timestamp()
_LAST = datetime(9999, 12, 30, tzinfo=timezone.utc).timestamp()
"""A day from the ends of the calendar: in every zone there is a date."""
_EVALUATIONS = frozenset({"evaluate", "evaluation", "test", "validate", "predict"})


class MetricSummary(msgspec.Struct):
    """One metric: ``last`` is the newest by time; ``min`` and ``max`` leave NaN out (``None``: only NaN so far)."""

    last: int | float
    min: int | float | None
    max: int | float | None
    count: int
    last_step: int | float | None = None
    last_epoch: int | float | None = None


class RunSummary(msgspec.Struct, kw_only=True):
    """A run or a child run."""

    id: str
    name: str
    project: str
    kind: str = "run"
    integration: str | None = None
    parent: str | None = None
    """Of a run: the run that started it. Of a child: the enclosing child, or the run."""
    status: events.Status
    end: dict[str, Any] = {}
    """Those of ``exit_code, signal, oom, exception {type, message, traceback}, source, cause`` that are known."""
    started_at: float
    """Seconds since the epoch; an ISO 8601 text in UTC in :meth:`to_dict`, as is ``ended_at``."""
    ended_at: float | None = None
    """``None`` while running. Of a run that left no word: its last sign of life."""
    params: dict[str, Any] = {}
    args: dict[str, dict[str, Any]] = {}
    metrics: dict[str, MetricSummary] = {}
    tags: list[str] = []
    note: str = ""
    fields: dict[str, Any] = {}
    archived: bool = False
    facts: dict[str, Any] = {}
    other: dict[str, Any] = {}
    assets: list[dict[str, Any]] = []
    children: list[RunSummary] = []
    processes: list[dict[str, Any]] = []
    """The processes that wrote to the run: ``role, rank, pid, host``, ``node`` in a job; where known ``status`` and
    ``exception``, and of ranks the rest of what ``end`` says of a run."""
    health: dict[str, Any] = {}
    directory: str = ""

    @property
    def duration(self) -> float:
        """Seconds from the start to the end, or to now."""
        return (self.ended_at if self.ended_at is not None else clock.time()) - self.started_at

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data: times as ISO 8601 in UTC, NaN and infinities as the words a journal uses."""
        plain = msgspec.structs.asdict(self)
        plain["started_at"], plain["ended_at"] = iso(self.started_at), iso(self.ended_at)
        plain["duration"] = self.duration
        plain["metrics"] = {
            name: {key: number_json(value) for key, value in msgspec.structs.asdict(metric).items()}
            for name, metric in self.metrics.items()
        }
        plain["children"] = [child.to_dict() for child in self.children]
        return plain


def iso(time: float | None) -> str | None:
    """``2026-11-22T11:11:34.537123Z``, the nearest there is; the exact number stays in the journal."""
    if time is None:
        return None
    moment = datetime.fromtimestamp(in_calendar(time), timezone.utc)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def in_calendar(time: float) -> float:
    """A time, or the nearest that has a date: what a broken clock says may have none."""
    return min(max(time, _FIRST), _LAST)


def number_json(value: float | None) -> events.Number | None:
    """A number as JSON can hold it: NaN and infinities as words."""
    return None if value is None else events.to_wire(value)


def summarize(state: RunState, directory: Path, *, now: float | None = None, heard: float | None = None) -> RunSummary:
    """The summary of a run from its state; asks the system whether an unfinished run's process is alive.

    Args:
        state: What :func:`autolog.store.reader.read_state` returned.
        directory: The run's directory; its name stands in where the first line of the journal is lost.
        now: The present; default: now.
        heard: When something of the run came in last; default: as its records say.
    """
    root = state.root
    now = clock.time() if now is None else now
    start, status, end, ended, fates = endings.ending(state, directory, now, heard)
    first = [file.start.time for file in state.files.values() if file.start] + [state.first or start.time]
    summary = _node_summary(root, start.id, start, status)
    summary.name = state.renamed.value if state.renamed else start.name
    summary.parent = start.parent
    summary.archived = bool(state.archived and state.archived.value)
    summary.status, summary.end, summary.ended_at = status, end, ended
    summary.started_at = min(first)
    summary.children = _tree(state, start, status, ended)
    summary.processes = [
        _process(file, fates.get(name)) for name, file in state.files.items() if file.start and file.start.pid
    ]
    summary.health = _health(state, running=status == "running")
    for one in descendants(summary):
        one.directory = str(directory)
    _merge(summary)
    return summary


def _tree(state: RunState, start: events.RunStart, status: events.Status, ended: float | None) -> list[RunSummary]:
    summaries = {}
    for child, node in state.children.items():
        # A child that never said its end shares the fate of its run.
        own = node.status or status
        summary = summaries[child] = _node_summary(node, child, start, own)
        summary.started_at = node.started if node.started is not None else start.time
        summary.ended_at = node.ended if node.ended is not None else ended
        summary.parent = node.parent or start.id
        summary.end = {"exception": node.exception} if node.exception else {}
    outermost: list[RunSummary] = []
    for child, summary in summaries.items():
        parent = summaries.get(state.children[child].parent or "")
        (parent.children if parent is not None and parent is not summary else outermost).append(summary)
    return outermost


def _node_summary(node: Node, id: str, start: events.RunStart, status: events.Status) -> RunSummary:  # noqa: A002  (the field's name)
    return RunSummary(
        id=id,
        name=node.name,
        project=start.project,
        kind=node.kind,
        integration=node.integration,
        status=status,
        started_at=start.time,
        params={name: held.value for name, held in node.params.items()},
        args={name: held.value for name, held in node.args.items()},
        metrics={name: _metric(metric) for name, metric in node.metrics.items()},
        tags=[tag for tag, held in node.tags.items() if held.value],
        note=node.note.value if node.note else "",
        fields={name: held.value for name, held in node.fields.items() if held.value is not None},
        facts={name: _fact(fact) for name, fact in node.facts.items()},
        other={name: held.value for name, held in node.other.items()},
        assets=_assets(node),
    )


def _metric(metric: MetricState) -> MetricSummary:
    low, high = metric.low, metric.high
    only_nan = low > high
    return MetricSummary(
        last=metric.last,
        min=None if only_nan else low,
        max=None if only_nan else high,
        count=metric.count,
        last_step=metric.step,
        last_epoch=metric.epoch,
    )


def _fact(fact: FactState) -> Any:
    base = fact.base.value if fact.base else None
    if not fact.added:
        return base
    added = [item for part in sorted(fact.added, key=lambda part: part.time) for item in part.value]
    return [*(base if isinstance(base, list) else [] if base is None else [base]), *added]


def _assets(node: Node) -> list[dict[str, Any]]:
    kept = [asset for asset in node.assets if asset.time > node.removed.get(asset.name, -math.inf)]
    kept.sort(key=lambda asset: asset.time)
    return [
        {
            key: iso(value) if key == "time" else value
            for key, value in msgspec.structs.asdict(asset).items()
            if key != "child" and value not in (None, {})
        }
        for asset in kept
    ]


def _process(file: FileState, fate: Fate | None) -> dict[str, Any]:
    start, end = file.start, file.end
    if start is None:
        return {}
    known: dict[str, Any] = {"role": start.role, "rank": start.rank, "pid": start.pid, "host": start.host}
    if start.node:
        known["node"] = start.node
    if fate is not None:
        return known | {"status": fate.status} | fate.details
    if end is not None:
        known["status"] = end.status
        if end.exception:
            known["exception"] = end.exception
    return known


def _health(state: RunState, *, running: bool) -> dict[str, Any]:
    health: dict[str, Any] = {"lost": [], "redacted": [], "errors": [], "notices": []}
    keys = {"error": "errors", "notice": "notices"}
    for key, (count, time) in sorted(state.health.items(), key=lambda item: float(item[1][1])):
        kind, where, detail = msgspec.json.decode(key)
        health[keys.get(kind, kind)].append({"where": where, "count": count, "detail": detail, "time": iso(time)})
    # The last line of a growing journal may be half written; that of a finished one is torn.
    torn = {name: file.size - file.offset for name, file in state.files.items() if file.size > file.offset}
    broken = {name: file.broken for name, file in state.files.items() if file.broken}
    unknown = {name: file.unknown for name, file in state.files.items() if file.unknown}
    if torn and not running:
        health["torn_bytes"] = torn
    if broken:
        health["broken_lines"] = broken
    if unknown:
        health["unknown_records"] = unknown
    return health


def descendants(summary: RunSummary) -> Iterator[RunSummary]:
    """The run and all of its child runs, each before its own children."""
    yield summary
    for child in summary.children:
        yield from descendants(child)


def merged_child(summary: RunSummary) -> RunSummary | None:
    """The only outermost fit of a run, which is shown as part of the run itself; ``None`` with none or several."""
    fits = [child for child in summary.children if child.kind == "fit"]
    return fits[0] if len(fits) == 1 else None


def _merge(summary: RunSummary) -> None:
    fit = merged_child(summary)
    if fit is None:
        return
    own_facts = set(summary.facts)
    summary.params = {**fit.params, **summary.params}
    summary.args = {**fit.args, **summary.args}
    summary.facts |= {name: value for name, value in fit.facts.items() if name not in own_facts}
    evaluations = [child for child in summary.children if child.kind in _EVALUATIONS]
    for child in (fit, *evaluations):
        for name, metric in child.metrics.items():
            summary.metrics.setdefault(name, metric)
    summary.tags += [tag for tag in fit.tags if tag not in summary.tags]
    summary.note = summary.note or fit.note
    summary.fields = {**fit.fields, **summary.fields}
