"""Numbers on record: the hot path. One value is one struct, one line, one write."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from autolog import events, guard, patching
from autolog.events import Metrics
from autolog.media.numbers import described, number
from autolog.recorder import Recorder

__all__ = ["MetricLog"]

_now = time.time


class MetricLog(Recorder):
    """The metric methods of a run."""

    __slots__ = ()

    def log_metric(self, name: str, value: Any, step: float | None = None, epoch: float | None = None) -> None:
        """Record one value of a metric.

        Args:
            name: any text; ``val/loss`` is a name like any other.
            value: a Python or numpy number, or a tensor or array with one element. NaN and infinities are kept.
            step: usually the optimizer step. Without it the framework's current step is taken, outside a fit the
                metric's own count (0, 1, 2 …). Repeated and backward steps are kept as they are.
            epoch: without it, the framework's current epoch, if any.

        Raises:
            TypeError: the name is no text, or the value (step, epoch) is not one number.
        """
        if type(value) is not float or value - value != 0.0:
            value = events.to_wire(number(value, name))
        if type(name) is not str or self._prefix:
            name = self._full(name)
        clock = self._clock
        if step is None:
            step = clock.step
            if step is None:
                step = clock.counts.get(name, 0)
                clock.counts[name] = step + 1
        elif type(step) is not int:
            step = number(step, "step")
        if epoch is None:
            epoch = clock.epoch
        elif type(epoch) is not int:
            epoch = number(epoch, "epoch")
        self._append(Metrics(time=_now(), child=self.child_id, values={name: value}, step=step, epoch=epoch))

    def log_metrics(self, values: Mapping[str, Any], step: float | None = None, epoch: float | None = None) -> None:
        """Record values of several metrics of the same moment; see :meth:`log_metric`.

        Raises:
            TypeError: a name is no text, or a value is not one number; then nothing of the call is recorded.
        """
        wire: dict[str, events.Number] = {}
        if not hasattr(values, "items"):
            raise TypeError(f"log_metrics takes a mapping of names and values, given {described(values)}")
        for name, value in values.items():
            finite = type(value) is float and value - value == 0.0
            plain = type(name) is str and not self._prefix
            wire[name if plain else self._full(name)] = value if finite else events.to_wire(number(value, name))
        self._write_metrics(wire, step, epoch)

    def captured_metrics(
        self, values: Mapping[str, Any], step: float | None = None, epoch: float | None = None
    ) -> None:
        """Record what an integration has seen: values that are not one number are left out, nothing is raised.

        Args:
            values: names and values as the framework reports them.
            step: see :meth:`log_metric`.
            epoch: see :meth:`log_metric`.
        """
        if patching.is_silent():
            return
        with guard.guard("metrics"):
            wire: dict[str, events.Number] = {}
            for name, value in values.items():
                try:
                    wire[self._full(str(name))] = events.to_wire(number(value, str(name)))
                except TypeError:  # a framework's log may hold text, lists and tensors: they are no metrics
                    continue
                except Exception as error:  # of a foreign object; the other values count
                    guard.report("metrics", error)
            if wire:
                self._write_metrics(wire, step, epoch)

    def _write_metrics(self, wire: dict[str, events.Number], step: float | None, epoch: float | None) -> None:
        clock = self._clock
        step = clock.step if step is None else step if type(step) is int else number(step, "step")
        epoch = clock.epoch if epoch is None else epoch if type(epoch) is int else number(epoch, "epoch")
        if step is not None:
            self._append(Metrics(time=_now(), child=self.child_id, values=wire, step=step, epoch=epoch))
            return
        by_count: dict[int, dict[str, events.Number]] = {}
        counts = clock.counts
        for name, value in wire.items():
            count = counts.get(name, 0)
            counts[name] = count + 1
            by_count.setdefault(count, {})[name] = value
        now = _now()
        for count, group in by_count.items():
            self._append(Metrics(time=now, child=self.child_id, values=group, step=count, epoch=epoch))

    def _full(self, name: Any) -> str:
        if not isinstance(name, str):
            raise TypeError(f"the name of a metric must be text, got {name!r} of type {type(name).__name__}")
        return self._prefix + str(name)
