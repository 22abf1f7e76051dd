"""A run's summary → what the index holds of it: the row that is listed, and the entries that are searched."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from autolog import events
from autolog.store.schema import STATS
from autolog.store.summary import RunSummary, number_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autolog.store.summary import MetricSummary

__all__ = ["LONG_FACTS", "dump_row", "entries_of", "flatten", "load_row", "text_number"]

LONG_FACTS = frozenset({"packages", "source", "notebook", "environment", "console"})
"""Facts that rows of a list go without; the summary of a single run has them."""
_LONG_TEXT = 500


_row_decoder = msgspec.json.Decoder(RunSummary, strict=False)


def dump_row(summary: RunSummary) -> bytes:
    """A summary without its long facts, as JSON; NaN and infinities as words."""
    return events.encode(_row(summary))


def load_row(data: bytes) -> RunSummary:
    """The inverse of :func:`dump_row`."""
    return _row_decoder.decode(data)  # not strict: words are read as numbers


def _row(summary: RunSummary) -> dict[str, Any]:
    plain = msgspec.structs.asdict(summary)
    plain["metrics"] = {
        name: {stat: number_json(getattr(metric, stat)) for stat in STATS} for name, metric in summary.metrics.items()
    }
    plain["facts"] = {name: _short(value) for name, value in summary.facts.items() if name not in LONG_FACTS}
    plain["children"] = [_row(child) for child in summary.children]
    return plain


def entries_of(summary: RunSummary) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """What can be searched, without the keys of the run: rows for ``fields`` and for ``metrics``."""
    fields: list[tuple[Any, ...]] = []
    metrics: list[tuple[Any, ...]] = []
    for child, node in _nodes(summary, ""):
        fields += _fields(child, "params", node.params)
        metrics += [(child, name, *_stats(metric)) for name, metric in node.metrics.items()]
    fields += _fields("", "args", {name: entry.get("value") for name, entry in summary.args.items()})
    fields += _fields("", "facts", {name: value for name, value in summary.facts.items() if name != "source"})
    fields += _fields("", "other", summary.other)
    fields += _fields("", "fields", summary.fields)
    return fields, metrics


def flatten(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The leaves of nested dictionaries, with dotted names. A list is a leaf."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flatten(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def text_number(value: Any) -> tuple[float | None, str | None]:
    """A value as a query sees it: as a number, where it is one or reads as one, and as text."""
    if value is None:
        return None, None
    if isinstance(value, bool):
        return float(value), str(value)
    if isinstance(value, (int, float)):
        return _finite(value), repr(value)
    if isinstance(value, str):
        try:
            return (_finite(float(value)) if len(value) <= 40 else None), value
        except ValueError:
            return None, value
    return None, events.encode(value).decode()


def _fields(child: str, kind: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    leaves = dict(flatten(values, ""))
    return [(child, kind, name, *text_number(value)) for name, value in leaves.items()]


def _nodes(summary: RunSummary, id: str) -> Iterator[tuple[str, RunSummary]]:  # noqa: A002  (the field's name)
    yield id, summary
    for child in summary.children:
        yield from _nodes(child, child.id)


def _stats(metric: MetricSummary) -> list[float | None]:
    return [_finite(value) for value in (getattr(metric, stat) for stat in STATS)]


def _finite(value: float | None) -> float | None:
    """As a column holds it: NaN is NULL, so that it compares with nothing."""
    if value is None or value != value:
        return None
    try:
        return float(value)
    except OverflowError:  # an integer beyond every float
        return math.inf if value > 0 else -math.inf


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _short(inner) for key, inner in value.items()}
    if isinstance(value, str) and len(value) > _LONG_TEXT:
        return value[:_LONG_TEXT] + "…"
    return value
