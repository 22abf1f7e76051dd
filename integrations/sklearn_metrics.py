"""What the program measures with ``sklearn.metrics``: the value it got, on the fit whose predictions were judged.

All of these functions are made by scikit-learn's decorator ``validate_params``, which keeps the function inside in its
closure: what is there is replaced, so that a function is seen however and whenever it was imported. It is called
once, by the program; no scorer is ever called here.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Mapping
from types import FrameType, FunctionType, ModuleType
from typing import Any

from autolog import current
from autolog.integrations import sklearn_judging as judging
from autolog.integrations.sklearn_allowance import allowance
from autolog.integrations.sklearn_names import Names, argument_names, caller
from autolog.integrations.sklearn_owner import computing, is_computing
from autolog.integrations.sklearn_predictions import Prediction, named, remember, trace
from autolog.integrations.sklearn_values import record
from autolog.patching import Call, Hook, Undo, patch_closure

__all__ = ["install"]

_PREDICTED = (
    "y_pred", "y_score", "y_proba", "y_prob", "probas_pred", "pred_decision", "labels_pred", "labels", "y2", "y",
)  # fmt: skip
"""What the functions call the predictions, the ones they judge first."""
_IN_NO_NAME = {"labels", "pos_label", "sample_weight", "zero_division", "target_names", "output_dict", "digits"}
_ROWS = 20_000
"""Rows of which autolog makes a confusion matrix or residuals of its own."""
_parameters: dict[str, Mapping[str, inspect.Parameter]] = {}


def install(module: ModuleType) -> Iterable[Undo]:
    """Watch the functions of ``sklearn.metrics`` that judge predictions.

    Args:
        module: ``sklearn.metrics``.
    """
    for name in module.__all__:
        function = getattr(module, name)
        if not isinstance(function, FunctionType) or "func" not in function.__code__.co_freevars:
            continue
        parameters = inspect.signature(function).parameters
        if set(list(parameters)[1:2]) & set(_PREDICTED) and name != "consensus_score":
            _parameters[name] = parameters
            yield patch_closure(function, "func", _measuring)


def _measuring(call: Call) -> Hook:
    part = is_computing()
    with computing():
        result = yield
    if part:
        return
    name = call.function.__name__
    parameters = _parameters[name]
    given = {**dict(zip(parameters, call.args, strict=False)), **call.kwargs}
    first, second = list(parameters)[:2]
    prediction = _judged(given, second)
    run = current.current_run() if prediction is None else prediction.run
    frame = caller(sys._getframe(1))  # noqa: SLF001  whose call it is
    if run is None or (prediction is None and (name == "auc" or _is_told_elsewhere(frame))):  # of any curve
        return
    names = argument_names(frame)
    data = _data(prediction, names, first)
    label = named(_with_options(name, given, parameters), data)
    record(run, label, name, result, given)
    if prediction is not None:
        if isinstance(result, tuple):
            remember(result, run, data)  # auc(fpr, tpr) belongs where they do
        if second == "y_pred" and given.get("sample_weight") is None:
            _judge(prediction, data, call.function.__module__, given.get(first), given.get(second))


def _is_told_elsewhere(frame: FrameType | None) -> bool:
    """Whether the caller is an evaluator that has an integration of its own, and a name of its own for the value."""
    return frame is not None and str(frame.f_globals.get("__name__", "")).startswith("sentence_transformers.")


def _judged(given: Mapping[str, Any], second: str) -> Prediction | None:
    """Whose predictions are among the arguments; those at the place of predictions count first."""
    for name in (second, *given):
        found = trace(given.get(name))
        if found is not None:
            return found
    return None


def _data(prediction: Prediction | None, names: Names, first: str) -> str | None:
    """What was predicted for, else what is true of it: ``X_test``, ``y_test``."""
    if prediction is not None and prediction.data:
        return prediction.data
    return names.of(0, first)


def _with_options(name: str, given: Mapping[str, Any], parameters: Mapping[str, inspect.Parameter]) -> str:
    """``f1_score_macro``: the name with the plain arguments that are not the default, which make it another metric."""
    for key, value in list(given.items()):
        plain = isinstance(value, (str, int, float)) and key in list(parameters)[2:] and key not in _IN_NO_NAME
        if plain and value != parameters[key].default:
            name += f"_{value}" if key in ("average", "multi_class") else f"_{key}={value}"
    return name


def _judge(prediction: Prediction, data: str | None, module: str, true: Any, predicted: Any) -> None:
    """Confusion matrix or residuals of what was judged, once for the same predictions, from what the call was given."""
    kind = module.rpartition("._")[2]
    if kind not in ("classification", "regression") or kind in prediction.judged:
        return
    prediction.judged.add(kind)
    if type(true).__module__.partition(".")[0] not in ("numpy", "pandas") or len(true) > _ROWS:
        return
    if not allowance.affords(f"judging {kind}", 0.003):
        return
    with allowance.paying(f"judging {kind}"):
        rows = {"rows": len(true), "of": len(true)}
        if kind == "regression":
            judging.log_residuals(prediction.run, named("autolog/residuals", data), true, predicted, rows)
        elif (found := judging.counts(true, predicted)) is not None:
            judging.log_counts(prediction.run, named("autolog/confusion_matrix", data), found, rows)
