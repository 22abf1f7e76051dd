"""Transformers' ``Trainer``: training arguments, model configuration, and every value it logs.

The trainer's own events are read where its ``CallbackHandler`` receives them, so that its list of callbacks, which
users print, search and change, stays theirs. ``train``, ``evaluate`` and ``predict`` tell begin, end and errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from autolog import current, guard
from autolog.integrations.torch_facts import model_fact
from autolog.integrations.transformers_facts import log_arguments, log_begin, training_fact
from autolog.patching import Call, Hook, Undo, patch

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["AutologCallback", "TransformersIntegration", "integration", "log"]

_own: dict[int, Run] = {}
"""Child runs that a ``Trainer`` call has opened, by ``id`` of its callback handler."""


class TransformersIntegration:
    """The integration of ``transformers.Trainer`` and of every trainer derived from it."""

    name = "transformers"
    module = "transformers.trainer"
    distribution = "transformers"
    tested = ("5.23.0", "5.23.0")

    def install(self, module: ModuleType) -> Iterable[Undo]:
        """See :class:`autolog.plugins.Integration`."""
        trainer, handler = module.Trainer, module.CallbackHandler
        return [
            patch(trainer, "train", _train),
            patch(trainer, "_inner_training_loop", _train),  # for trainers with a `train` of their own
            patch(trainer, "evaluate", _evaluate),
            patch(trainer, "predict", _predict),
            patch(handler, "on_train_begin", _on_train_begin),
            patch(handler, "on_step_end", _on_step_end),
            patch(handler, "on_log", _on_log),
            patch(handler, "on_predict", _on_predict),
        ]


integration = TransformersIntegration()


# -- calls of the trainer ----------------------------------------------------------------------------------------------


def _train(call: Call) -> Hook:
    with _child(call.instance, "fit"):
        yield


def _evaluate(call: Call) -> Hook:
    with _child(call.instance, "evaluate"):
        yield


def _predict(call: Call) -> Hook:
    with _child(call.instance, "predict"):
        yield


@contextmanager
def _child(trainer: Any, kind: str) -> Iterator[None]:
    """A child run around a call; within a fit, and on ranks that do not report, there is none."""
    handler = trainer.callback_handler
    if current.fit_in_progress() is not None or not trainer.is_world_process_zero():
        yield
        return
    with current.ensure_run().child(type(trainer.model).__name__, kind, integration.name) as run:
        _own[id(handler)] = run
        with guard.guard("transformers.begin"):
            run.step, run.epoch = trainer.state.global_step, trainer.state.epoch
            log_arguments(run, trainer.args, all_of_them=kind == "fit")
            if kind != "fit":  # a fit may still replace its model; on_train_begin tells
                run.log_fact("model", model_fact(trainer.model))
        try:
            yield
        finally:
            del _own[id(handler)]
            with guard.guard("transformers.end"):
                if kind == "fit":
                    run.log_fact("training", training_fact(trainer.state))


# -- events of its callback handler ------------------------------------------------------------------------------------


def _on_train_begin(call: Call) -> Hook:
    handler, (args, state) = call.instance, _arguments(call, "args", "state")
    run = _own.get(id(handler))
    if run is not None and not _explicit(handler):
        log_begin(run, state, handler)
    elif run is None and _run_of(handler, state) is not None and current.fit_in_progress() is None:
        # A trainer that has replaced `train`: it reports to the run itself.
        log_arguments(current.ensure_run(), args)
        log_begin(current.ensure_run(), state, handler)
    yield


def _on_step_end(call: Call) -> Hook:
    run = _own.get(id(call.instance))
    if run is not None:
        (state,) = _arguments(call, "state")
        run.step, run.epoch = state.global_step, state.epoch
    yield


def _on_log(call: Call) -> Hook:
    state, logs = _arguments(call, "state", "logs")
    run = _run_of(call.instance, state)
    if run is not None:
        log(run, state, logs)
    yield


def _on_predict(call: Call) -> Hook:
    state, metrics = _arguments(call, "state", "metrics")
    run = _run_of(call.instance, state)
    if run is not None:
        log(run, state, metrics)
    yield


def log(run: Run, state: Any, logs: dict[str, Any]) -> None:
    """Record what the trainer logs, at its global step; ``epoch`` among it is the epoch."""
    values = dict(logs)
    epoch = values.pop("epoch", state.epoch)
    run.captured_metrics(values, state.global_step, epoch)


def _run_of(handler: Any, state: Any) -> Run | None:
    """Where a handler's events go; ``None`` on ranks that do not report, and where an explicit callback does."""
    if _explicit(handler) or not state.is_world_process_zero:
        return None
    return _own.get(id(handler)) or current.fit_in_progress() or current.ensure_run()


def _explicit(handler: Any) -> bool:
    return any(getattr(type(callback), "autolog_explicit", False) for callback in handler.callbacks)


_PLACES = {"args": 1, "state": 2, "control": 3, "logs": 4, "metrics": 4}


def _arguments(call: Call, *names: str) -> list[Any]:
    """Arguments of a handler's method; ``Call.argument`` binds signatures, too slow for every step."""
    return [call.args[_PLACES[name]] if len(call.args) > _PLACES[name] else call.kwargs[name] for name in names]


# -- explicit control --------------------------------------------------------------------------------------------------


def __getattr__(name: str) -> Any:
    # The class derives from transformers' own, which must not be imported before the user does.
    if name == "AutologCallback":
        from autolog.integrations.transformers_explicit import explicit_class

        return explicit_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if TYPE_CHECKING:
    from autolog.integrations.transformers_explicit import AutologCallback
