"""One training of a program with a loop of its own: a child run, its optimizers' steps, its losses and epochs."""

from __future__ import annotations

import threading
import time
from types import FrameType
from typing import TYPE_CHECKING, Any
from weakref import ref

from autolog.events import ChildEnd, Metrics, to_wire
from autolog.integrations import torch_epochs, torch_weights
from autolog.integrations.torch_describing import describe_model, describe_optimizer, describe_schedulers
from autolog.integrations.torch_facts import own_class
from autolog.integrations.torch_passes import Pass, loader_fact
from autolog.integrations.torch_stepping import Losses, Stepping, rates
from autolog.integrations.torch_surroundings import covering, look, trained
from autolog.integrations.torch_values import Reading
from autolog.integrations.torch_waiting import Waiting
from autolog.media.numbers import number

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["Losses", "Training"]

_SPEED_EVERY = 30.0
"""Seconds after which the speed of a pass that goes on is told."""
_MODES = 100
_LOADERS = 16
_now = time.time


class Training:
    """From the first step of an optimizer to the first step of the next training, or to the end of the run.

    Attributes:
        parent: the run it is a child of; its current step and epoch are this training's.
        run: its child run.
        top: steps of the optimizer that has made the most.
        place: the pass over a loader it is in, if any.
    """

    def __init__(self, parent: Run, optimizer: Any, frame: FrameType | None, schedulers: list[Any]) -> None:
        around = look(frame)
        parameters = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        wrapped, model = covering(around.modules, parameters)
        self.parent = parent
        self.run = parent.open_child(own_class(optimizer if model is None else model).__name__, "fit", "torch")
        self.top = 0
        self.place: Pass | None = None
        self._stepping: dict[int, Stepping] = {}
        self._joined = 0
        self._expected = [ref(other) for other in around.optimizers]
        self._waiting = Waiting(self._put)
        self._epoch: float | None = None
        self._epochs = torch_epochs.find(frame)
        self._loader: Any = None
        self._data: dict[str, Any] = {}
        self._evaluated: list[Any] = []
        self._model = None if model is None else ref(model)
        self._modes = 0
        self._mode = self._trains = None if model is None else bool(model.__dict__.get("training"))
        self._skipped = 0
        self._woken = False
        self._rested: float | None = None
        if model is not None:
            describe_model(self.run, model, wrapped)
        self._schedulers: list[Any] = []
        self.scheduled([*around.schedulers, *schedulers])
        self._thread = threading.get_ident()
        torch_weights.watch(self.run, *trained(around, wrapped, optimizer), hooked=False)

    # -- which optimizers -------------------------------------------------------------------------------------------

    def knows(self, optimizer: Any) -> bool:
        """Whether an optimizer has stepped here."""
        known = self._stepping.get(id(optimizer))
        return known is not None and known.optimizer() is optimizer

    def takes(self, optimizer: Any, place: Pass | None) -> bool:
        """Whether a step of this optimizer, made in the pass ``place``, is part of this training.

        It is if it has stepped here before. Another one's is if this training is in a pass over a loader, or if it was
        there beside the first one when that made its first step, as in a GAN.
        """
        known = self._stepping.get(id(optimizer))
        if known is not None and known.optimizer() is optimizer:
            return True
        if self.place is not None:
            return place is self.place and self.place.is_going_on()
        return any(other() is optimizer for other in self._expected)

    def is_over(self) -> bool:
        """Whether none of its optimizers can step again."""
        return all(known.optimizer() is None for known in self._stepping.values())

    def _join(self, optimizer: Any) -> Stepping:
        for key in [key for key, known in self._stepping.items() if known.optimizer() is None]:
            del self._stepping[key]
        name = type(optimizer).__name__
        taken = {known.same for known in self._stepping.values() if type(known.optimizer()).__name__ == name}
        same = next(index for index in range(len(taken) + 1) if index not in taken)
        stepping = self._stepping[id(optimizer)] = Stepping(optimizer, self._joined, same)
        self._joined += 1
        self._describe(stepping)
        return stepping

    def _describe(self, stepping: Stepping) -> None:
        """Record an optimizer, and the first one again as soon as there are several, which are numbered."""
        several = self._joined > 1 or len(self._expected) > 1
        first = self._joined == 2 and len(self._expected) < 2
        for known in self._stepping.values() if first else [stepping]:
            optimizer = known.optimizer()
            if optimizer is not None:
                known.fact = describe_optimizer(self.run, optimizer, known.number, several=several)
        self.run.log_fact("optimizers", [known.fact for known in self._stepping.values()])

    def scheduled(self, schedulers: list[Any]) -> None:
        """Record those of these schedulers that belong to optimizers of this training and are not on record yet."""
        known = [each() for each in self._schedulers]
        owned = {id(other()) for other in self._expected} | set(self._stepping)
        new = {
            id(each): each
            for each in schedulers
            if id(each.__dict__.get("optimizer")) in owned and not any(each is other for other in known)
        }
        if new:
            self._schedulers += [ref(each) for each in new.values()]
            describe_schedulers(self.run, [each for each in (held() for held in self._schedulers) if each is not None])

    # -- steps ------------------------------------------------------------------------------------------------------

    def step(self, optimizer: Any, losses: Losses, place: Pass | None, frame: FrameType | None) -> None:
        """An optimizer has stepped, in the pass ``place``: losses and learning rates are recorded at its own count."""
        stepping = self._stepping.get(id(optimizer)) or self._join(optimizer)
        stepping.count += 1
        self._locate(place, frame)
        if self._model is not None:
            self._watch_mode(stepping.count)
        self.top = max(self.top, stepping.count)
        self.parent.step = self.run.step = self.top
        self.parent.epoch = self.run.epoch = self._epoch
        torch_weights.optimizer_stepped(self.run, optimizer)
        torch_weights.stepped(self.run, epochs=self.place is not None)
        groups = optimizer.param_groups
        if len(groups) != len(stepping.names):
            stepping.name_groups(optimizer)
            self._describe(stepping)
        self._write(losses, rates(stepping.names, groups), stepping.count)

    def skip(self, optimizer: Any, losses: Losses, count: int) -> None:
        """Steps were left out: gradients were not finite. The losses belong to the step that it would have been."""
        stepping = self._stepping.get(id(optimizer))
        step = 0 if stepping is None else stepping.count
        self._skipped += count
        self._write(losses, [], step + 1)
        self._write([], [("autolog/skipped_steps", self._skipped)], step)

    def value(self, name: str, value: float | Reading) -> None:
        """Record a value at the current step."""
        self._write([(name, value)], [], self.top)

    def evaluated(self, losses: Losses) -> None:
        """Losses that were backpropagated while the model was in evaluation mode, between steps of training."""
        self._write([(f"eval_{name}", value) for name, value in losses], [], self.top)

    def _write(self, losses: Losses, more: Losses, step: int) -> None:
        """One record, or several where a loss was backpropagated more than once: each value is kept, at that step."""
        values: dict[str, Any] = {}
        for name, value in losses:
            if name in values:
                self._hand_over(values, step)
                values = {}
            values[name] = value
        for name, value in more:
            values[name] = value
        if values:
            self._hand_over(values, step)
        if self._waiting:
            self._waiting.settle()

    def _hand_over(self, values: dict[str, Any], step: int) -> None:
        """Write values now, or when they have arrived: nearly always they are floats, and this is the hot path."""
        waits = bool(self._waiting)
        for name, value in values.items():
            if type(value) is float:
                if value - value != 0.0:
                    values[name] = to_wire(value)
            elif type(value) is Reading:
                waits = True
            else:
                values[name] = to_wire(number(value, name))
        if waits:
            self._waiting.put(values, step, self._epoch)
        else:
            self._put(values, step, self._epoch)

    def _put(self, values: dict[str, Any], step: int, epoch: float | None) -> None:
        run = self.run
        run.append(Metrics(time=_now(), child=run.child_id, values=values, step=step, epoch=epoch))

    # -- train and eval ---------------------------------------------------------------------------------------------

    def mode(self) -> bool | None:
        """Whether the model is in training mode; ``None`` where there is none."""
        model = None if self._model is None else self._model()
        return None if model is None else model.__dict__.get("training")

    def is_evaluating(self) -> bool:
        """Whether a model that is trained in training mode is in the other one."""
        return bool(self._trains) and self.mode() is False

    def _watch_mode(self, step: int) -> None:
        mode = self.mode()
        if mode is not self._mode and mode is not None and self._modes < _MODES:
            self._mode = mode
            self._modes += 1
            self.run.log_fact("modes", [{"step": step, "training": mode}], append=True)

    def evaluates(self, loader: Any) -> None:
        """A pass over a loader begins in evaluation mode, or without gradients."""
        if len(self._evaluated) < _LOADERS and not any(known() is loader for known in self._evaluated):
            self._evaluated.append(ref(loader))
            self.run.log_fact("evaluation_data", [loader_fact(loader)], append=True)

    # -- epochs -----------------------------------------------------------------------------------------------------

    def _locate(self, now: Pass | None, frame: FrameType | None) -> None:
        if now is None:
            if self._epochs is not None and frame is not None:
                self._epoch = self._epochs.value(frame)
        elif now is not self.place:
            self._enter(now, frame)
        elif now.ended - now.told >= _SPEED_EVERY:
            self._tell_speed(now, last=False)

    def _enter(self, now: Pass, frame: FrameType | None) -> None:
        self._end_epoch()
        loader = now.loader()
        if loader is None:
            return
        now.know(loader)
        known = self._loader() if self._loader is not None else None
        if known is None:
            self._loader = ref(loader)
            fact = loader_fact(loader)
            if fact != self._data:  # a program may make a new loader for each epoch
                self._data = fact
                self.run.log_fact("data", fact)
        own = None if self._epochs is None else self._epochs.value(frame)
        if own is not None:
            self._epoch = own
        elif known is None or known is loader:
            self._epoch = 0 if self._epoch is None else self._epoch + 1
        self.place = now
        now.over = self._over

    def passes_on(self, loader: Any) -> None:
        """A pass over a loader begins: if it is the same loader's, the last one is over, and weights are at rest."""
        if self.place is not None and self.place.loader() is loader:
            torch_weights.epoch_ended(self.run)

    def _over(self, place: Pass) -> None:
        """The loop over a loader has ended; or its iterator is collected later, at whatever moment that is."""
        if place is self.place and threading.get_ident() == self._thread:
            torch_weights.epoch_ended(self.run)

    def _end_epoch(self) -> None:
        if self.place is not None:
            self._tell_speed(self.place, last=True)

    def _tell_speed(self, place: Pass, *, last: bool) -> None:
        speed = place.speed(last=last)
        if speed is not None:
            self._write([], [("autolog/samples_per_second", speed)], self.top)

    # -- the end ----------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Record what is left: the last epoch's speed, and values that a device has not computed yet."""
        torch_weights.unwatch(self.run)
        self._end_epoch()
        self.place = None
        self._waiting.finish()
        if self._waiting.lost:
            self.parent.log_health("lost", "torch", self._waiting.lost, "values that the device has not given in time")
            self._waiting.lost = 0
        if self._woken:  # it went on after its end, which is told again
            ended = _now() if self._rested is None else self._rested
            self.run.append(ChildEnd(time=ended, child=self.run.child_id, status="completed"))

    def rest(self) -> None:
        """The next training begins. A last one has no end of its own: it shares that of its run."""
        if self._woken:
            self._rested = _now()  # written once, at the end: trainings may take turns at every step
        else:
            self.settle()
            self.run.close_child()

    def wake(self) -> None:
        """It goes on, after another one has begun."""
        self._woken, self._rested = True, None
