"""Lightning: what its loggers would get, recorded without a logger; hyperparameters, optimizers, how a fit ended.

``lightning`` and ``pytorch_lightning`` are two copies of one code: one class here, two integrations. Nothing is added
to the trainer's callbacks or loggers, and nothing is kept on any of the user's objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from autolog import current, guard
from autolog.integrations.lightning_facts import callback_fact, hyperparameters, stage_facts, trainer_params
from autolog.integrations.torch_facts import learning_rates, length
from autolog.patching import Call, Hook, Undo, patch

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = [
    "AutologCallback",
    "AutologLogger",
    "Fit",
    "LightningIntegration",
    "fit_of",
    "integration",
    "pytorch_lightning",
]


class Fit:
    """One ``Trainer._run`` in progress: the run it reports to, and what its next record needs."""

    __slots__ = ("batches", "params", "rates", "run", "telling")

    def __init__(self, run: Run, *, owner: bool) -> None:
        self.run = run
        self.params: dict[str, Any] | None = {} if owner else None
        """Trainer parameters on record; ``None`` in a fit within a fit, whose owner reports its own."""
        self.rates: dict[str, Any] = {}
        """Learning rates the batch in progress began with, if it is going to be logged."""
        self.batches = 0
        self.telling = False
        """The trainer is telling its loggers what is on record already."""

    def begin_batch(self, connector: Any) -> None:
        """A batch begins: the current step and epoch, and the learning rates it is going to use."""
        trainer = connector.trainer
        if self.params is not None:
            self.run.step, self.run.epoch = trainer.global_step, trainer.current_epoch
        if not trainer.training:
            return
        logged = connector.should_update_logs and not _rates_reach_logger(trainer)
        self.rates = learning_rates(trainer.optimizers) if logged else {}
        self.batches += 1
        if self.batches == 1 and self.params is not None:
            self.run.log_fact("data", _data(trainer))

    def log(self, connector: Any, metrics: dict[str, Any], step: int | None) -> None:
        """Record what the loggers get, at the optimizer step the trainer has reached.

        Args:
            connector: the trainer's logger connector.
            metrics: as it gets them. ``step`` and ``epoch`` among them are the axes, not metrics.
            step: given where the framework counts otherwise, as in steps of an evaluation.
        """
        trainer = connector.trainer
        if trainer.sanity_checking or _is_trying_out(trainer):
            return
        values = dict(metrics)
        own_step, epoch = values.pop("step", None), values.pop("epoch", trainer.current_epoch)
        if step is None:
            step = trainer.global_step if own_step is None else int(own_step)
        if trainer.training and connector._first_loop_iter is not None:  # noqa: SLF001  a step, not an epoch's end
            values = {**self.rates, **values}
        self.run.captured_metrics(values, step, epoch)


_fits: dict[int, Fit] = {}
"""Fits in progress by ``id`` of their trainer."""


def fit_of(trainer: Any = None) -> Fit | None:
    """The fit in progress of a trainer; without one, of this thread or task."""
    if trainer is not None:
        return _fits.get(id(trainer))
    run = current.fit_in_progress()
    return next((fit for fit in _fits.values() if fit.run is run), None)


class LightningIntegration:
    """The integration of one of the two packages."""

    tested = ("2.6.6", "2.6.6")

    def __init__(self, name: str, package: str, distribution: str) -> None:
        self.name = name
        self.package = package
        self.module = f"{package}.trainer.trainer"
        self.distribution = distribution

    def install(self, module: ModuleType) -> Iterable[Undo]:
        """See :class:`autolog.plugins.Integration`."""
        return [
            patch(module.Trainer, "_run", self._run),
            patch(module.call._SubprocessScriptLauncher, "launch", _launch),  # noqa: SLF001  it has no public place
            *self.taps(module),
        ]

    def taps(self, module: ModuleType) -> list[Undo]:
        """Patch what tells about a fit in progress; an explicit callback needs these where the rest is disabled."""
        connector = module._LoggerConnector  # noqa: SLF001  Lightning has no public place that all metrics pass
        return [
            patch(module.Trainer, "_run_stage", _begin_stage),
            patch(connector, "on_batch_start", _begin_batch),
            patch(connector, "log_metrics", _log_metrics),
        ]

    @contextmanager
    def fit(self, trainer: Any, model: Any) -> Iterator[None]:
        """A child run around a fit, validation, test or prediction; within another fit there is none."""
        if fit_of(trainer) is not None:  # a trainer used within its own fit
            yield
            return
        outer = current.fit_in_progress()
        try:
            if outer is not None:
                _fits[id(trainer)] = Fit(outer, owner=False)
                yield
                return
            kind = str(getattr(trainer.state.fn, "value", "fit"))
            with current.ensure_run().child(type(model).__name__, kind, self.name) as run:
                _fits[id(trainer)] = Fit(run, owner=True)
                yield from _watched(run, trainer, model)
        finally:
            _fits.pop(id(trainer), None)

    def _run(self, call: Call) -> Hook:
        trainer = call.instance
        if not trainer.is_global_zero or _explicit(trainer.callbacks, "callback"):
            yield
            return
        with self.fit(trainer, call.argument("model")):
            yield


def _launch(call: Call) -> Hook:  # noqa: ARG001  hooks get their call
    """Lightning is about to start the other ranks of a job: the run begins before, so that they find it."""
    current.ensure_run()
    yield


def _watched(run: Run, trainer: Any, model: Any) -> Iterator[None]:
    with guard.guard("lightning.begin"):
        if not _explicit(trainer.loggers, "logger"):  # else Lightning gives them to the logger
            for source, values in hyperparameters(model, trainer.datamodule).items():
                run.log_params(values, source)
        _log_trainer_params(run, trainer)
    try:
        yield
    except BaseException as error:
        if type(error).__name__ == "_TunerExitException":  # how Lightning ends a search for a learning rate
            run.close_child()
        raise
    finally:
        with guard.guard("lightning.end"):
            if run.kind == "fit":
                run.log_fact("callbacks", callback_fact(trainer.callbacks))


def _log_trainer_params(run: Run, trainer: Any) -> None:
    """Record the trainer's arguments; later what has been settled since, such as ``max_epochs``."""
    fit = _fits[id(trainer)]
    known, now = fit.params or {}, trainer_params(trainer)
    changed = {name: value for name, value in now.items() if name not in known or known[name] != value}
    fit.params = now
    if changed:
        run.log_params(changed, "lightning.Trainer")


def _begin_stage(call: Call) -> Hook:
    fit = fit_of(call.instance)
    if fit is not None and fit.params is not None:
        _log_trainer_params(fit.run, call.instance)
        stage_facts(fit.run, call.instance)
    yield


def _begin_batch(call: Call) -> Hook:
    fit = _fits.get(id(call.instance.trainer))
    if fit is not None:
        fit.begin_batch(call.instance)
    yield


def _log_metrics(call: Call) -> Hook:
    fit = _fits.get(id(call.instance.trainer))
    if fit is None:
        yield
        return
    metrics = call.args[1] if len(call.args) > 1 else call.kwargs["metrics"]
    fit.log(call.instance, metrics, call.args[2] if len(call.args) > 2 else call.kwargs.get("step"))
    fit.telling = True
    try:
        yield
    finally:
        fit.telling = False


def _data(trainer: Any) -> dict[str, Any]:
    loader = trainer.train_dataloader
    return {
        "train_batches": trainer.num_training_batches,
        "val_batches": list(trainer.num_val_batches),
        "batch_size": getattr(loader, "batch_size", None),
        "train_rows": length(getattr(loader, "dataset", None)),
    }


def _rates_reach_logger(trainer: Any) -> bool:
    """Whether learning rates come through an explicit logger, under the same names."""
    monitored = any(type(callback).__name__ == "LearningRateMonitor" for callback in trainer.callbacks)
    return monitored and _explicit(trainer.loggers, "logger")


def _is_trying_out(trainer: Any) -> bool:
    """Whether Lightning searches a learning rate or batch size: it hides that from loggers, by a dummy."""
    if any(type(callback).__name__ == "_LRCallback" for callback in trainer.callbacks):
        return True
    return not trainer.fast_dev_run and any(type(logger).__name__ == "DummyLogger" for logger in trainer.loggers)


def _explicit(parts: Iterable[Any], what: str) -> bool:
    return any(getattr(type(part), "autolog_explicit", None) == what for part in parts)


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
