"""One ``fit`` or ``evaluate`` as a callback sees it, translated into the records of a child run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from autolog import patching
from autolog.integrations import keras_facts, keras_weights
from autolog.integrations.keras_callbacks import Callbacks
from autolog.integrations.keras_model import record_model
from autolog.integrations.keras_rates import Rates, number, unwrapped
from autolog.integrations.keras_steps import Steps, Throttle, behind, counter

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = [
    "Options",
    "Reporter",
    "assigned",
    "evaluation_end",
    "forget",
    "is_training",
    "reporter_of",
    "reporter_with",
    "training",
]


class Options(NamedTuple):
    """What ``AutologCallback`` was asked for; the automatic one has the defaults."""

    run: Run | None = None
    log_batches: bool = True
    every_n_batches: int | None = None
    log_learning_rate: bool | None = None
    log_model: bool = True
    weights: str | None = None


_rates: WeakKeyDictionary[Any, Rates] = WeakKeyDictionary()
"""Of the optimizers that are training."""


def reporter_of(model: Any) -> Reporter | None:
    """The training of a model that is going on."""
    return next((reporter for reporter in reversed(_open) if reporter.model is model), None)


def training(rates: Rates, *, begins: bool) -> None:
    """Optimizers begin or end a training: what the program sets in between goes on record."""
    for optimizer in rates.optimizers:
        if optimizer is None:  # it is gone
            continue
        if begins:
            _rates[optimizer] = rates
        elif _rates.get(optimizer) is rates:
            del _rates[optimizer]


def is_training(optimizer: Any) -> bool:
    """Whether an optimizer takes part in a training that is recorded."""
    return optimizer in _rates


_open: list[Reporter] = []
"""Trainings that are going on."""


def forget() -> None:
    """In a forked child: what its parent trains goes on there."""
    _open.clear()


def reporter_with(callback: Any) -> Reporter | None:
    """The training that a callback takes part in."""
    return next((reporter for reporter in reversed(_open) if callback in reporter.used), None)


def assigned(optimizer: Any, value: Any) -> None:
    """The program sets the learning rate of an optimizer."""
    rates = _rates.get(optimizer)
    if rates is not None:
        rates.assigned(optimizer, value)


class Reporter:
    """One training: which step and epoch it is at, and what goes on record there.

    Args:
        child: the child run.
        model: the model that is trained.
        options: what is wanted.
        owned: whether the child run was opened by the callback, where ``fit`` is not ours, and so ends with it.
        epochs: the last epoch asked for.
        length: batches of an epoch, where it is the data that ends it.
    """

    def __init__(
        self, child: Run, model: Any, options: Options, epochs: Any, length: int | None, *, owned: bool
    ) -> None:
        self.child = child
        self.model = model
        self.options = options
        self.owned = owned
        self.epoch = 0
        self.used = Callbacks([])
        """The callbacks beside ours."""
        self.steps = Steps(model, length)
        self._epochs = epochs
        self._own = keras_facts.own_optimizers(model)
        self.rates = Rates(getattr(model, "optimizer", None), self._own, ask=bool(options.log_learning_rate))
        self._begun = {name: counter(optimizer) or 0 for name, optimizer in self._own.items()}
        self._throttle = Throttle(options.every_n_batches, int(getattr(model, "steps_per_execution", 1) or 1))
        self._behind = 0 if owned else behind(model)
        self._names: dict[str, str] = {}
        self._wants_rates = options.log_learning_rate is not False
        self._thinned = False
        self._finite = True
        self._epochs_done = 0
        self._initial_epoch: int | None = None
        self._described = False
        self._closed = False
        self._weights = keras_weights.begin(child, model, options.weights)
        if self._wants_rates:
            training(self.rates, begins=True)

    # -- begin and end -----------------------------------------------------------------------------------------------

    def begin(self, used: list[Any]) -> None:
        """The training begins; ``used`` are the callbacks beside ours."""
        self.used = Callbacks(used)
        _open.append(self)
        keras_facts.record_compiled(self.child, self.model, self._own)
        if getattr(self.model, "built", True):  # TensorFlow builds a model at its first batch
            self._describe()
        if told := self.used.described():
            self.child.log_fact("callbacks", told)

    def _describe(self) -> None:
        if not self._described:
            self._described = True
            record_model(self.child, self.model, full=self.options.log_model)

    def close(self, *, finished: bool) -> None:
        """The training has ended, one way or another; the first call counts."""
        if self._closed:
            return
        self._closed = True
        if self in _open:  # else this is a forked child
            _open.remove(self)
        training(self.rates, begins=False)
        if patching.is_silent():
            return
        if self._weights is not None:
            self._weights.end()
        self._describe()
        if told := self.used.outcomes(finished=finished):
            self.child.log_fact("callbacks", told)
        self._tell_training()
        if self._thinned:
            self.child.log_fact("batches_left_out", self._throttle.leave_out())
        if self.owned:
            self.child.close_child()

    def _tell_training(self) -> None:
        stopped = getattr(self.model, "stop_training", False) is True
        told = {
            "epochs": self._epochs,
            "initial_epoch": self._initial_epoch,
            "epochs_done": self._epochs_done,
            "steps_done": self.steps.now - self.steps.begun,
            "stopped_early": stopped and self._initial_epoch is not None,
        }
        self.child.log_fact("training", {name: value for name, value in told.items() if value is not None})
        if self._own:
            made = {"optimizer": self.steps.updated, **self._own_updates()}
            self.child.log_fact("optimizers", [{"name": name, "updates": count} for name, count in made.items()])

    def _own_updates(self) -> dict[str, int]:
        return {name: (counter(one) or 0) - self._begun[name] for name, one in self._own.items()}

    # -- epochs and batches --------------------------------------------------------------------------------------------

    def epoch_begin(self, epoch: int) -> None:
        """An epoch begins."""
        self.epoch = self.child.epoch = epoch
        self._finite = True
        if self._initial_epoch is None:
            self._initial_epoch = epoch
        if self._wants_rates:
            self.rates.epoch_begin()

    def batch_begin(self, batch: int) -> None:
        """A batch begins: what is logged from here on belongs to its step. In the thread of ``fit``."""
        self.child.step = step = self.steps.at(batch)
        if self._wants_rates and (rates := self.rates.take_assigned()):
            self.child.captured_metrics(rates, step, self.epoch)

    def batch_end(self, batch: int, logs: dict[str, Any]) -> None:
        """A batch has been done; maybe in a thread of Keras' own, and out of order."""
        batch += self._behind
        step = self.steps.done(batch)
        if not self.options.log_batches:
            return
        if not self._throttle.takes(batch) and not self._breaks(logs):
            if self.options.every_n_batches is None:
                self._leave_out(step)
            return
        names = self._names
        values: dict[str, float] = {}
        for name, value in logs.items():
            if type(value) is float:  # what Keras could not read as a number is none; a tensor is never read here
                full = names.get(name)
                if full is None:
                    full = names[name] = f"batch_{name}"
                values[full] = value
        if self._wants_rates and (self.steps.moved or not self._epochs_done):
            values.update(self.rates.at(self.steps.updates(batch)))
        if values and not patching.is_silent():
            self.child.log_metrics(values, step, self.epoch)

    def _breaks(self, logs: dict[str, Any]) -> bool:
        """Whether values are the first of their epoch that are not finite: that batch is never left out."""
        if self._finite and not all(math.isfinite(value) for value in logs.values() if type(value) is float):
            self._finite = False
            return True
        return False

    def _leave_out(self, step: int) -> None:
        self._throttle.leave_out()
        if not self._thinned:
            self._thinned = True
            detail = (
                f"{self.child.name}: from step {step} on, values of batches are recorded at most 200 times a second"
            )
            self.child.log_health("notice", "keras.batches", detail=detail)

    def epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """An epoch has been done, its validation too; Keras has waited for the device."""
        step = self.child.step = self.steps.epoch_end()
        self._epochs_done += 1
        self._describe()
        values = dict(logs)
        if self._wants_rates:
            own = {name: self._begun[name] + made for name, made in self._own_updates().items() if made}
            values = {**self.rates.epoch_end(self.steps.counted if self.steps.moved else 0, own), **values}
        values.update(self._loss_scale())
        self.child.captured_metrics(values, step, epoch)
        if self._weights is not None:
            self._weights.epoch_ended(step, epoch)
        self.used.epoch_end(epoch, logs, self.model)

    def _loss_scale(self) -> dict[str, float]:
        optimizer = getattr(self.model, "optimizer", None)
        scale = getattr(optimizer, "dynamic_scale", None)
        if scale is None or unwrapped(optimizer) is optimizer or not self.steps.moved:
            return {}
        return {"dynamic_scale": number(scale)}


def evaluation_end(child: Run, model: Any, logs: dict[str, Any]) -> None:
    """An evaluation has been done: its values at the step the model's optimizer is at."""
    optimizer = getattr(model, "optimizer", None)
    inner = unwrapped(optimizer)
    accumulate = int(getattr(inner, "gradient_accumulation_steps", None) or 1)
    child.captured_metrics(logs, (counter(optimizer) or 0) // accumulate)
