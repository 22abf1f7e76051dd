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
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from autolog import current, guard, plugins
from autolog.integrations import keras_files, keras_loops, keras_own_loops
from autolog.integrations.keras_callback import callback_class, given
from autolog.integrations.keras_captures import CAPTURES
from autolog.integrations.keras_facts import Handed, handed, iterator, record_call
from autolog.integrations.keras_reporter import assigned
from autolog.patching import Call, Hook, Undo, patch

if TYPE_CHECKING:
    from autolog.captures import Captured
    from autolog.run import Run

    AutologCallback: Any

__all__ = ["AutologCallback", "KerasIntegration", "integration"]


class KerasIntegration:
    """Registered as ``keras``; switched on once the trainer of the chosen backend is known."""

    name: ClassVar[str] = "keras"
    module: ClassVar[str] = "keras.src.models.model"
    distribution: ClassVar[str] = "keras"
    tested: ClassVar[tuple[str, str]] = ("3.7", "3.15")
    captures: ClassVar[tuple[Captured, ...]] = CAPTURES

    def install(self, module: ModuleType) -> Iterable[Undo]:
        """Patch the trainer of the backend in use, the list of callbacks, and what saves files."""
        trainer, model, of = module.Trainer, module.Model, sys.modules
        optimizer = of["keras.src.optimizers.base_optimizer"].BaseOptimizer
        checkpoint = of["keras.src.callbacks.model_checkpoint"].ModelCheckpoint
        return [
            patch(trainer, "fit", _fit),
            patch(trainer, "evaluate", _evaluate),
            patch(trainer, "train_on_batch", keras_loops.train_on_batch),
            patch(trainer, "test_on_batch", keras_loops.test_on_batch),
            patch(trainer, "_flatten_metrics_in_order", keras_loops.flattened),
            patch(of["keras.src.callbacks.callback_list"].CallbackList, "__init__", _callback_list),
            patch(of["keras.src.trainers.epoch_iterator"].EpochIterator, "reset", iterator),
            patch(optimizer, "__setattr__", _set),
            patch(optimizer, "apply", keras_own_loops.applied, unless=keras_own_loops.is_apart),
            patch(optimizer, "stateless_apply", keras_own_loops.applied_stateless, unless=keras_own_loops.is_apart),
            patch(checkpoint, "_save_model", keras_files.checkpoint),
            patch(model, "save", keras_files.save),
            patch(model, "save_weights", keras_files.save),
            plugins.at_end(keras_loops.at_end),
            plugins.in_forks(keras_loops.forked),
            keras_loops.at_end,
            plugins.at_end(keras_own_loops.at_end),
            plugins.in_forks(keras_own_loops.forked),
            keras_own_loops.at_end,
        ]


integration = KerasIntegration()


def __getattr__(name: str) -> Any:
    if name == "AutologCallback":
        return callback_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _fit(call: Call) -> Hook:
    if current.fit_in_progress() is not None:
        with _handing(Handed(None)):
            yield
        return
    keras_loops.fit_begins(call.instance)
    keras_own_loops.fit_begins(call.instance)
    with _parent(call).child(call.instance.name, "fit", "keras") as child, _handing(Handed(child)) as hand:
        record_call(hand, call, "keras.fit")
        try:
            yield
        finally:
            if hand.reporter is not None:
                with guard.guard("keras.fit"):
                    hand.reporter.close(finished=False)


def _evaluate(call: Call) -> Hook:
    owner = current.fit_in_progress()
    # Validation inside fit arrives in the epoch's values; what a user's callback evaluates during a fit does not.
    if call.kwargs.get("_use_cached_eval_dataset") or (owner is not None and owner.integration != "keras"):
        yield
        return
    with _parent(call).child(call.instance.name, "evaluate", "keras") as child, _handing(Handed(child)) as hand:
        record_call(hand, call, "keras.evaluate")
        yield


def _parent(call: Call) -> Run:
    """The run that a training is recorded in."""
    mine = given(call.argument("callbacks"))
    run: Run | None = None if mine is None else mine.options.run
    return run or current.ensure_run()


@contextmanager
def _handing(hand: Handed) -> Iterator[Handed]:
    token = handed.set(hand)
    try:
        yield hand
    finally:
        handed.reset(token)


def _callback_list(call: Call) -> Hook:
    model = call.argument("model")
    yield
    container = call.instance
    ours = given(container)
    if ours is None:
        ours = callback_class()()
        if model is not None:
            ours.set_model(model)
        if container.params:
            ours.set_params(container.params)
        container.callbacks.append(ours)
    ours.beside = tuple(container.callbacks)


def _set(call: Call) -> Hook:
    yield
    if call.args[1:2] == ("learning_rate",):
        assigned(call.instance, call.args[2])
