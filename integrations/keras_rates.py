"""Learning rates of Keras' optimizers during a training, told without asking the device for them.

Keras' own schedules are formulas of the number of updates, which is known here: they are worked out with Python's
numbers and rounded as Keras rounds. A rate that the program sets is seen when it is set. Everything else is read where
an epoch ends and Keras has waited for the device anyway.
"""

from __future__ import annotations

import math
import struct
import sys
from bisect import bisect_left
from collections.abc import Callable
from threading import Lock
from time import perf_counter
from typing import Any
from weakref import ref

from autolog.integrations.keras_pure import is_pure

__all__ = ["Rates", "formula", "is_schedule", "named", "number", "unwrapped"]

_MODULE = "keras.src.optimizers.schedules.learning_rate_schedule"
_BUDGET = 0.005
"""The share of the time that calls of a program's own schedule may take."""


def number(value: Any) -> float:
    """A variable, tensor or number of any backend; by way of numpy, Keras would have numpy warn."""
    return float(getattr(value, "value", value))


def unwrapped(optimizer: Any) -> Any:
    """The optimizer that makes the updates: ``LossScaleOptimizer`` has one inside and does not count itself."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def named(optimizer: Any) -> dict[str, Any]:
    """An optimizer by the name of its learning rate; of a ``MultiOptimizer`` its parts, as Keras names them."""
    if optimizer is None:
        return {}
    parts = getattr(optimizer, "optimizers", None)
    return (
        {"learning_rate": unwrapped(optimizer)}
        if parts is None
        else {f"learning_rate_{one.name}": one for one in parts}
    )


def is_schedule(rate: Any) -> bool:
    """Whether a learning rate is a ``LearningRateSchedule``, Keras' or one's own."""
    return any(kind.__name__ == "LearningRateSchedule" and kind.__module__ == _MODULE for kind in type(rate).__mro__)


# -- Keras' own schedules ----------------------------------------------------------------------------------------------


def formula(schedule: Any) -> Callable[[int], float] | None:
    """A schedule of Keras as a function of the updates made so far; ``None`` for every other."""
    kind = type(schedule)
    make = _FORMULAS.get(kind.__name__) if kind.__module__ == _MODULE else None
    return None if make is None else make(vars(schedule))


def _exponential(told: dict[str, Any]) -> Callable[[int], float]:
    rate, steps, decay, floor = (
        told[name] for name in ("initial_learning_rate", "decay_steps", "decay_rate", "staircase")
    )
    return lambda step: float(rate * decay ** (step // steps if floor else step / steps))


def _inverse_time(told: dict[str, Any]) -> Callable[[int], float]:
    rate, steps, decay, floor = (
        told[name] for name in ("initial_learning_rate", "decay_steps", "decay_rate", "staircase")
    )
    return lambda step: rate / (1 + decay * (step // steps if floor else step / steps))


def _piecewise(told: dict[str, Any]) -> Callable[[int], float]:
    limits = [int(limit) for limit in told["boundaries"]]  # Keras casts them to the type of the counter
    values = told["values"]
    return lambda step: float(values[bisect_left(limits, step)])


def _polynomial(told: dict[str, Any]) -> Callable[[int], float]:
    rate, end, power = told["initial_learning_rate"], told["end_learning_rate"], told["power"]
    length, cycle = told["decay_steps"], told["cycle"]

    def at(step: int) -> float:
        steps = length * (math.ceil(step / length) or 1) if cycle else length
        return float((rate - end) * (1 - min(step, steps) / steps) ** power + end)

    return at


def _cosine(told: dict[str, Any]) -> Callable[[int], float]:
    rate, target, alpha = told["initial_learning_rate"], told["warmup_target"], told["alpha"]
    steps, warmup = told["decay_steps"], told["warmup_steps"]

    def at(step: int) -> float:
        if target is not None and step < warmup:
            return float((target - rate) * step / warmup + rate)
        done = min(step if target is None else step - warmup, steps) / steps
        return float((rate if target is None else target) * ((1 - alpha) * _half_wave(done) + alpha))

    return at


def _restarts(told: dict[str, Any]) -> Callable[[int], float] | None:
    rate, steps, alpha = told["initial_learning_rate"], told["first_decay_steps"], told["alpha"]
    factor = told["_m_mul"]
    if told["_t_mul"] != 1.0:
        return None  # Keras finds the restart by a logarithm, whose rounding decides at the limits

    def at(step: int) -> float:
        restart = step // steps
        return float(rate * ((1 - alpha) * factor**restart * _half_wave(step / steps - restart) + alpha))

    return at


def _half_wave(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * done))


_FORMULAS: dict[str, Callable[[dict[str, Any]], Callable[[int], float] | None]] = {
    "CosineDecay": _cosine,
    "CosineDecayRestarts": _restarts,
    "ExponentialDecay": _exponential,
    "InverseTimeDecay": _inverse_time,
    "PiecewiseConstantDecay": _piecewise,
    "PolynomialDecay": _polynomial,
}
_SINGLE = struct.Struct("f")


def _rounded(value: float) -> float:
    """As Keras has it: in single precision, unless it was told to calculate in double."""
    if sys.modules["keras"].config.floatx() == "float64":
        return float(value)
    return float(_SINGLE.unpack(_SINGLE.pack(value))[0])


# -- one optimizer -----------------------------------------------------------------------------------------------------


class _Rate:
    """The learning rate of one optimizer."""

    def __init__(self, name: str, optimizer: Any, *, ask: bool) -> None:
        self.name = name
        self._optimizer = ref(optimizer)  # a loop of the program's own may leave it behind
        rate = getattr(optimizer, "_learning_rate", None)
        self.formula = formula(rate)
        self.is_variable = rate is not None and not callable(rate)
        of_keras = is_schedule(rate) and type(rate).__module__ == _MODULE
        self.may_ask = self.is_variable or of_keras or (rate is not None and (ask or is_pure(rate)))
        self._asks = is_schedule(rate) and self.formula is None and self.may_ask
        self._spent = 0.0
        self._since = perf_counter()

    @property
    def optimizer(self) -> Any:
        """The optimizer; ``None`` once the program has dropped it."""
        return self._optimizer()

    def at(self, updates: int) -> float | None:
        """The rate of the update that comes after so many; ``None`` where it cannot be told now."""
        if self.formula is not None:
            return _rounded(self.formula(updates))
        return self.asked(updates) if self._asks and self._spent <= _BUDGET * (perf_counter() - self._since) else None

    def asked(self, updates: int) -> float:
        """What the schedule itself says, worked out beside the device that trains."""
        import keras

        begin = perf_counter()
        with keras.device("cpu"):
            value = number(self.optimizer._learning_rate(keras.ops.convert_to_tensor(updates, dtype="int32")))  # noqa: SLF001
        self._spent += perf_counter() - begin
        return value

    def now(self, updates: int) -> float | None:
        """The rate that the last of so many updates was made with, read from the device where that is needed."""
        rate = getattr(self.optimizer, "_learning_rate", None)
        if self.formula is not None:
            return self.at(max(updates - 1, 0))
        if not self.may_ask or rate is None:
            return None
        if self.is_variable:
            return number(rate)
        return self.asked(max(updates - 1, 0)) if is_schedule(rate) else number(rate())


class Rates:
    """The learning rates of one training.

    Args:
        optimizer: the model's own; see :func:`named`.
        own: optimizers that the program keeps beside it, by their names.
        ask: call a schedule or function of the program's own even where it may have side effects.
    """

    def __init__(self, optimizer: Any, own: dict[str, Any], *, ask: bool = False) -> None:
        self._main = [_Rate(name, one, ask=ask) for name, one in named(optimizer).items()]
        self._own = {key: _Rate(f"learning_rate_{key}", one, ask=ask) for key, one in own.items()}
        self._scheduled = [rate for rate in self._main if not rate.is_variable]
        self._set: dict[str, float] = {}
        self._known: dict[str, float] = {}
        self._last: tuple[int, dict[str, float]] = (-1, {})
        self._lock = Lock()  # Keras may tell of batches in threads of its own, and out of order

    @property
    def optimizers(self) -> list[Any]:
        """The optimizers whose rates these are; ``None`` for one that is gone."""
        return [rate.optimizer for rate in (*self._main, *self._own.values())]

    def epoch_begin(self) -> None:
        """An epoch begins, for which callbacks have set their rates: those it begins with are read."""
        self._set.clear()
        self._known = {rate.name: number(rate.optimizer._learning_rate) for rate in self._variables()}  # noqa: SLF001

    def begin(self) -> dict[str, float]:
        """A training without epochs begins: the rates that no schedule tells, read once."""
        self.epoch_begin()
        return dict(self._known)

    def _variables(self) -> list[_Rate]:
        return [rate for rate in (*self._main, *self._own.values()) if rate.is_variable]

    def at(self, updates: int) -> dict[str, float]:
        """Rates of the next update of the model's optimizer, as far as they follow a schedule."""
        if not self._scheduled:
            return {}
        told = {rate.name: value for rate in self._scheduled if (value := rate.at(updates)) is not None}
        with self._lock:
            if updates >= self._last[0]:
                self._last = (updates, told)
        return told

    def assigned(self, optimizer: Any, value: Any) -> None:
        """The program sets a rate."""
        for rate in self._variables():
            if rate.optimizer is optimizer and isinstance(value, (int, float)):
                self._set[rate.name] = _rounded(value)

    def take_assigned(self) -> dict[str, float]:
        """What has been set since the last call, during an epoch."""
        if not self._set:
            return {}
        told, self._set = self._set, {}
        self._known |= told
        return told

    def epoch_end(self, updates: int, own: dict[str, int]) -> dict[str, float]:
        """Rates of the last update; nothing of an optimizer that has made none, or whose rate is on record already.

        Args:
            updates: how many the model's optimizer has made in all.
            own: how many those beside it have made.
        """
        last, told = self._last
        found: dict[str, float | None] = {}
        for rate in self._main if updates else ():
            if not (rate.name in told and updates - 1 == last):
                found[rate.name] = self._now(rate, updates)
        for key, made in own.items():
            found[self._own[key].name] = self._now(self._own[key], made)
        return {name: value for name, value in found.items() if value is not None}

    def _now(self, rate: _Rate, updates: int) -> float | None:
        if rate.name in self._set:  # set at the end of this epoch, for the next one
            return self._known.get(rate.name)
        return rate.now(updates)
