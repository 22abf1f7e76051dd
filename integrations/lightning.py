"""Lightning: what its loggers would get, recorded without a logger; hyperparameters, optimizers, how a fit ended.

``lightning`` and ``pytorch_lightning`` are two copies of one code: one class here, two integrations. Nothing is added
to the trainer's callbacks or loggers, and nothing is kept on any of the user's objects.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from autolog import current, guard, plugins
from autolog.integrations import torch_weights
from autolog.integrations.lightning_arguments import given_to, watch_arguments
from autolog.integrations.lightning_captures import CAPTURES
from autolog.integrations.lightning_checkpoints import absolute, log_saved
from autolog.integrations.lightning_facts import (
    callback_fact,
    data_fact,
    hyperparameters,
    optimizer_records,
    trainer_params,
    training_fact,
)
from autolog.integrations.lightning_fit import Fit, explicit_options, is_explicit
from autolog.integrations.lightning_summary import described
from autolog.patching import Call, Hook, Undo, patch

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = [
    "AutologCallback",
    "AutologLogger",
    "LightningIntegration",
    "fit_of",
    "integration",
    "pytorch_lightning",
]

_fits: dict[int, Fit] = {}
"""Fits in progress by ``id`` of their trainer."""


def fit_of(trainer: Any = None) -> Fit | None:
    """The fit in progress of a trainer; without one, of this thread or task."""
    if trainer is not None:
        return _fits.get(id(trainer))
    run = current.fit_in_progress()
    return next((fit for fit in tuple(_fits.values()) if fit.run is run), None)


class LightningIntegration:
    """The integration of one of the two packages."""

    tested = ("2.1.0", "2.6.6")
    captures = CAPTURES

    def __init__(self, name: str, package: str, distribution: str) -> None:
        self.name = name
        self.package = package
        self.module = f"{package}.trainer.trainer"
        self.distribution = distribution

    def install(self, module: ModuleType) -> Iterable[Undo]:
        """See :class:`autolog.plugins.Integration`."""
        launchers: Any = sys.modules[f"{self.package}.strategies.launchers.subprocess_script"]
        return [
            patch(module.Trainer, "_run", self._run),
            patch(launchers._SubprocessScriptLauncher, "launch", _launch),  # noqa: SLF001  it has no public place
            *watch_arguments(module, self.package),
            plugins.in_forks(_fits.clear),
            *self.taps(module),
        ]

    def taps(self, module: ModuleType) -> list[Undo]:
        """Patch what tells about a fit in progress; an explicit callback needs these where the rest is disabled."""
        connector = module._LoggerConnector  # noqa: SLF001  Lightning has no public place that all metrics pass
        summary = sys.modules[f"{self.package}.callbacks.model_summary"].ModelSummary
        return [
            patch(module.Trainer, "_run_stage", _begin_stage),
            patch(module.Trainer, "save_checkpoint", _save_checkpoint),
            patch(connector, "on_batch_start", _begin_batch),
            patch(connector, "update_train_step_metrics", _end_batch),
            patch(connector, "update_train_epoch_metrics", _end_epoch),
            patch(connector, "log_metrics", _log_metrics),
            patch(summary, "_summary", _summarize),
        ]

    @contextmanager
    def fit(self, trainer: Any, model: Any) -> Iterator[None]:
        """A child run around a fit, validation, test or prediction; within another fit there is none."""
        if fit_of(trainer) is not None:  # a trainer used within its own fit
            yield
            return
        outer, options = current.fit_in_progress(), explicit_options(trainer)
        try:
            if outer is not None:
                fit = _fits[id(trainer)] = Fit(outer, trainer, options, owner=False)
                yield from _settled(fit)
                return
            kind = str(getattr(trainer.state.fn, "value", "fit"))
            parent = options.run or current.ensure_run()
            with parent.child(options.name or type(model).__name__, kind, self.name) as run:
                fit = _fits[id(trainer)] = Fit(run, trainer, options, owner=True)
                yield from _watched(fit, trainer, model)
        finally:
            _fits.pop(id(trainer), None)

    def _run(self, call: Call) -> Hook:
        trainer = call.instance
        if not _reports(trainer) or is_explicit(trainer.callbacks, "callback"):
            yield
            return
        with self.fit(trainer, call.argument("model")):
            yield


def _reports(trainer: Any) -> bool:
    """Whether this is rank 0. Processes that Lightning spawns begin before it has settled their global rank."""
    return bool(trainer.is_global_zero) and trainer.local_rank == 0 and trainer.node_rank == 0


def _launch(call: Call) -> Hook:  # noqa: ARG001  hooks get their call
    """Lightning is about to start the other ranks of a job: the run begins before, so that they find it."""
    current.ensure_run()
    yield


# -- begin and end -----------------------------------------------------------------------------------------------------


def _watched(fit: Fit, trainer: Any, model: Any) -> Iterator[None]:
    run = fit.run
    with guard.guard("lightning.begin"):
        given = given_to(trainer)
        if given is not None:
            run.log_params(given.cli, "lightning.cli")
            run.log_params({f"trainer.{name}": value for name, value in given.arguments.items()}, "lightning.Trainer")
            run.log_fact("changed_arguments", given.changed)
        if not is_explicit(trainer.loggers, "logger"):  # else Lightning gives them to the logger
            for source, values in hyperparameters(model, trainer.datamodule).items():
                run.log_params(values, source)
        _log_trainer_params(fit, trainer)
    try:
        yield from _settled(fit)
        with guard.guard("lightning.end"):
            if run.kind == "fit":
                run.log_fact("training", training_fact(trainer, fit.batches))
            elif run.kind == "predict":  # its loop tells nobody of its batches
                run.log_fact("data", data_fact(trainer))
    except BaseException as error:
        if type(error).__name__ == "_TunerExitException":  # how Lightning ends a search for a learning rate
            run.close_child()
        raise
    finally:
        with guard.guard("lightning.end"):
            if run.kind == "fit":
                torch_weights.unwatch(run)
                fit.log_speed(trainer)
                if fit.options.checkpoints:
                    fit.checkpoints.end(trainer)
                run.log_fact("callbacks", callback_fact(trainer.callbacks))


def _settled(fit: Fit) -> Iterator[None]:
    """Whatever ends a fit, the values that were still on their way are recorded."""
    try:
        yield
    finally:
        with guard.guard("lightning.values"):
            fit.late.finish()


def _log_trainer_params(fit: Fit, trainer: Any) -> None:
    """Record the trainer's arguments; later what has been settled since, such as ``max_epochs``."""
    known, now = fit.params or {}, trainer_params(trainer)
    changed = {name: value for name, value in now.items() if name not in known or known[name] != value}
    fit.params = now
    if changed:
        fit.run.log_params(changed, "lightning.Trainer")


def _begin_stage(call: Call) -> Hook:
    """Everything is set up and restored by now."""
    fit, trainer = fit_of(call.instance), call.instance
    if fit is not None and fit.params is not None:
        _log_trainer_params(fit, trainer)
        fit.run.log_fact("model", described(trainer.lightning_module, fit.summary))
        if trainer.state.fn == "fit":
            optimizer_records(fit.run, trainer)
            torch_weights.watch(fit.run, trainer.model, asked=fit.options.weights)
        if trainer.ckpt_path is not None:
            _log_restored(fit.run, trainer)
    yield


def _log_restored(run: Run, trainer: Any) -> None:
    """The checkpoint a fit goes on from, or whose weights are judged."""
    told: dict[str, Any] = {"path": absolute(str(trainer.ckpt_path))}
    if trainer.state.fn == "fit":
        told |= {"step": trainer.global_step, "epoch": trainer.current_epoch}
    run.log_fact("restored_checkpoint", told)


# -- what Lightning tells ----------------------------------------------------------------------------------------------


def _begin_batch(call: Call) -> Hook:
    fit = _fits.get(id(call.instance.trainer))
    if fit is not None:
        fit.begin_batch(call.instance, call.args[1] if len(call.args) > 1 else call.kwargs.get("batch"))
    yield


def _end_batch(call: Call) -> Hook:
    fit = _fits.get(id(call.instance.trainer))
    if fit is None or not fit.step(call.instance):
        yield
        return
    try:
        yield
    finally:
        fit.stepped()


def _end_epoch(call: Call) -> Hook:
    fit = _fits.get(id(call.instance.trainer))
    yield
    if fit is not None:
        fit.end_epoch(call.instance.trainer)


def _log_metrics(call: Call) -> Hook:
    connector = call.instance
    fit = _fits.get(id(connector.trainer))
    if fit is None:
        yield
        return
    metrics = call.args[1] if len(call.args) > 1 else call.kwargs["metrics"]
    fit.log(connector, metrics, call.args[2] if len(call.args) > 2 else call.kwargs.get("step"))
    if metrics and _only_ours(connector.trainer.loggers):
        # Lightning would now read every value from the device, for loggers that have them already.
        connector._logged_metrics.update(metrics)  # noqa: SLF001  as it does itself
        call.args, call.kwargs = (connector, {}), {}
    fit.telling = True
    try:
        yield
    finally:
        fit.telling = False


def _only_ours(loggers: list[Any]) -> bool:
    ours = "autolog.integrations.lightning_explicit"  # a subclass may have a method of its own
    return bool(loggers) and all(type(logger).log_metrics.__module__ == ours for logger in loggers)


def _save_checkpoint(call: Call) -> Hook:
    trainer = call.instance
    yield
    fit = fit_of(trainer)
    place = str(os.fspath(call.args[1] if len(call.args) > 1 else call.kwargs["filepath"]))
    if fit is not None:
        if fit.options.checkpoints:
            fit.checkpoints.saved(trainer, place)
    elif trainer.is_global_zero and (run := current.current_run()) is not None:
        log_saved(run, trainer, place)


def _summarize(call: Call) -> Hook:
    trainer = call.args[1] if len(call.args) > 1 else call.kwargs.get("trainer")
    summary = yield
    fit = fit_of(trainer)
    if fit is not None and fit.params is not None:
        fit.summary = str(summary)


integration = LightningIntegration("lightning", "lightning.pytorch", "lightning")
pytorch_lightning = LightningIntegration("pytorch_lightning", "pytorch_lightning", "pytorch-lightning")


def __getattr__(name: str) -> Any:
    # The two classes derive from Lightning's, which must not be imported before the user does.
    if name in ("AutologCallback", "AutologLogger"):
        from autolog.integrations.lightning_explicit import explicit_class

        return explicit_class(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if TYPE_CHECKING:
    from autolog.integrations.lightning_explicit import AutologCallback, AutologLogger
