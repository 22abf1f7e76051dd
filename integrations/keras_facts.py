"""What a Keras training was told: arguments of ``fit`` and ``evaluate``, how the model was compiled, the data."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from autolog import guard
from autolog.integrations.keras_rates import is_schedule, number, unwrapped
from autolog.integrations.shapes import describe
from autolog.patching import Call, Hook
from autolog.run import Run

__all__ = [
    "Handed",
    "handed",
    "iterator",
    "own_optimizers",
    "record_call",
    "record_compiled",
    "record_data",
    "record_optimizers",
]

_DATA = ("x", "y", "sample_weight", "validation_data")
_NOT_PARAMETERS = ("self", "kwargs", "callbacks", "return_dict", "verbose", *_DATA)


class Handed:
    """What a wrapped ``fit`` or ``evaluate`` hands to the callback that begins inside it.

    Attributes:
        child: the child run, once; ``None``: nobody reports.
        batches: how Keras reads the data, as soon as it knows.
        length: batches of an epoch, where it is the data that ends it.
        data: what the data look like from outside.
        reporter: who took the child run over.
    """

    def __init__(self, child: Run | None) -> None:
        self.child = child
        self.batches: dict[str, Any] | None = None
        self.length: int | None = None
        self.data: dict[str, Any] = {}
        self.reporter: Any = None


handed: ContextVar[Handed | None] = ContextVar("autolog_keras", default=None)


def iterator(call: Call) -> Hook:
    """Around ``EpochIterator.reset``, called before all else: the first one in a ``fit`` is that of its training data.

    Not around its ``__init__``: Keras warns from there, and of the place that called.
    """
    yield
    now = handed.get()
    if now is not None and now.batches is None:
        now.batches = _batches(call.instance)
        now.length = None if call.instance.steps_per_epoch else call.instance._num_batches  # noqa: SLF001  known by now


def _batches(iterator: Any) -> dict[str, Any]:
    """Kind of the data, batch size and batches of an epoch: attributes only, which Keras has filled."""
    adapter = iterator.data_adapter
    told = {"reader": type(adapter).__name__, "batches": iterator.steps_per_epoch or iterator._num_batches}  # noqa: SLF001
    size = vars(adapter).get("_batch_size")
    if isinstance(size, int):
        told["batch_size"] = size
    loader = vars(adapter).get("_dataloader")
    if isinstance(getattr(loader, "batch_size", None), int):
        told["batch_size"] = loader.batch_size
    return {name: value for name, value in told.items() if value is not None}


def own_optimizers(model: Any) -> dict[str, Any]:
    """Optimizers of Keras that a model keeps beside the one it was compiled with, by attribute: those of a GAN."""
    main = getattr(model, "optimizer", None)
    return {
        name: value
        for name, value in vars(model).items()
        if value is not main and not name.startswith("_") and _is_optimizer(value)
    }


def _is_optimizer(value: Any) -> bool:
    return any(
        kind.__name__ == "BaseOptimizer" and kind.__module__.startswith("keras.") for kind in type(value).__mro__
    )


def record_call(hand: Handed, call: Call, source: str) -> None:
    """Write the arguments of ``fit`` or ``evaluate``, and keep what the data look like for :func:`record_data`."""
    with guard.guard(source):
        bound = inspect.signature(call.function).bind(*call.args, **call.kwargs)
        bound.apply_defaults()
        given = bound.arguments
        values = {name: value for name, value in given.items() if name not in _NOT_PARAMETERS and value is not None}
        if given.get("callbacks"):
            values["callbacks"] = [type(one).__name__ for one in _flat(given["callbacks"])]
        hand.data = {name: describe(given[name]) for name in _DATA if given.get(name) is not None}
        if hand.child is not None:
            hand.child.log_params(values, source)


def record_data(child: Run, hand: Handed | None, params: Mapping[str, Any]) -> None:
    """Write what the data look like, and how Keras reads them: known once it has made its iterator."""
    batches = dict(hand.batches or {}) if hand is not None else {}
    if isinstance(params.get("steps"), int):
        batches.setdefault("batches", params["steps"])
    told = {**(hand.data if hand is not None else {}), **batches}
    if told:
        child.log_fact("data", told)


def record_compiled(child: Run, model: Any, own: Mapping[str, Any]) -> None:
    """Write how the model was compiled, and the configuration of every optimizer."""
    with guard.guard("keras.compile"):
        config = getattr(getattr(model, "_compile_config", None), "config", {})
        compiled = {name: _plain(value) for name, value in config.items() if value is not None and name != "optimizer"}
        optimizer = getattr(model, "optimizer", None)
        for name, one in {**({} if optimizer is None else {"optimizer": optimizer}), **own}.items():
            compiled[name] = _optimizer(one)
        child.log_params(compiled, "keras.compile")


def record_optimizers(child: Run, optimizers: Mapping[str, Any]) -> None:
    """Write the configuration of optimizers that a program steps itself, by their names."""
    with guard.guard("keras.optimizer"):
        child.log_params({name: _optimizer(one) for name, one in optimizers.items()}, "keras.optimizer")


def _optimizer(optimizer: Any) -> dict[str, Any]:
    """Class and configuration. Only Keras' own code is asked for it, and not for functions, of which it would warn."""
    kind = type(optimizer)
    parts = getattr(optimizer, "optimizers", None)
    if parts is not None:
        return {"class": kind.__name__, **{one.name: _optimizer(one) for one in parts}}
    inner = unwrapped(optimizer)
    if inner is not optimizer:
        scale = vars(optimizer)
        own = {name: scale[name] for name in ("initial_scale", "dynamic_growth_steps") if name in scale}
        return {"class": kind.__name__, **own, "inner_optimizer": _optimizer(inner)}
    rate = getattr(optimizer, "_learning_rate", None)
    if _of_keras(kind) and not callable(rate):
        return {"class": kind.__name__, **optimizer.get_config()}
    names = list(inspect.signature(kind.__init__).parameters)[1:]
    told = {name: vars(optimizer)[name] for name in names if name in vars(optimizer)}
    if rate is not None:
        told["learning_rate"] = _schedule(rate) if is_schedule(rate) else rate if callable(rate) else number(rate)
    return {"class": kind.__name__, **told}


def _schedule(schedule: Any) -> dict[str, Any]:
    """As Keras serializes it. Its own serialization imports TensorFlow wherever that is installed.

    Of a schedule of the program's own, which often has no ``get_config``: what it keeps.
    """
    kept = {name: one for name, one in vars(schedule).items() if not name.startswith("_")}
    config = schedule.get_config() if _of_keras(type(schedule)) else kept
    return {"class_name": type(schedule).__name__, "config": config}


def _of_keras(kind: type) -> bool:
    return kind.__module__.startswith("keras.")


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


def _flat(callbacks: Any) -> list[Any]:
    callbacks = getattr(callbacks, "callbacks", callbacks)
    return list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
