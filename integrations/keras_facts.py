"""What a Keras model says of itself: arguments, compile and optimizer configuration, size, steps, learning rate."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Mapping
from typing import Any

from autolog import guard
from autolog.integrations.shapes import describe
from autolog.patching import Call
from autolog.run import Run

__all__ = ["Steps", "learning_rate", "record_call", "record_model"]

_DATA = ("x", "y", "sample_weight", "validation_data")
_NOT_PARAMETERS = ("self", "kwargs", "callbacks", "return_dict", "verbose", *_DATA)
_SUMMARY_LAYERS = 1000
"""Most layers a summary is made for: Keras takes about a millisecond for each ten."""


class Steps:
    """Steps of the model's optimizer, as Keras counts them (``optimizer.iterations``), without asking it each batch.

    The counter is on the device: it is read where an epoch ends, and batches are counted in between. Where no
    optimizer of the model's moves (a training step of the user's own), batches are counted all along.
    """

    def __init__(self, model: Any) -> None:
        self._optimizer = getattr(model, "optimizer", None)
        self._accumulate = int(getattr(self._optimizer, "gradient_accumulation_steps", None) or 1)
        self._counter = self._read() or 0
        """Keras' counter, when it was last read."""
        self._base = self._counter
        self._batches = 0

    def at(self, batch: int) -> int:
        """The step after the batch of that index has been done."""
        self._batches = max(self._batches, batch + 1)
        return (self._base + batch + 1) // self._accumulate

    def epoch_end(self) -> int:
        """The step now; the next batch begins a new epoch."""
        read = self._read()
        if read is not None and read != self._counter:
            self._base = self._counter = read
        else:
            self._base += self._batches
        self._batches = 0
        return self._base // self._accumulate

    def _read(self) -> int | None:
        # Under gradient accumulation, the public `iterations` is this counter divided.
        counter = getattr(self._optimizer, "_iterations", None)
        return None if counter is None else int(_number(counter))


def _number(value: Any) -> float:
    """A variable, tensor or number of any backend; by way of numpy, Keras would have numpy warn."""
    return float(getattr(value, "value", value))


def learning_rate(model: Any) -> dict[str, float]:
    """``{"learning_rate": …}`` of the model's optimizer now; empty without one."""
    optimizer = getattr(model, "optimizer", None)
    rate = getattr(optimizer, "_learning_rate", None)
    if rate is None or _is_function(rate):  # a function of the user's is not called once more
        return {}
    return {"learning_rate": _number(optimizer.learning_rate)}  # type: ignore[union-attr]  # it has _learning_rate


def record_call(child: Run, call: Call, source: str) -> None:
    """Write the arguments of ``fit`` or ``evaluate``, and what the data look like."""
    with guard.guard(source):
        bound = inspect.signature(call.function).bind(*call.args, **call.kwargs)
        bound.apply_defaults()
        given = bound.arguments
        values = {name: value for name, value in given.items() if name not in _NOT_PARAMETERS and value is not None}
        if given.get("callbacks"):
            values["callbacks"] = [type(one).__name__ for one in _flat(given["callbacks"])]
        child.log_params(values, source)
        child.log_fact("data", {name: describe(given[name]) for name in _DATA if given.get(name) is not None})


def record_model(child: Run, model: Any) -> None:
    """Write how the model was compiled, and its size and summary."""
    with guard.guard("keras.compile"):
        config = getattr(getattr(model, "_compile_config", None), "config", {})
        compiled = {name: _plain(value) for name, value in config.items() if value is not None and name != "optimizer"}
        optimizer = getattr(model, "optimizer", None)
        if optimizer is not None:
            compiled["optimizer"] = _optimizer(optimizer)
        child.log_params(compiled, "keras.compile")
    with guard.guard("keras.model"):
        child.log_fact("model", {**_model(model), **_summary(model)})


def _optimizer(optimizer: Any) -> dict[str, Any]:
    told = {"class": type(optimizer).__name__}
    rate = getattr(optimizer, "_learning_rate", None)
    if _is_function(rate):  # Keras would warn while it serializes the function
        return {**told, "learning_rate": rate}
    return {**told, **optimizer.get_config()}


def _is_function(rate: Any) -> bool:
    return callable(rate) and not hasattr(rate, "get_config")


def _plain(value: Any) -> Any:
    """Losses and metrics as people write them: a name, a function, or an object with its configuration."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    kind = type(value)
    if not hasattr(value, "get_config"):
        return getattr(value, "__name__", value)
    # Wrappers serialize the user's function, and warn about lambdas; a user's class may do anything.
    if kind.__name__.endswith("Wrapper") or not kind.__module__.startswith("keras."):
        return {"class": kind.__name__, "name": getattr(value, "name", None)}
    return {"class": kind.__name__, **value.get_config()}


def _model(model: Any) -> dict[str, Any]:
    trainable, fixed = _count(model.trainable_weights), _count(model.non_trainable_weights)
    told: dict[str, Any] = {
        "name": model.name,
        "class": type(model).__qualname__,
        "backend": sys.modules["keras"].backend.backend(),
        "dtype_policy": model.dtype_policy.name,
        "layers": len(model.layers),
        "parameters": trainable + fixed,
        "trainable_parameters": trainable,
        "non_trainable_parameters": fixed,
    }
    return told


def _summary(model: Any) -> dict[str, str]:
    if len(model.layers) > _SUMMARY_LAYERS:
        return {}
    lines: list[str] = []
    with guard.guard("keras.summary"):  # Keras refuses in a terminal of a few columns
        model.summary(print_fn=lines.append)
    return {"summary": "\n".join(lines)}


def _count(weights: list[Any]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def _flat(callbacks: Any) -> list[Any]:
    callbacks = getattr(callbacks, "callbacks", callbacks)
    return list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
