"""Cross-validation: one child run with its folds, however many fits it makes, also in other processes."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from types import FunctionType, ModuleType
from typing import Any

from autolog import current, guard, patching
from autolog.integrations import sklearn_fits, sklearn_predictions
from autolog.integrations.sklearn_allowance import allowance
from autolog.integrations.sklearn_data import Data
from autolog.integrations.sklearn_names import argument_names, caller
from autolog.integrations.sklearn_owner import Open, enclosing, opened
from autolog.patching import Call, Hook, Undo, patch_closure
from autolog.run import Run, activate, deactivate

__all__ = ["install"]

_FUNCTIONS = (
    "cross_val_predict", "cross_val_score", "cross_validate", "learning_curve", "permutation_test_score",
    "validation_curve",
)  # fmt: skip
_OWN = ("estimator", "X", "y", "groups")


def install(module: ModuleType) -> Iterable[Undo]:
    """Watch cross-validation; in scikit-learn 1.3, ``cross_val_predict`` cannot be.

    Args:
        module: ``sklearn.model_selection``.
    """
    for name in _FUNCTIONS:
        function = getattr(module, name)
        if isinstance(function, FunctionType) and "func" in function.__code__.co_freevars:
            yield patch_closure(function, "func", _validating)


def _validating(call: Call) -> Hook:
    outer = enclosing()
    if outer is not None:
        result = yield
        if isinstance(outer, Open) and isinstance(result, Mapping):
            outer.details = dict(result)  # cross_val_score gives away less than it knows
        return
    one = _begin(call)
    activate(one.run)
    try:
        result = yield
    except BaseException as error:
        _end(one, error)
        raise
    with guard.guard("sklearn.cross_validation"):
        if not patching.is_silent():
            _record(one, call, result)
    _end(one, None)


def _begin(call: Call) -> Open:
    frame = caller(sys._getframe(1))  # noqa: SLF001  whose call it is
    function = call.function.__name__
    if frame is not None and frame.f_globals.get("__name__") == "sklearn.model_selection._validation":
        function = frame.f_code.co_name  # 1.3: cross_val_score is not decorated itself
        frame = frame.f_back
    estimator = call.argument("estimator")
    run = current.ensure_run().open_child(type(estimator).__name__, "cross_validation", "sklearn")
    one = opened[run.child_id] = Open(run, estimator)
    with guard.guard("sklearn.params"):
        params = sklearn_fits.parameters(estimator)
        run.log_params({name: sklearn_fits.without_estimators(value) for name, value in params.items()}, "sklearn")
        run.log_params(_options(call, function), "sklearn.cross_validation")
    with guard.guard("sklearn.data"):
        data = Data(call.function, call.args[1:], call.kwargs, argument_names(frame))
        data.places = {name: place + 1 for name, place in data.places.items()}  # the estimator is the first one
        data.given = {name: data.given[name] for name in ("X", "y", "groups") if data.given.get(name) is not None}
        run.log_fact("data", data.described())
        one.details["variable"] = data.variable("X")
    return one


def _options(call: Call, function: str) -> dict[str, Any]:
    """How it validates: ``cv``, ``scoring`` …, as they were given."""
    code = call.function.__code__
    names = code.co_varnames[: code.co_argcount]
    given = {**dict(zip(names, call.args, strict=False)), **call.kwargs}
    options = {name: value for name, value in given.items() if name not in _OWN and value is not None}
    return {"cross_validation": {"function": function, **options}}


def _end(one: Open, error: BaseException | None) -> None:
    deactivate(one.run)
    opened.pop(one.run.child_id, None)
    if patching.is_silent():
        return
    with guard.guard("sklearn.cross_validation"):
        if one.nested:
            one.run.log_fact("fit", {"nested": dict(Counter(one.nested))})
        one.run.close_child(error)


def _record(one: Open, call: Call, result: Any) -> None:
    run, name = one.run, call.function.__name__
    variable = one.details.pop("variable", None)
    if name == "cross_val_predict":
        sklearn_predictions.remember(result, run, variable)
    elif name in ("learning_curve", "validation_curve"):
        _curve(run, call, name, result)
    elif name == "permutation_test_score":
        score, scores, p_value = result
        run.captured_metrics({"score": score, "p_value": p_value})
        run.log_histogram("permutation_scores", scores)
    else:
        folds = result if isinstance(result, Mapping) else one.details or {"test_score": result}
        _folds(run, folds, set() if one.live is None else one.live.folds[0])


def _folds(run: Run, columns: Mapping[str, Any], known: set[int]) -> None:
    """The values of each fold that is not on record, at its number; autolog's own mean and deviation of the scores."""
    scores = {name: column for name, column in columns.items() if getattr(column, "ndim", 0) == 1}
    scores = {name: column for name, column in scores.items() if column.dtype.kind in "iuf"}
    for fold in range(max(map(len, scores.values()), default=0)):
        if fold not in known:
            run.captured_metrics({name: column[fold] for name, column in scores.items()}, step=fold)
    for name, column in scores.items():
        if not name.endswith("_time"):
            run.captured_metrics({f"autolog/mean_{name}": column.mean(), f"autolog/std_{name}": column.std()})
    allowance.earn(float(sum(column.sum() for name, column in scores.items() if name.endswith("_time"))))


def _curve(run: Run, call: Call, name: str, result: Any) -> None:
    """Scores of every fold at each size of the training data, or at each value of the parameter."""
    if name == "learning_curve":
        sizes, train, test = result[:3]
        column, values = "train_size", sizes.tolist()
        steps = values
    else:
        train, test = result[:2]
        column, values = str(call.argument("param_name")), list(call.argument("param_range"))
        steps = list(range(len(values)))
    rows = []
    for place, (step, value) in enumerate(zip(steps, values, strict=True)):
        for fold, (one, other) in enumerate(zip(train[place].tolist(), test[place].tolist(), strict=True)):
            run.captured_metrics({"train_score": one, "test_score": other}, step=step)
            rows.append({column: value, "fold": fold, "train_score": one, "test_score": other})
    run.log_table(name, rows)
