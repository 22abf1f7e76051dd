"""Records → the state of a run, one record at a time.

The state does not depend on how the journals of a run are interleaved: what is newest is decided by time. Within one
file its order is the truth, so a clock that jumps back is read as standing still. That makes the state resumable: it is
kept with the byte offsets it has come to, and a growing run is read on from there.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from autolog import events

__all__ = [
    "FactState",
    "FileState",
    "MetricState",
    "Node",
    "RunState",
    "Stamped",
    "dump_state",
    "fold",
    "fold_metrics",
    "load_state",
]

_INF = math.inf


class MetricState(msgspec.Struct, array_like=True):
    """What a summary says of one metric. ``low > high`` means that every value so far was NaN.

    ``last``, ``low`` and ``high`` are numbers in memory; kept as JSON they may be words (see :func:`dump_state`).
    """

    last: Any = math.nan
    time: float = -_INF
    step: int | float | None = None
    epoch: int | float | None = None
    low: Any = _INF
    high: Any = -_INF
    count: int = 0


class Stamped(msgspec.Struct, array_like=True):
    """A value and when it was said: the newest wins."""

    time: float
    value: Any


class FactState(msgspec.Struct, array_like=True):
    """The newest whole value of a fact, and the lists added to it, each with its time."""

    base: Stamped | None = None
    added: list[Stamped] = []


class Node(msgspec.Struct, omit_defaults=True):
    """A run or a child run as recorded so far."""

    name: str = ""
    kind: str = "run"
    parent: str | None = None
    integration: str | None = None
    started: float | None = None
    ended: float | None = None
    status: events.Status | None = None
    exception: dict[str, str] | None = None
    metrics: dict[str, MetricState] = {}
    params: dict[str, Stamped] = {}
    args: dict[str, Stamped] = {}
    facts: dict[str, FactState] = {}
    other: dict[str, Stamped] = {}
    fields: dict[str, Stamped] = {}
    tags: dict[str, Stamped] = {}
    note: Stamped | None = None
    assets: list[events.Asset] = []
    removed: dict[str, float] = {}


class FileState(msgspec.Struct, omit_defaults=True):
    """How far one journal was read, and whose it is."""

    offset: int = 0
    size: int = 0
    """Bytes in the file when it was last read; more than ``offset``: the last line is not finished."""
    clock: float = 0.0
    broken: int = 0
    """Lines that are not records."""
    unknown: int = 0
    """Records of a type this version does not know."""
    start: events.RunStart | None = None
    end: events.End | None = None


class RunState(msgspec.Struct, omit_defaults=True):
    """Everything a summary is made of."""

    root: Node = msgspec.field(default_factory=Node)
    children: dict[str, Node] = {}
    files: dict[str, FileState] = {}
    exits: list[events.Exit] = []
    health: dict[str, list[Any]] = {}
    """``kind``, ``where`` and ``detail`` as one JSON text → [count, time]."""
    renamed: Stamped | None = None
    archived: Stamped | None = None
    first: float | None = None
    """Time of the earliest record that is not a metric."""

    def node(self, child: str | None) -> Node:
        """The node a record belongs to; one that was never announced (its line was lost) is made up."""
        if child is None:
            return self.root
        found = self.children.get(child)
        if found is None:
            found = self.children[child] = Node(name=child, kind="child")
        return found


def fold(state: RunState, file: FileState, record: events.Record) -> None:
    """Take one record of the journal ``file`` into the state."""
    time = file.clock = max(file.clock, record.time)
    if isinstance(record, events.Metrics):
        fold_metrics(state.node(record.child).metrics, time, record)
        return
    if state.first is None or time < state.first:
        state.first = time
    if isinstance(record, (events.RunStart, events.End, events.Exit, events.Health, events.Name, events.Archive)):
        _fold_run(state, file, time, record)
    elif isinstance(record, (events.Child, events.ChildEnd)):
        _fold_child(state.node(record.child), time, record)
    else:
        _fold_content(state.node(record.child), time, record)


def fold_metrics(metrics: dict[str, MetricState], time: float, record: events.Metrics) -> None:
    """Take one ``metrics`` record into the metrics of its node."""
    for name, written in record.values.items():
        value = events.from_wire(written) if isinstance(written, str) else written
        metric = metrics.get(name)
        if metric is None:
            metric = metrics[name] = MetricState()
        metric.count += 1
        if time >= metric.time:
            metric.time = time
            metric.last = value
            metric.step = record.step
            metric.epoch = record.epoch
        if value < metric.low:  # noqa: PLR1730  (this loop runs for every point: a call costs more)
            metric.low = value
        if value > metric.high:  # noqa: PLR1730  (the same)
            metric.high = value


def _fold_run(
    state: RunState,
    file: FileState,
    time: float,
    record: events.RunStart | events.End | events.Exit | events.Health | events.Name | events.Archive,
) -> None:
    if isinstance(record, events.RunStart):
        file.start, file.end = record, None
    elif isinstance(record, events.End):
        file.end = record
    elif isinstance(record, events.Exit):
        state.exits.append(record)
    elif isinstance(record, events.Name):
        if record.child is not None:
            state.node(record.child).name = record.name
        elif state.renamed is None or time >= state.renamed.time:
            state.renamed = Stamped(time, record.name)
    elif isinstance(record, events.Archive):
        if state.archived is None or time >= state.archived.time:
            state.archived = Stamped(time, record.archived)
    else:
        key = msgspec.json.encode([record.kind, record.where, record.detail]).decode()
        entry = state.health.setdefault(key, [0, time])
        entry[0] += record.count
        entry[1] = max(entry[1], time)


def _fold_child(node: Node, time: float, record: events.Child | events.ChildEnd) -> None:
    if isinstance(record, events.Child):
        node.name, node.kind = record.name, record.kind
        node.parent, node.integration = record.parent, record.integration
        node.started = time
    else:
        node.ended, node.status, node.exception = time, record.status, record.exception


def _fold_content(node: Node, time: float, record: events.Record) -> None:
    if isinstance(record, (events.Params, events.Args, events.Other, events.Fields)):
        _newest(getattr(node, _HELD[type(record)]), time, record.values)
    elif isinstance(record, events.Fact):
        _fold_fact(node.facts.setdefault(record.name, FactState()), time, record)
    elif isinstance(record, events.Tags):
        _newest(node.tags, time, dict.fromkeys(record.add, True) | dict.fromkeys(record.remove, False))
    elif isinstance(record, events.Note):
        if node.note is None or time >= node.note.time:
            node.note = Stamped(time, record.text)
    elif isinstance(record, events.Asset):
        node.assets.append(record)
    elif isinstance(record, events.Removed):
        node.removed[record.name] = max(time, node.removed.get(record.name, time))
    # System samples say nothing to a summary: they are read from the journal where they are shown.


_HELD: dict[type[events.Record], str] = {
    events.Params: "params", events.Args: "args", events.Other: "other", events.Fields: "fields",
}  # fmt: skip


def _newest(held: dict[str, Stamped], time: float, values: dict[str, Any]) -> None:
    for name, value in values.items():
        known = held.get(name)
        if known is None or time >= known.time:
            held[name] = Stamped(time, value)


def _fold_fact(fact: FactState, time: float, record: events.Fact) -> None:
    if not record.append:
        if fact.base is None or time >= fact.base.time:
            fact.base = Stamped(time, record.value)
            fact.added = [later for later in fact.added if later.time > time]
    elif fact.base is None or time >= fact.base.time:
        fact.added.append(Stamped(time, record.value if isinstance(record.value, list) else [record.value]))


_state_decoder = msgspec.json.Decoder(RunState)


def dump_state(state: RunState) -> bytes:
    """The state as JSON, for :func:`load_state`. NaN and infinities go the way they go in a journal."""
    for node in (state.root, *state.children.values()):
        for metric in node.metrics.values():
            _each_number(metric, events.to_wire)
    try:
        return events.encode(state)
    finally:
        _unwire(state)


def load_state(data: bytes) -> RunState:
    """The inverse of :func:`dump_state`.

    Raises:
        msgspec.DecodeError: the data was written by another version, or is damaged.
    """
    state = _state_decoder.decode(data)
    _unwire(state)
    return state


def _unwire(state: RunState) -> None:
    for node in (state.root, *state.children.values()):
        for metric in node.metrics.values():
            _each_number(metric, lambda value: events.from_wire(value) if isinstance(value, str) else value)


def _each_number(metric: MetricState, change: Any) -> None:
    metric.last, metric.low, metric.high = change(metric.last), change(metric.low), change(metric.high)
