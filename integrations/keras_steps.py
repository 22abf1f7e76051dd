"""Where a Keras training stands: steps of its optimizer, and which batches go on record."""

from __future__ import annotations

import sys
from itertools import count
from time import monotonic
from typing import Any

from autolog.integrations.keras_rates import number, unwrapped

__all__ = ["Steps", "Throttle", "behind", "counted", "counter"]

_FIRST = 10_000
_A_SECOND = 200


def counter(optimizer: Any) -> int | None:
    """How many times gradients have been given to an optimizer; ``None`` where that cannot be read now.

    Under gradient accumulation the public ``iterations`` is this counter divided. On JAX, a variable is empty while an
    epoch is going on.
    """
    return counted(getattr(unwrapped(optimizer), "_iterations", None))


def counted(variable: Any) -> int | None:
    """The same of the variable that counts."""
    if variable is None or getattr(variable, "_value", variable) is None:
        return None
    return int(number(variable))


class Steps:
    """Steps of the model's optimizer, as Keras counts them (``optimizer.iterations``), without asking it each batch.

    The counter is on the device: it is read where an epoch ends, and batches are counted in between. Where no
    optimizer of the model's moves (a training step of the user's own), batches are counted all along.

    Args:
        model: the model that is trained.
        batches: how many batches an epoch has, where that is known.
    """

    def __init__(self, model: Any, batches: int | None = None) -> None:
        self._optimizer = getattr(model, "optimizer", None)
        inner = unwrapped(self._optimizer)
        self._accumulate = int(getattr(inner, "gradient_accumulation_steps", None) or 1)
        self._limit = batches
        self._counter = counter(self._optimizer) or 0
        """Keras' counter, when it was last read."""
        self._base = self._counter
        self._batches = 0
        self.begun = self._base // self._accumulate
        """The step at which the training began."""
        self.moved = False
        """Whether the model's optimizer has made an update."""

    def updates(self, batch: int) -> int:
        """The counter before the batch of that index is done."""
        return self._base + (batch if self._limit is None else min(batch, self._limit - 1))

    def at(self, batch: int) -> int:
        """The step that the batch of that index ends with."""
        done = batch + 1
        if self._limit is not None and done > self._limit:  # the last of several batches in one execution
            done = self._limit
        return (self._base + done) // self._accumulate

    def done(self, batch: int) -> int:
        """The batch of that index has been done: the step now."""
        self._batches = max(self._batches, batch + 1 if self._limit is None else min(batch + 1, self._limit))
        return self.at(batch)

    def epoch_end(self) -> int:
        """The step now; the next batch begins a new epoch."""
        read = counter(self._optimizer)
        if read is not None and read != self._counter:
            self._base = self._counter = read
            self.moved = True
        else:
            self._base += self._batches
        self._batches = 0
        return self._base // self._accumulate

    @property
    def now(self) -> int:
        """The step that has been reached."""
        return (self._base + self._batches) // self._accumulate

    @property
    def updated(self) -> int:
        """How many of the steps were updates by the model's own optimizer."""
        return self._base // self._accumulate - self.begun if self.moved else 0

    @property
    def counted(self) -> int:
        """The counter at the end of the last epoch."""
        return self._base


def behind(model: Any) -> int:
    """How many batches of one execution come after the one by which Keras tells that it has been done.

    It tells by the last one; older versions by the first one, as when it begins.
    """
    code = sys.modules["keras.src.trainers.epoch_iterator"].EpochIterator.enumerate_epoch.__code__
    return 0 if "end_step" in code.co_varnames else int(getattr(model, "steps_per_execution", 1) or 1) - 1


class Throttle:
    """Which batches go on record: every one of the first 10,000, then as many as make 200 a second since the begin.

    That bounds what recording takes to about two thousandths of a training, and leaves out nothing where a batch takes
    5 ms or more. Safe without a lock in the threads in which Keras calls.

    Args:
        every: record every so many batches, whatever the time; ``None``: as above.
        stride: how many batches Keras makes between two calls.
    """

    def __init__(self, every: int | None, stride: int = 1) -> None:
        self._every = every
        self._stride = stride
        self._recorded = count()
        self._left_out = count()
        self._since = monotonic()

    def takes(self, batch: int) -> bool:
        """Whether the batch of that index is to be recorded."""
        if self._every is not None:
            return (batch + 1) % self._every < self._stride
        recorded = next(self._recorded)
        if recorded < _FIRST or recorded < _FIRST + _A_SECOND * (monotonic() - self._since):
            return True
        self._recorded = count(recorded)  # this one does not count
        return False

    def leave_out(self) -> int:
        """A batch is left out: how many were before."""
        return next(self._left_out)
