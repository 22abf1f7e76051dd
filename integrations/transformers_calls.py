"""One call of a ``Trainer`` (a training, an evaluation, a prediction) and what goes on record while it lasts."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from autolog.integrations import torch_weights
from autolog.integrations.torch_facts import length
from autolog.integrations.torch_logged import finish, log_values
from autolog.integrations.transformers_checkpoints import Checkpoints
from autolog.integrations.transformers_data import log_datasets
from autolog.integrations.transformers_facts import (
    log_arguments,
    log_begin,
    log_model,
    trainer_fact,
    training_fact,
)
from autolog.integrations.transformers_speed import Speed

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["AUTOMATIC", "Options", "TrainerCall", "log"]


class Options(NamedTuple):
    """What an explicit ``AutologCallback`` was asked for; see there."""

    run: Run | None = None
    name: str | None = None
    every_n_steps: int = 1
    metrics: tuple[str, ...] = ("*",)
    datasets: bool = True
    checkpoints: bool = True
    completions: int | None = None
    weights: str | None = None


AUTOMATIC = Options()
"""Without an explicit callback."""


class TrainerCall:
    """What one call records.

    Attributes:
        run: its child run.
        trainer: the trainer.
        kind: ``fit``, ``trial``, ``evaluate`` or ``predict``.
        options: what the user asked for.
    """

    __slots__ = (
        "__weakref__", "_batch_sizes", "_checkpoints", "_last", "_resumed", "_speed", "kind", "options", "run",
        "trainer",
    )  # fmt: skip

    def __init__(self, run: Run, trainer: Any, kind: str, options: Options) -> None:
        self.run = run
        self.trainer = trainer
        self.kind = kind
        self.options = options
        self._checkpoints = Checkpoints(run)
        self._speed: Speed | None = None
        self._last: int | None = None
        self._resumed: Any = None
        self._batch_sizes: list[int] = []

    @property
    def is_fit(self) -> bool:
        """Whether it trains."""
        return self.kind in ("fit", "trial")

    def open(self) -> None:
        """The call begins: arguments, parts and data sets, as far as they are settled."""
        state = self.trainer.state
        self.run.step, self.run.epoch = state.global_step, state.epoch
        log_arguments(self.run, self.trainer.args, all_of_them=self.is_fit)
        self.run.log_fact("trainer", trainer_fact(self.trainer))
        if not self.is_fit:  # a fit may still replace its model; its begin tells
            log_model(self.run, self.trainer.model)

    def describe_data(self, given: Any = None) -> None:
        """Record the data sets.

        Args:
            given: what an evaluation or prediction was called with instead of the trainer's own.
        """
        if not self.options.datasets:
            return
        trainer = self.trainer
        if self.is_fit:
            names = ("train_dataset", "eval_dataset")
            log_datasets(self.run, {name: getattr(trainer, name, None) for name in names})
        elif self.kind == "predict":
            log_datasets(self.run, {"test_dataset": given})
        else:
            own = getattr(trainer, "eval_dataset", None)
            log_datasets(self.run, {"eval_dataset": own if given is None or isinstance(given, str) else given})

    def entering(self, resumed: Any, batch_size: Any) -> None:
        """The loop begins; again with a smaller batch, where the trainer looks for one that fits.

        Args:
            resumed: the checkpoint that training goes on from.
            batch_size: of one device.
        """
        self._resumed = resumed
        if isinstance(batch_size, int):
            self._batch_sizes.append(batch_size)
        if len(self._batch_sizes) > 1:
            self.run.log_fact("batch_sizes_tried", self._batch_sizes)

    def begin(self, state: Any, handler: Any) -> None:
        """Training begins."""
        self.run.step, self.run.epoch = state.global_step, state.epoch
        if getattr(state, "trial_params", None):
            self.run.log_params(state.trial_params, "transformers.trial")
        log_begin(self.run, state, handler)
        if self._resumed is not None and state.global_step:
            told = {"checkpoint": str(self._resumed), "step": state.global_step, "epoch": state.epoch}
            self.run.log_fact("resumed", told)
        torch_weights.unwatch(self.run)  # of a loop that has begun anew
        model = getattr(self.trainer, "model_wrapped", None) or self.trainer.model
        torch_weights.watch(self.run, model, asked=self.options.weights)
        self._last = None
        loader, args = handler.train_dataloader, self.trainer.args
        rows = length(getattr(loader, "dataset", None))
        self._speed = Speed(state.train_batch_size or args.train_batch_size, rows, args.world_size)

    # -- steps ------------------------------------------------------------------------------------------------------

    def fetch(self) -> None:
        """Batches for a step are going to be fetched."""
        if self._speed is not None:
            self._speed.fetch()

    def fetched(self, batches: Any) -> None:
        """Batches for a step are here."""
        if self._speed is not None:
            self._speed.fetched(batches)

    def step(self, state: Any) -> None:
        """The optimizer has stepped."""
        self.run.step, self.run.epoch = state.global_step, state.epoch
        torch_weights.stepped(self.run)
        if self._speed is not None:
            self._speed.stepped()

    def epoch_ended(self, state: Any) -> None:
        """An epoch of training is over."""
        self.run.step, self.run.epoch = state.global_step, state.epoch
        torch_weights.epoch_ended(self.run)

    def log(self, state: Any, logs: Mapping[str, Any]) -> None:
        """Record what the trainer logs. A training's losses come with the speeds since the last ones."""
        values = dict(logs)
        if self._speed is not None and "loss" in values:
            step = state.global_step
            if self._last is not None and 0 <= step - self._last < self.options.every_n_steps:
                return
            self._last = step
            values |= self._speed.take()
        patterns = self.options.metrics
        if patterns != AUTOMATIC.metrics:
            values = {name: value for name, value in values.items() if name == "epoch" or _matches(name, patterns)}
        log(self.run, state, values)

    # -- files ------------------------------------------------------------------------------------------------------

    def writing(self, place: str) -> None:
        """A checkpoint's model is saved."""
        self._checkpoints.writing(place)

    def saved(self, args: Any, state: Any) -> None:
        """A checkpoint is whole."""
        if self.options.checkpoints:
            self._checkpoints.saved(args, state)

    # -- the end ----------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """The call is over, or an error ends it."""
        finish(self.run)
        if not self.is_fit:
            return
        torch_weights.unwatch(self.run)
        trainer = self.trainer
        self.run.log_fact("training", training_fact(trainer.state))
        if self.options.checkpoints:
            self._checkpoints.end(trainer.args, trainer.state)


def log(run: Run, state: Any, logs: Mapping[str, Any]) -> None:
    """Record what the trainer logs, at its global step; ``epoch`` among it is the epoch."""
    values = dict(logs)
    epoch = values.pop("epoch", state.epoch)
    log_values(run, values, state.global_step, epoch)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
