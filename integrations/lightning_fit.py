"""One ``Trainer._run`` in progress: what its loops and logger connector tell becomes records of its child run."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from autolog.integrations import torch_weights
from autolog.integrations.lightning_arguments import given_to
from autolog.integrations.lightning_checkpoints import Checkpoints
from autolog.integrations.lightning_facts import data_fact
from autolog.integrations.lightning_rates import Rates
from autolog.integrations.lightning_speed import Speed
from autolog.integrations.lightning_values import Late, begin

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["Fit", "Options", "explicit_options", "is_explicit", "is_trying_out"]


class Options(NamedTuple):
    """What an explicit callback or logger asks for; the defaults are those of the automatic recording."""

    every_n_steps: int | None = None
    """Record step values at every so many batches that step; ``None``: at each, or at the trainer's own interval."""
    metrics: tuple[str, ...] | None = None
    """Glob patterns of the names to record; ``None``: all."""
    learning_rates: bool = True
    throughput: bool = True
    checkpoints: bool = True
    run: Run | None = None
    """The run to record into; ``None``: the current one."""
    name: str | None = None
    """What the child run is called; ``None``: as the module's class."""
    weights: str | None = None
    """When histograms of weights are recorded; ``None``: as the setting says."""


class Fit:
    """A fit, validation, test or prediction, and the run it reports to.

    Attributes:
        run: its child run; in a fit within a fit that of the outer one.
        params: trainer parameters on record; ``None`` in a fit within a fit, whose owner reports its own.
        batches: training batches so far.
        summary: the table that Lightning has made of the module.
        telling: the trainer is telling its loggers what is on record already.
    """

    __slots__ = (
        "_data_told", "_fresh", "_interval", "_last", "_stepping", "_trying", "batches", "checkpoints", "late",
        "options", "params", "rates", "rates_now", "run", "speed", "summary", "telling",
    )  # fmt: skip

    def __init__(self, run: Run, trainer: Any, options: Options, *, owner: bool) -> None:
        self.run = run
        self.options = options
        self.params: dict[str, Any] | None = {} if owner else None
        self.late = Late(run)
        self.checkpoints = Checkpoints(run)
        self.rates = Rates()
        self.speed = Speed()
        self.batches = 0
        self.summary: str | None = None
        self.telling = False
        self.rates_now: dict[str, Any] = {}
        """Learning rates the batch in progress began with, if it is going to be recorded."""
        self._interval = _interval(trainer, options)
        self._data_told = False
        self._stepping = False
        self._trying = False
        self._fresh = False
        self._last: dict[str, Any] = {}
        """The step values that were recorded last, to tell what a step has logged from what it has not."""

    # -- batches ------------------------------------------------------------------------------------------------------

    def begin_batch(self, connector: Any, batch: Any) -> None:
        """A batch begins: the current step and epoch, and the learning rates it is going to use."""
        trainer = connector.trainer
        if self.params is not None:
            self.run.step, self.run.epoch = trainer.global_step, trainer.current_epoch
        if not self._data_told:
            self._tell_data(trainer)
        if not trainer.training:
            self.speed.pause()
            return
        self._trying = is_trying_out(trainer)
        if self._trying:
            self.rates_now, self._fresh = {}, False
            return
        self.batches += 1
        if self.params is not None:
            torch_weights.stepped(self.run)
        if self.options.throughput:
            self.speed.begin(batch, trainer.global_step)
        self._fresh = self._is_due(connector)
        self.rates_now = self.rates.read(trainer) if self._fresh and self.options.learning_rates else {}

    def _tell_data(self, trainer: Any) -> None:
        """The data are known with the first batch; those of a fit with the first one of training."""
        is_fit = trainer.state.fn == "fit"
        if self.params is None or (is_fit and not trainer.training):
            return
        self._data_told = True
        if is_fit:
            self.speed.replicas = _replicas(trainer)
        self.run.log_fact("data", data_fact(trainer))

    def _is_due(self, connector: Any) -> bool:
        """Whether the values of the batch that begins are going to be recorded."""
        if self._interval is None:
            return bool(connector.should_update_logs)
        stepped: int = connector.trainer.fit_loop.epoch_loop._batches_that_stepped  # noqa: SLF001  as Lightning counts
        return (stepped + 1) % self._interval == 0

    def step(self, connector: Any) -> bool:
        """A training batch is over; Lightning is about to tell its loggers, if it is one of those it tells of.

        Returns:
            Whether step values are recorded here, whatever Lightning tells its loggers.
        """
        trainer = connector.trainer
        if self.options.throughput and self.speed.end():
            self.log_speed(trainer)
        if self._interval is None or self._trying:
            return False
        accumulates = trainer.fit_loop._should_accumulate()  # noqa: SLF001  as Lightning asks at the same place
        if accumulates and trainer.lightning_module.automatic_optimization:
            return False
        if self._fresh:
            values = self._logged(trainer._results)  # noqa: SLF001  Lightning has no public place for them
            if values or self.rates_now:
                self._record(trainer, {**self.rates_now, **values}, None)
        self._stepping = True
        return True

    def stepped(self) -> None:
        """Lightning has told its loggers of the batch."""
        self._stepping = False

    def _logged(self, results: Any) -> dict[str, Any]:
        """What has been logged for the steps since the last record: Lightning keeps older values too."""
        values: dict[str, Any] = {}
        last = self._last
        for key, metric in results.items():
            meta = metric.meta
            if not meta.on_step or not meta.logger or metric.has_reset or meta.dataloader_idx != results.dataloader_idx:
                continue
            value = metric._forward_cache  # noqa: SLF001  as above
            if value is not None and last.get(key) is not value:
                last[key] = value
                values[results._forked_name(metric, on_step=True)[1]] = value  # noqa: SLF001  as above
        return values

    # -- values -------------------------------------------------------------------------------------------------------

    def log(self, connector: Any, metrics: dict[str, Any], step: int | None) -> None:
        """Record what the loggers get, at the optimizer step the trainer has reached.

        Args:
            connector: the trainer's logger connector.
            metrics: as it gets them. ``step`` and ``epoch`` among them are the axes, not metrics.
            step: given where the framework counts otherwise, as in steps of an evaluation.
        """
        trainer = connector.trainer
        if self._stepping or trainer.sanity_checking or is_trying_out(trainer):
            return
        if trainer.training and connector._first_loop_iter is not None:  # noqa: SLF001  a step, not an epoch's end
            metrics = {**self.rates_now, **metrics}
        self._record(trainer, metrics, step)

    def _record(self, trainer: Any, metrics: dict[str, Any], step: int | None) -> None:
        values = begin(metrics)
        own_step, epoch = values.pop("step", None), values.pop("epoch", trainer.current_epoch)
        if step is None:
            step = trainer.global_step if own_step is None else own_step
        patterns = self.options.metrics
        if patterns is not None:
            values = {
                name: value for name, value in values.items() if any(fnmatchcase(name, pattern) for pattern in patterns)
            }
        self.late.put(values, step, epoch)

    def log_directly(self, values: dict[str, Any], step: int | None, epoch: Any) -> None:
        """Record what is given to an explicit logger directly, but for rates that are recorded anyway."""
        own = self.rates.names() if self.options.learning_rates else ()
        self.late.put(begin({name: value for name, value in values.items() if name not in own}), step, epoch)

    def log_speed(self, trainer: Any) -> None:
        """Record the throughput since the last time."""
        self.run.captured_metrics(self.speed.take(trainer.global_step), trainer.global_step, trainer.current_epoch)

    def end_epoch(self, trainer: Any) -> None:
        """A training epoch is over."""
        if self.params is not None and not self._trying:
            self.run.step, self.run.epoch = trainer.global_step, trainer.current_epoch
            torch_weights.epoch_ended(self.run)
        self.log_speed(trainer)
        self.late.settle(held=True)


def _interval(trainer: Any, options: Options) -> int | None:
    """Record every so many steps; ``None``: when Lightning tells its loggers, because the program has said when."""
    if options.every_n_steps is not None:
        return options.every_n_steps
    own = trainer.log_every_n_steps
    given = given_to(trainer)
    said = "log_every_n_steps" in given.arguments if given is not None else own != _DEFAULT_INTERVAL
    return None if said or not own else 1


_DEFAULT_INTERVAL = 50


def _replicas(trainer: Any) -> int:
    kwargs = getattr(trainer.strategy, "distributed_sampler_kwargs", None)
    return int(kwargs.get("num_replicas", 1)) if isinstance(kwargs, dict) else 1


def is_trying_out(trainer: Any) -> bool:
    """Whether Lightning searches a learning rate or batch size: it hides that from loggers, by a dummy."""
    if any(type(callback).__name__ == "_LRCallback" for callback in trainer.callbacks):
        return True
    return not trainer.fast_dev_run and any(type(logger).__name__ == "DummyLogger" for logger in trainer.loggers)


def is_explicit(parts: Iterable[Any], what: str) -> bool:
    """Whether one of a trainer's callbacks or loggers is autolog's own."""
    return any(getattr(type(part), "autolog_explicit", None) == what for part in parts)


def explicit_options(trainer: Any) -> Options:
    """What the trainer's explicit callback or logger asks for; the callback's word counts more."""
    for parts, what in ((trainer.callbacks, "callback"), (trainer.loggers, "logger")):
        for part in parts:
            if getattr(type(part), "autolog_explicit", None) == what and isinstance(part.autolog_options, Options):
                return part.autolog_options
    return Options()
