"""What a search has tried: a child run for each of the best candidates, all of them in one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autolog import config
from autolog.integrations.sklearn_live import FINISHED, Live, open_candidate
from autolog.run import Run

__all__ = ["record_search"]

_TOLD = ("best_index_", "n_splits_", "refit_time_", "n_candidates_", "n_resources_")


def record_search(run: Run, fitted: Mapping[str, Any], live: Live | None = None) -> None:
    """Write ``cv_results_`` and what was found best.

    Args:
        run: the search's child run.
        fitted: the attributes of the search.
        live: what is on record already, written while the search went on.
    """
    if isinstance(best := fitted.get("best_params_"), Mapping):
        run.log_params({"best_params_": best}, "sklearn.search")
    results: Mapping[str, Any] = fitted["cv_results_"]
    columns = {name: column for name, column in results.items() if name != "params" and not name.startswith("param_")}
    candidates = list(results.get("params", ()))
    count = len(candidates) or max((len(column) for column in columns.values()), default=0)
    order = _best_first(columns, count)
    live = live or Live()
    shown = {*live.runs, *order[: config.settings().search_candidates]} if candidates else set()
    told = {"candidates": count, "candidates_as_runs": len(shown)}
    told |= {name: fitted[name] for name in _TOLD if name in fitted}
    run.log_fact("search", told)
    run.log_table("cv_results_", _table(columns, candidates))
    if live.rows:
        run.log_fact(FINISHED, {"all": "cv_results_"})
    for index in sorted(shown):
        child = live.runs.get(index) or open_candidate(run, index, candidates[index])
        values = {name: column[index] for name, column in columns.items()}
        _results(child, values, live.folds.get(index, set()))


def _table(columns: Mapping[str, Any], candidates: list[Any]) -> dict[str, Any]:
    """The columns of the table, parameters first; a parameter that a candidate has not is absent there."""
    names = list(dict.fromkeys(name for candidate in candidates for name in candidate))
    table: dict[str, Any] = {f"param_{name}": [candidate.get(name) for candidate in candidates] for name in names}
    return table | {name: column.tolist() if hasattr(column, "tolist") else column for name, column in columns.items()}


def _best_first(columns: Mapping[str, Any], count: int) -> list[int]:
    ranks = next((column for name, column in columns.items() if name.startswith("rank_")), None)
    order = list(range(count))
    return order if ranks is None else sorted(order, key=lambda index: ranks[index])


def _results(child: Run, values: Mapping[str, Any], known: set[int]) -> None:
    """One candidate: the score of each fold that is not on record, at the fold's number, and the rest as it is."""
    folds: dict[int, dict[str, Any]] = {}
    rest: dict[str, Any] = {}
    for name, value in values.items():
        fold, _, score = name.removeprefix("split").partition("_")
        if name.startswith("split") and fold.isdigit():
            folds.setdefault(int(fold), {})[score] = value
        else:
            rest[name] = value
    for number, scores in sorted(folds.items()):
        if number not in known:
            child.captured_metrics(scores, step=number)
    child.captured_metrics(rest)
    child.close_child()
