"""Searches and cross-validations while they go on: a fold's scores are on record as soon as its fit has ended.

scikit-learn gives its results away when all fits are over; a process that is killed before would leave none. joblib
hands them to scikit-learn one by one, in order, with workers or without: they are read there. Where a version of joblib
does not do so, everything is written at the end.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from itertools import count
from numbers import Number
from types import FrameType, ModuleType
from typing import Any

from autolog import config, guard
from autolog.integrations.sklearn_names import caller
from autolog.integrations.sklearn_owner import Open, enclosing
from autolog.patching import Call, Hook, Undo, patch
from autolog.run import Run

__all__ = ["FINISHED", "Live", "install", "open_candidate"]

FINISHED = "finished_candidates"
"""Fact of a search that goes on: the candidates without a child run of their own."""
_OUTPUTS = ("_get_sequential_output", "_get_outputs")
"""joblib's generators of results, without workers and with them."""


class Live:
    """What is on record already of a search, or of a cross-validation.

    Attributes:
        folds: numbers of the folds by candidate; a cross-validation has one, 0.
        runs: child runs by candidate.
        rows: whether candidates have been written to the fact :data:`FINISHED`.
    """

    __slots__ = ("folds", "rows", "runs")

    def __init__(self) -> None:
        self.folds: dict[int, set[int]] = {}
        self.runs: dict[int, Run] = {}
        self.rows = False

    def abandon(self, error: BaseException) -> None:
        """The search has failed: so has the candidate that was being tried."""
        for run in self.runs.values():
            run.close_child(error)


def install(module: ModuleType) -> Iterable[Undo]:
    """Watch the results of searches and cross-validations.

    Args:
        module: ``sklearn.utils.parallel``.
    """
    yield patch(module.Parallel, "__call__", _working)


def open_candidate(run: Run, index: int, params: Any) -> Run:
    """A child run for a candidate of the search ``run``."""
    child = run.open_child(f"candidate {index}", "candidate", "sklearn")
    if isinstance(params, Mapping):
        child.log_params(params, "sklearn.candidate")
    return child


def _working(call: Call) -> Hook:
    tell = _listener(caller(sys._getframe(1)))  # noqa: SLF001  who works in parallel is only known from its frame
    if tell is None:
        yield
        return
    own = vars(call.instance)  # made by scikit-learn for this search
    replaced = [name for name in _OUTPUTS if name not in own and hasattr(call.instance, name)]
    for name in replaced:
        own[name] = functools.partial(_told, tell, getattr(call.instance, name))
    try:
        yield
    finally:
        for name in replaced:
            own.pop(name, None)


def _told(tell: Callable[[Any], None], outputs: Callable[..., Any], *args: Any) -> Generator[Any]:
    """What ``outputs`` yields; the first one is no result but ``None``."""
    for result in outputs(*args):
        if isinstance(result, Mapping):
            with guard.guard("sklearn.live"):
                tell(result)
        yield result


def _listener(frame: FrameType | None) -> Callable[[Any], None] | None:
    """What is to be told of each result, where the work is that of the outermost search or cross-validation."""
    if frame is None or not str(frame.f_globals.get("__name__", "")).startswith("sklearn.model_selection."):
        return None
    name, one = frame.f_code.co_name, enclosing()
    if name not in ("evaluate_candidates", "cross_validate") or not isinstance(one, Open):
        return None
    local = frame.f_locals
    if name == "cross_validate":
        judged = one.run.kind == "cross_validation" and local.get("estimator") is one.estimator
        return _folds(one) if judged and one.live is None else None
    if local.get("self") is not one.estimator or not {"candidate_params", "n_splits"} <= local.keys():
        return None
    return _candidates(one, local["candidate_params"], local["n_splits"], len(local.get("all_candidate_params", ())))


def _folds(one: Open) -> Callable[[Any], None]:
    """The folds of a cross-validation."""
    one.live = live = Live()
    folds, numbers = live.folds.setdefault(0, set()), count()

    def tell(result: Mapping[str, Any]) -> None:
        fold = next(numbers)
        if (scores := _scores(result)) is not None:
            times = {name: result[name] for name in ("fit_time", "score_time") if name in result}
            one.run.captured_metrics(times | scores, step=fold)
            folds.add(fold)

    return tell


def _candidates(one: Open, candidates: list[Any], splits: int, before: int) -> Callable[[Any], None]:
    """The folds of the candidates of a search, each in its child run; of too many candidates, in a fact of the search.

    Args:
        one: the search.
        candidates: their parameters.
        splits: how many folds each has.
        before: how many candidates the search has tried in earlier iterations.
    """
    one.live = live = one.live or Live()
    numbers = count()
    as_runs = before + len(candidates) <= config.settings().search_candidates
    row: dict[str, Any] = {}

    def tell(result: Mapping[str, Any]) -> None:
        place, fold = divmod(next(numbers), splits)
        index, params, scores = before + place, candidates[place], _scores(result)
        if not as_runs:
            _add(row, fold, scores)
            if fold == splits - 1:
                live.rows = True
                one.run.log_fact(FINISHED, [{"candidate": index, "params": params, **row}], append=True)
                row.clear()
            return
        if scores is not None:
            child = live.runs.get(index)
            if child is None:
                child = live.runs[index] = open_candidate(one.run, index, params)
            child.captured_metrics(scores, step=fold)
            live.folds.setdefault(index, set()).add(fold)
        if fold == splits - 1 and index in live.runs:
            live.runs[index].close_child()

    return tell


def _add(row: dict[str, Any], fold: int, scores: Mapping[str, Any] | None) -> None:
    """Add the scores of a fold to those of the candidate; ``None`` where its fit has failed."""
    for name in scores or ():
        row.setdefault(name, [None] * fold)
    for name, values in row.items():
        values.append(None if scores is None else scores.get(name))


def _scores(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """The scores of one fit, named as in the results; ``None`` where it failed: what counts then is known later."""
    if result.get("fit_error") is not None:
        return None
    found: dict[str, Any] = {}
    for kind in ("test", "train"):
        scores = result.get(f"{kind}_scores")
        named = scores if isinstance(scores, Mapping) else {"score": scores}
        found |= {f"{kind}_{name}": value for name, value in named.items() if isinstance(value, Number)}
    return found
