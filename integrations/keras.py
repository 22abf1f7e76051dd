"""Keras 3: each outermost ``fit`` and ``evaluate`` is a child run, reported by a callback of Keras' own kind.

The callback is appended to every ``CallbackList`` after Keras has made it, so that neither the user's list nor Keras'
choice to dispatch batch callbacks asynchronously changes. ``Trainer.fit`` and ``evaluate`` are wrapped for what a
callback cannot see: their arguments, and an exception. Only values that Keras has already read from the device are
recorded during an epoch.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from autolog import current, guard, patching
from autolog.integrations import keras_facts
from autolog.patching import Call, Hook, Undo, patch
from autolog.run import Run

if TYPE_CHECKING:
    AutologCallback: Any

__all__ = ["AutologCallback", "KerasIntegration", "integration"]


class KerasIntegration:
    """Registered as ``keras``; switched on once the trainer of the chosen backend is known."""

    name: ClassVar[str] = "keras"
    module: ClassVar[str] = "keras.src.models.model"
    distribution: ClassVar[str] = "keras"
    tested: ClassVar[tuple[str, str]] = ("3.15", "3.15")

    def install(self, module: ModuleType) -> Iterable[Undo]:
        """Patch the trainer of the backend in use, and the list of callbacks."""
        callback_list = sys.modules["keras.src.callbacks.callback_list"].CallbackList
        return [
            patch(module.Trainer, "fit", _fit),
            patch(module.Trainer, "evaluate", _evaluate),
            patch(callback_list, "__init__", _callback_list),
        ]


integration = KerasIntegration()

_handed: ContextVar[list[Run] | None] = ContextVar("autolog_keras", default=None)
"""The child run that the next callback to begin takes over. Empty: nobody reports (a fit inside a fit)."""


def __getattr__(name: str) -> Any:
    if name == "AutologCallback":
        return _callback_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _fit(call: Call) -> Hook:
    if current.fit_in_progress() is not None:
        with _handing([]):
            yield
        return
    with current.ensure_run().child(call.instance.name, "fit", "keras") as child, _handing([child]):
        keras_facts.record_call(child, call, "keras.fit")
        yield


def _evaluate(call: Call) -> Hook:
    owner = current.fit_in_progress()
    # Validation inside fit arrives in the epoch's values; what a user's callback evaluates during a fit does not.
    if call.kwargs.get("_use_cached_eval_dataset") or (owner is not None and owner.integration != "keras"):
        yield
        return
    with current.ensure_run().child(call.instance.name, "evaluate", "keras") as child, _handing([child]):
        keras_facts.record_call(child, call, "keras.evaluate")
        yield


@contextmanager
def _handing(child: list[Run]) -> Iterator[None]:
    token = _handed.set(child)
    try:
        yield
    finally:
        _handed.reset(token)


def _callback_list(call: Call) -> Hook:
    model = call.argument("model")
    yield
    container = call.instance
    kind = _callback_class()
    if any(isinstance(callback, kind) for callback in container.callbacks):
        return  # the user's own
    ours = kind()
    if model is not None:
        ours.set_model(model)
    if container.params:
        ours.set_params(container.params)
    container.callbacks.append(ours)


class _Reporter:
    """One ``fit`` or ``evaluate`` as its callback sees it."""

    def __init__(self, child: Run, model: Any, *, owned: bool) -> None:
        self.child = child
        self.owned = owned
        """Whether the child run was opened here, where ``fit`` is not ours, and so ends here."""
        self.model = model
        self.steps = keras_facts.Steps(model)
        self.epoch = 0

    def batch_end(self, batch: int, logs: dict[str, Any]) -> None:
        step = self.steps.at(batch)
        self.child.step = step
        self.child.captured_metrics({f"batch_{name}": value for name, value in logs.items()}, step, self.epoch)

    def epoch_begin(self, epoch: int) -> None:
        self.epoch = self.child.epoch = epoch

    def epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        step = self.child.step = self.steps.epoch_end()
        rate = {} if "learning_rate" in logs else keras_facts.learning_rate(self.model)
        self.child.captured_metrics({**logs, **rate}, step, epoch)

    def test_end(self, logs: dict[str, Any]) -> None:
        self.child.captured_metrics(logs, self.steps.epoch_end())

    def close(self) -> None:
        if self.owned:
            self.child.close_child()


def _begin(kind: str, model: Any) -> _Reporter | None:
    """Who reports what begins now: the hook's child run, a new one, or nobody."""
    if patching.is_silent():
        return None
    handed = _handed.get()
    if handed is not None:
        child, owned = (handed.pop() if handed else None), False
    elif current.fit_in_progress() is not None:
        child, owned = None, False
    else:
        child, owned = current.ensure_run().open_child(model.name, kind, "keras"), True
    if child is None:
        return None
    if kind == "fit":
        keras_facts.record_model(child, model)
    return _Reporter(child, model, owned=owned)


class _Callback:
    """What ``AutologCallback`` does; its other base class is ``keras.callbacks.Callback``."""

    async_safe = True  # Keras may call from threads of its own: a journal takes records from any
    model: Any
    _reporter: _Reporter | None = None
    _evaluation: _Reporter | None = None

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002  Keras passes it
        with guard.guard("keras.on_train_begin"):
            self._reporter = _begin("fit", self.model)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002  Keras passes it
        if self._reporter is not None:
            with guard.guard("keras.on_epoch_begin"):
                self._reporter.epoch_begin(epoch)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._reporter is not None:
            with guard.guard("keras.on_train_batch_end"):
                self._reporter.batch_end(batch, logs or {})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self._reporter is not None:
            with guard.guard("keras.on_epoch_end"):
                self._reporter.epoch_end(epoch, logs or {})

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002  Keras passes it
        reporter, self._reporter = self._reporter, None
        if reporter is not None:
            with guard.guard("keras.on_train_end"):
                reporter.close()

    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002  Keras passes it
        if self._reporter is None or _handed.get():  # else it is the validation of an epoch
            with guard.guard("keras.on_test_begin"):
                self._evaluation = _begin("evaluate", self.model)

    def on_test_end(self, logs: Any = None) -> None:
        evaluation, self._evaluation = self._evaluation, None
        if evaluation is not None:
            with guard.guard("keras.on_test_end"):
                evaluation.test_end(logs or {})
                evaluation.close()


@cache
def _callback_class() -> Any:
    """``AutologCallback``, made at its first use: its base class needs Keras."""
    from keras.callbacks import Callback

    text = "Records ``fit`` and ``evaluate``. Given by the user, the automatic one steps aside."
    return type("AutologCallback", (_Callback, Callback), {"__doc__": text, "__module__": __name__})
