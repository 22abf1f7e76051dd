"""A program's own loop, seen from its optimizer steps: which training a step belongs to, and what comes with it."""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from autolog import current, guard, patching
from autolog.integrations import torch_amp
from autolog.integrations.torch_compiled import mark
from autolog.integrations.torch_passes import Pass, Passes
from autolog.integrations.torch_training import Losses, Training
from autolog.integrations.torch_values import is_capturing

if TYPE_CHECKING:
    from autolog.integrations.torch_values import Reading

__all__ = [
    "Thread",
    "at_end",
    "compiled_step",
    "forked",
    "goes_on",
    "is_framework",
    "is_quiet",
    "scaled",
    "scheduled",
    "settle_evaluation",
    "stepped",
    "stepping",
    "take_losses",
    "thread",
    "updating",
]

_LOOPS = ("lightning.pytorch.", "pytorch_lightning.", "transformers.trainer", "keras.")
_RESTING = 64
_UNREAL = {"FakeTensor", "FunctionalTensor"}


class Thread(threading.local):
    """What a thread has backpropagated since its last step, and the training it is in."""

    def __init__(self) -> None:
        self.losses: Losses = []
        self.evaluated: Losses = []
        """Losses that were backpropagated while the model was in evaluation mode."""
        self.training: Training | None = None
        self.resting: list[Training] = []
        """Earlier trainings, which may go on."""
        self.passes = Passes()
        self.scaled = torch_amp.Scaled()
        self.inside = False
        """A backward pass is going on: those inside it (checkpointing) are parts of it."""
        self.suspect: Pass | None = None
        """A pass that began in evaluation mode: one of training, if steps are made in it."""
        self.steps = 0
        self.skipped = 0
        """Steps that a scaler has left out of optimizers which have not stepped yet."""
        self.schedulers: WeakSet[Any] = WeakSet()
        """Made since the last step, or for optimizers that have not stepped yet."""


thread = Thread()
_trainings: list[Training] = []
"""Open trainings of all threads."""


def take_losses() -> Losses:
    """What this thread has backpropagated since the last step: for an optimizer that is not torch's own."""
    losses, thread.losses = thread.losses, []
    return losses


def is_quiet() -> bool:
    """Whether nothing is recorded now: in workers, and while another integration owns a fit."""
    return patching.is_silent() or current.fit_in_progress() is not None


# -- steps -------------------------------------------------------------------------------------------------------------


def stepped(optimizer: Any) -> None:
    """Called by torch's hook after a step of any optimizer."""
    frame = sys._getframe(2)  # noqa: SLF001  torch's wrapper of `step`
    if patching.is_silent() or _is_nested(frame):
        return
    with guard.guard("torch.step"):
        if mark.optimizer is not None:
            compiled_step(frame)
        _step(optimizer, frame)


def compiled_step(frame: FrameType | None) -> None:
    """A step that was made inside compiled code since the last time anything was seen here."""
    optimizer, mark.optimizer = mark.optimizer, None
    if optimizer is not None and not patching.is_silent():
        _step(optimizer, frame)


def _step(optimizer: Any, frame: FrameType | None) -> None:
    here = thread
    if not _is_real(optimizer):
        return
    here.steps += 1
    losses, here.losses = here.losses, []
    if current.fit_in_progress() is not None:
        return
    last = here.training
    place = here.passes.current(None if last is None else last.place)
    if last is None or not goes_on(last) or not last.takes(optimizer, place):
        known = next((old for old in here.resting if old.knows(optimizer) and goes_on(old)), None)
        if known is None and is_framework(frame):
            return
        place = None if last is not None and place is last.place else place
        last = _begin(here, optimizer, frame) if known is None else _go_on(here, known)
    if here.evaluated:
        losses = _sort_out(here, last, losses)
    if here.schedulers:
        _describe_schedulers(here, last)
    if here.skipped:
        skipped, here.skipped = here.skipped, 0
        last.skip(optimizer, [], skipped)
    last.step(optimizer, losses, place, frame)


def _is_real(optimizer: Any) -> bool:
    """Whether a step changes parameters: not of fake tensors, and not while it is captured in a graph."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            return type(parameter).__name__ not in _UNREAL and not is_capturing(parameter)
    return False


def _is_nested(frame: FrameType) -> bool:
    """Whether an optimizer steps inside another one's step, which counts: of a subclass of its class, or a wrapper."""
    code, above = frame.f_code, frame.f_back
    for _ in range(64):
        if above is None:
            return False
        if above.f_code is code:
            return True
        above = above.f_back
    return False


def is_framework(frame: FrameType | None) -> bool:
    """Whether the loop is a framework's: it is reported by its own integration, callback or logger, or not at all."""
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith(_LOOPS):
            return True
        frame = frame.f_back
    return False


def goes_on(training: Training) -> bool:
    """Whether the run that a training belongs to is still the current one."""
    now = current.current_run()
    parent = training.parent
    return now is not None and (now is parent or (now.id, now.child_id) == (parent.id, parent.child_id))


def _sort_out(here: Thread, training: Training, losses: Losses) -> Losses:
    """Losses of a model in evaluation mode: those of its steps, if it steps like that, else told apart."""
    evaluated, here.evaluated = here.evaluated, []
    if not losses:
        return evaluated
    training.evaluated(evaluated)
    return losses


# -- trainings ---------------------------------------------------------------------------------------------------------


def _begin(here: Thread, optimizer: Any, frame: FrameType | None) -> Training:
    _rest(here)
    training = here.training = Training(current.ensure_run(), optimizer, frame, list(here.schedulers))
    _trainings.append(training)
    return training


def _go_on(here: Thread, training: Training) -> Training:
    _rest(here)
    here.resting.remove(training)
    here.training = training
    training.wake()
    return training


def _rest(here: Thread) -> None:
    last, here.training = here.training, None
    here.resting = [old for old in here.resting if old in _trainings and not old.is_over()][-_RESTING:]
    if last is None or last not in _trainings:  # its run has ended, and it with it
        return
    if here.evaluated:
        evaluated, here.evaluated = here.evaluated, []
        last.evaluated(evaluated)
    last.rest()
    here.resting.append(last)


def at_end() -> None:
    """The run is about to end, or we are switched off: open trainings have no end but that of their run."""
    here = thread
    last = here.training if here.training in _trainings else None
    optimizer, mark.optimizer = mark.optimizer, None
    if last is not None:
        settle_evaluation(here, last)
        if optimizer is not None and last.knows(optimizer):
            losses, here.losses = here.losses, []
            last.step(optimizer, losses, last.place, None)
        if here.evaluated:
            evaluated, here.evaluated = here.evaluated, []
            last.evaluated(evaluated)
    while _trainings:
        _trainings.pop().settle()
    here.training = None
    here.resting = []
    here.losses, here.skipped = [], 0  # no step of this run has followed


def forked() -> None:
    """In a forked child that has trainings of its own: those of its parent go on there."""
    _trainings.clear()
    thread.__init__()  # type: ignore[misc]  # of this thread, the only one


def settle_evaluation(here: Thread, training: Training) -> None:
    """The pass that was a suspect is over, or as good as over."""
    suspect, here.suspect = here.suspect, None
    loader = None if suspect is None or suspect is training.place else suspect.loader()
    if loader is not None:
        training.evaluates(loader)


def scheduled(scheduler: Any) -> None:
    """A scheduler has been made: it is described at the next step, when its own class has finished making it."""
    if not patching.is_silent():
        thread.schedulers.add(scheduler)


def _describe_schedulers(here: Thread, training: Training) -> None:
    made = list(here.schedulers)
    training.scheduled(made)
    for each in made:
        if training.knows(each.__dict__.get("optimizer")):
            here.schedulers.discard(each)


# -- mixed precision ---------------------------------------------------------------------------------------------------


def scaled() -> torch_amp.Scaled | None:
    """What this thread has scaled; ``None`` where nothing is recorded now."""
    return None if is_quiet() else thread.scaled


def stepping(optimizer: Any) -> Any:
    """A scaler is about to step an optimizer, or not to: what is returned is to be called after that."""
    here, before = thread, thread.steps

    def after() -> None:
        if mark.optimizer is not None:
            compiled_step(sys._getframe(1))  # noqa: SLF001  the program's frame is above
        if here.steps != before or current.fit_in_progress() is not None:
            return
        training = here.training
        if training is not None and goes_on(training) and training.knows(optimizer):
            losses, here.losses = here.losses, []
            training.skip(optimizer, losses, 1)
        else:  # its first step is still to come: the losses belong to it
            here.skipped += 1

    return after


def updating(scale: float | Reading) -> None:
    """A scaler changes its scale: this is the one that was in use."""
    if thread.training is not None and not is_quiet():
        thread.training.value("amp_scale", scale)
