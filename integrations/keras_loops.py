"""Loops of a program's own over ``train_on_batch``: one training for each model, from the first call on.

Values are those that Keras returns and has read from the device. The optimizer's counter is read once, at the first
call; calls are counted from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from autolog import current, guard
from autolog.integrations import keras_facts
from autolog.integrations.keras_model import record_model
from autolog.integrations.keras_rates import Rates
from autolog.integrations.keras_reporter import forget, reporter_of, training
from autolog.integrations.keras_steps import Steps
from autolog.integrations.shapes import describe
from autolog.patching import Call, Hook
from autolog.run import activate, deactivate

__all__ = ["at_end", "fit_begins", "flattened", "forked", "test_on_batch", "train_on_batch"]

_returned: ContextVar[dict[str, Any] | None] = ContextVar("autolog_keras_returned", default=None)
"""What the call that is going on returns, by name, once Keras has made a list of it."""


class _Loop:
    """One training over ``train_on_batch``, or the calls of ``test_on_batch`` where there is none."""

    def __init__(self, model: Any, kind: str) -> None:
        self.parent = current.ensure_run()
        self.child = self.parent.open_child(model.name, kind, "keras")
        self.kind = kind
        self.steps = Steps(model)
        self.calls = 0
        self._own = keras_facts.own_optimizers(model)
        self.rates = Rates(getattr(model, "optimizer", None), self._own)
        self._begun = False

    def goes_on(self) -> bool:
        """Whether the run that it belongs to is still the current one."""
        now = current.current_run()
        here = now is not None and (
            now is self.parent or (now.id, now.child_id) == (self.parent.id, self.parent.child_id)
        )
        return here and not self.child.ended and self.child.recording

    def describe(self, model: Any, call: Call) -> None:
        """After the first call, which builds a model: what it is and was told, and what a batch looks like."""
        if self._begun:
            return
        self._begun = True
        keras_facts.record_compiled(self.child, model, self._own)
        record_model(self.child, model, full=True)
        data = {name: call.argument(name) for name in ("x", "y", "sample_weight")}
        self.child.log_fact("data", {name: describe(value) for name, value in data.items() if value is not None})

    def step(self, values: dict[str, Any]) -> None:
        """A batch has been trained on."""
        rates = {**self.rates.at(self.steps.updates(self.calls)), **self.rates.take_assigned()}
        step = self.steps.done(self.calls)
        self.calls += 1
        self.parent.step = self.child.step = step
        self.child.captured_metrics({**values, **rates}, step)

    def end(self, error: BaseException | None = None) -> None:
        """The next training begins, or this one has failed."""
        training(self.rates, begins=False)
        self.child.close_child(error)


_loops: WeakKeyDictionary[Any, _Loop] = WeakKeyDictionary()


def forked() -> None:
    """In a forked child that has trainings of its own: those of its parent go on there."""
    _loops.clear()
    forget()


def train_on_batch(call: Call) -> Hook:
    """Around ``Trainer.train_on_batch``."""
    if _is_reported(call.instance):
        yield
        return
    loop = _loop(call.instance, "fit")
    with _calling(loop):
        try:
            result = yield
        except BaseException as error:
            _loops.pop(call.instance, None)
            loop.end(error)
            raise
        values = _values(result)
    with guard.guard("keras.train_on_batch"):
        loop.describe(call.instance, call)
        loop.step(values)


def test_on_batch(call: Call) -> Hook:
    """Around ``Trainer.test_on_batch``: in a training its values are ``test_loss`` …, else those of an evaluation."""
    if _is_reported(call.instance):
        yield
        return
    known = _loops.get(call.instance)
    loop = known if known is not None and known.goes_on() else _loop(call.instance, "evaluate")
    with _calling(loop):
        result = yield
        values = _values(result)
    with guard.guard("keras.test_on_batch"):
        loop.describe(call.instance, call)
        if loop.kind == "fit":
            loop.child.captured_metrics({f"test_{name}": value for name, value in values.items()}, loop.child.step)
        else:
            loop.calls += 1
            loop.child.captured_metrics(values, loop.calls)


def flattened(call: Call) -> Hook:
    """Around ``Trainer._flatten_metrics_in_order``: the names of what becomes a list."""
    if _returned.get() is not None:
        _returned.set(dict(call.args[1]))
    yield


def fit_begins(model: Any) -> None:
    """``fit`` of a model is another training than a loop over its batches."""
    loop = _loops.pop(model, None)
    if loop is not None:
        loop.end()


def at_end() -> None:
    """The run is about to end, or we are switched off: loops have no end but that of their run."""
    for loop in _loops.values():
        training(loop.rates, begins=False)
    _loops.clear()


def _is_reported(model: Any) -> bool:
    """Whether the call is part of a training already: inside a fit, or in a loop with a ``CallbackList``."""
    return current.fit_in_progress() is not None or reporter_of(model) is not None


def _loop(model: Any, kind: str) -> _Loop:
    known = _loops.get(model)
    if known is not None and known.goes_on() and known.kind == kind:
        return known
    if known is not None:
        known.end()
    loop = _loops[model] = _Loop(model, kind)
    training(loop.rates, begins=kind == "fit")
    return loop


@contextmanager
def _calling(loop: _Loop) -> Iterator[None]:
    """During a call, the child run is the current one: what is trained inside is part of it."""
    token = _returned.set({})
    activate(loop.child)
    try:
        yield
    finally:
        deactivate(loop.child)
        _returned.reset(token)


def _values(result: Any) -> dict[str, Any]:
    """What a call returned, by name."""
    return dict(result) if isinstance(result, dict) else _returned.get() or {}
