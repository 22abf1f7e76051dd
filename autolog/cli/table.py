"""Which columns a list of runs shows, and what stands in them. Pure: summaries in, texts out."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from autolog.cli import text
from autolog.store import column_value
from autolog.store.columns import GROUPS, PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from autolog.store import RunSummary

__all__ = ["BASE", "cell", "header", "interesting", "telling"]

BASE = ["name", "status", "started", "took"]
"""The columns that every list begins with."""

_TELLING = re.compile(r"val|eval|test|loss|acc|score|auc|f1|error|r2|rmse|mae", re.IGNORECASE)
_DULL = re.compile(
    r"runtime|per_second|time|epoch|step|learning_rate|^lr\b|grad_norm|flos|duration|^batch_", re.IGNORECASE
)
_DULL_SETTING = re.compile(r"seed|random_state|dir|path|file|verbos|workers|log", re.IGNORECASE)


def header(column: str) -> str:
    """What stands above a column: its name without the group."""
    group, _, name = column.partition(".")
    return name if name and group in GROUPS else column


def cell(run: RunSummary, column: str, now: float) -> str:
    """A column of a run as text; empty where the run has no such value."""
    value = column_value(run, column)
    if value is None or value == []:
        return ""
    if column == "started":
        return text.ago(value, now)
    write = _WRITE.get(PLAIN.get(column, ""))
    if write is None:
        write = text.number if isinstance(value, float) else text.value
    return write(value)


_WRITE: dict[str, Callable[[Any], str]] = {
    "status": text.status,
    "started_at": text.moment,
    "ended_at": text.moment,
    "duration": text.duration,
    "children": lambda children: str(len(children)),
    "tags": " ".join,
}


def interesting(runs: Sequence[RunSummary]) -> list[str]:
    """The metrics and settings worth a column, best first: results, then what differs between the runs.

    A setting that says the same as one before it (``args.lr`` and ``params.optimizer.lr``) is left out.
    """
    metrics = _spread(runs, _ranked(_counts(runs, "metrics"), _metric_rank))
    settings = [*_varying(runs, "args"), *_varying(runs, "params")]
    chosen: list[str] = []
    seen: set[str] = set()
    for column in settings:
        values = repr([column_value(run, column) for run in runs])
        if values not in seen:
            seen.add(values)
            chosen.append(column)
    # A result, a setting, a result …: the likeliest question is "which was best, and why".
    return [column for pair in zip_longest(metrics[:4], chosen[:4]) for column in pair if column is not None]


def telling(metrics: Iterable[str]) -> list[str]:
    """Names of metrics, the likeliest to be asked for first: validation, then losses and scores, then the rest."""
    return sorted(metrics, key=_metric_rank)


def _counts(runs: Iterable[RunSummary], group: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for run in runs:
        for name in getattr(run, group):
            counts[f"{group}.{name}"] = counts.get(f"{group}.{name}", 0) + 1
    return counts


def _ranked(counts: Mapping[str, int], rank: Any) -> list[str]:
    return sorted(counts, key=lambda column: (rank(column), -counts[column], column))


def _spread(runs: Sequence[RunSummary], ranked: list[str]) -> list[str]:
    """Best first, but the second is one that runs without the first have, if there are such."""
    without = [run for run in runs if ranked and column_value(run, ranked[0]) is None]
    for column in ranked[1:]:
        if any(column_value(run, column) is not None for run in without):
            return [ranked[0], column, *(one for one in ranked[1:] if one != column)]
    return ranked


def _metric_rank(column: str) -> int:
    name = header(column)
    if _DULL.search(name):
        return 3
    held_out = re.search(r"val|eval|test", name, re.IGNORECASE)
    return 0 if held_out else 1 if _TELLING.search(name) else 2


def _varying(runs: Sequence[RunSummary], group: str) -> list[str]:
    counts = _counts(runs, group)
    columns = []
    for column, count in counts.items():
        values = {repr(column_value(run, column)) for run in runs}
        values.discard("None")
        if len(values) > 1 and all(len(one) <= 24 for one in values):
            dull = bool(_DULL_SETTING.search(header(column))) + any(
                not _is_number(column_value(run, column)) for run in runs
            )
            columns.append((dull, -count, column))
    return [column for _, _, column in sorted(columns, key=lambda one: one[:2])]


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
