"""Columns of a list of runs by name: for sorting, choosing, exporting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autolog.store.schema import STATS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autolog.store.summary import RunSummary

__all__ = ["GROUPS", "PLAIN", "UnknownColumn", "column_value", "sorted_runs"]

GROUPS = ("metrics", "params", "args", "facts", "other", "fields")
PLAIN = {
    "id": "id",
    "name": "name",
    "project": "project",
    "status": "status",
    "parent": "parent",
    "started": "started_at",
    "started_at": "started_at",
    "ended": "ended_at",
    "ended_at": "ended_at",
    "duration": "duration",
    "took": "duration",
    "tags": "tags",
    "note": "note",
    "archived": "archived",
    "children": "children",
    "directory": "directory",
}
"""Columns that are fields of a run."""


class UnknownColumn(LookupError):  # noqa: N818  (it says what it is)
    """There is no such column; the message names the nearest one."""


def column_value(run: RunSummary, column: str) -> Any:
    """The value of a column.

    Args:
        run: The run.
        column: A key of :data:`PLAIN`, ``metrics.NAME`` (the last value) or ``metrics.NAME.min`` (any of ``last, min,
            max, count, last_step, last_epoch``), ``params.NAME``, ``args.NAME``, ``facts.git.commit``, ``other.NAME``,
            ``fields.NAME``. A bare NAME is looked for among metrics, parameters and arguments.

    Returns:
        The value; ``None`` where the run has none.
    """
    if column in PLAIN:
        return getattr(run, PLAIN[column])
    group, _, name = column.partition(".")
    if group in GROUPS and name:
        return _in_group(run, group, name)
    found = (_in_group(run, each, column) for each in GROUPS)
    return next((value for value in found if value is not None), None)


def sorted_runs(runs: Sequence[RunSummary], sort: str) -> list[RunSummary]:
    """Runs by a column, ``-column``: highest first. Those without a value come last, NaN right before them.

    Raises:
        UnknownColumn: no run has such a column.
    """
    column = sort.removeprefix("-")
    values = [(column_value(run, column), run) for run in runs]
    if runs and column not in PLAIN and all(value is None for value, _ in values):
        raise _unknown(column, runs)
    comparable = [(value, run) for value, run in values if value is not None and value == value]
    nan = [run for value, run in values if value is not None and value != value]
    missing = [run for value, run in values if value is None]
    comparable.sort(key=lambda pair: _order(pair[0]), reverse=sort.startswith("-"))
    return [*(run for _, run in comparable), *nan, *missing]


def _order(value: Any) -> tuple[int, Any]:
    """Numbers before texts: a column may hold both."""
    if isinstance(value, (int, float)):
        return 0, value
    if isinstance(value, list) and value and not isinstance(value[0], str):
        return 0, len(value)
    return 1, value if isinstance(value, str) else str(value)


def _in_group(run: RunSummary, group: str, name: str) -> Any:
    held: dict[str, Any] = getattr(run, group)
    if group == "args":
        return held[name].get("value") if name in held else None
    if group != "metrics":
        return _nested(held, name)
    if name in held:
        return held[name].last
    metric, _, stat = name.rpartition(".")
    return getattr(held[metric], stat) if metric in held and stat in STATS else None


def _nested(held: Any, name: str) -> Any:
    if not isinstance(held, dict):
        return None
    if name in held:
        return held[name]
    for cut in (place for place, letter in enumerate(name) if letter == "."):
        if name[:cut] in held:
            found = _nested(held[name[:cut]], name[cut + 1 :])
            if found is not None:
                return found
    return None


def _unknown(column: str, runs: Sequence[RunSummary]) -> UnknownColumn:
    import difflib

    names = {*PLAIN}
    for run in runs:
        for group in GROUPS:
            names.update(f"{group}.{name}" for name in getattr(run, group))
            names.update(getattr(run, group))
    near = difflib.get_close_matches(column, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return UnknownColumn(f"no run has a column {column!r}{hint}")
