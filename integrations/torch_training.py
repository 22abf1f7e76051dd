"""One training of a program with a loop of its own: a child run, its optimizers' steps, its losses and epochs."""

from __future__ import annotations

from collections import deque
from types import FrameType
from typing import TYPE_CHECKING, Any
from weakref import ref

from autolog.integrations.torch_facts import (
    learning_rates,
    model_fact,
    optimizer_facts,
    optimizer_params,
    scheduler_fact,
)
from autolog.integrations.torch_passes import Pass, loader_fact
from autolog.integrations.torch_surroundings import Surroundings, covering, look
from autolog.integrations.torch_values import Reading

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["Losses", "Training"]

Losses = list[tuple[str, "float | Reading"]]
"""What has been backpropagated since the last step, in order, by name."""

_DESCRIBED = 8
_MODULES = 300


class _Stepping:
    """One optimizer of a training: how often it has stepped."""

    __slots__ = ("count", "facts", "optimizer", "params")

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = ref(optimizer)
        self.count = 0
        self.params = optimizer_params([optimizer])
        self.facts = optimizer_facts([optimizer])[0]


class Training:
    """From the first step of an optimizer to the first step of the next training, or to the end of the run.

    Attributes:
        parent: the run it is a child of; its current step and epoch are this training's.
        run: its child run.
        top: steps of the optimizer that has made the most.
        place: the pass over a loader it is in, if any.
    """

    def __init__(self, parent: Run, optimizer: Any, frame: FrameType | None) -> None:
        around = look(frame)
        parameters = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        model = covering(around.modules, parameters)
        name = type(optimizer if model is None else model).__name__
        self.parent = parent
        self.run = parent.open_child(name, "fit", "torch")
        self.top = 0
        self._stepping: dict[int, _Stepping] = {}
        self._expected = [ref(other) for other in around.optimizers]
        self._waiting: deque[tuple[dict[str, Any], int, int | None]] = deque()
        self._epoch: int | None = None
        self.place: Pass | None = None
        self._loader: Any = None
        self._names: dict[int, list[str]] = {}
        self._describe(around, model)

    # -- which optimizers -------------------------------------------------------------------------------------------

    def takes(self, optimizer: Any, place: Pass | None) -> bool:
        """Whether a step of this optimizer, made in the pass ``place``, is part of this training.

        It is if it has stepped here before. Another one's is if this training is in a pass over a loader, or if it was
        there beside the first one when that made its first step, as in a GAN.
        """
        known = self._stepping.get(id(optimizer))
        if known is not None and known.optimizer() is optimizer:
            return True
        if self.place is not None:
            return place is self.place
        return any(other() is optimizer for other in self._expected)

    def _join(self, optimizer: Any) -> _Stepping:
        for key in [key for key, known in self._stepping.items() if known.optimizer() is None]:
            del self._stepping[key]
        stepping = self._stepping[id(optimizer)] = _Stepping(optimizer)
        self._names.clear()
        number = len(self._stepping)
        if number <= _DESCRIBED:
            self._describe_optimizers(only_last=number > 2)
        return stepping

    def _describe_optimizers(self, *, only_last: bool) -> None:
        steppings = list(self._stepping.values())
        several = len(steppings) > 1 or len(self._expected) > 1
        for index, stepping in enumerate(steppings):
            if not only_last or index == len(steppings) - 1:
                prefix = f"optimizer.{index}." if several else "optimizer."
                values = {prefix + name.removeprefix("optimizer."): value for name, value in stepping.params.items()}
                self.run.log_params(values, "torch.optim")
        self.run.log_fact("optimizers", [stepping.facts for stepping in steppings])

    def _describe(self, around: Surroundings, model: Any) -> None:
        if model is not None:
            modules = [[name, type(part).__name__] for name, part in model.named_modules() if name]
            fact = {**model_fact(model), "modules": modules[:_MODULES], "training": bool(model.training)}
            if len(modules) > _MODULES:
                fact["modules_left_out"] = len(modules) - _MODULES
            self.run.log_fact("model", fact)
        expected = {id(optimizer) for optimizer in around.optimizers}
        facts = [scheduler_fact(each) for each in around.schedulers if id(vars(each).get("optimizer")) in expected]
        if facts:
            self.run.log_fact("schedulers", facts)
            names = [fact["class"].rpartition(".")[2] for fact in facts]
            self.run.log_params({"scheduler.name": names[0] if len(names) == 1 else names}, "torch.optim.lr_scheduler")

    # -- steps ------------------------------------------------------------------------------------------------------

    def step(self, optimizer: Any, losses: Losses, place: Pass | None) -> None:
        """An optimizer has stepped, in the pass ``place``: losses and learning rates are recorded at its own count."""
        stepping = self._stepping.get(id(optimizer)) or self._join(optimizer)
        stepping.count += 1
        self._locate(place)
        self.top = max(self.top, stepping.count)
        self.parent.step = self.run.step = self.top
        self.parent.epoch = self.run.epoch = self._epoch
        self._write(losses, self._rates(optimizer), stepping.count)

    def skip(self, optimizer: Any, losses: Losses, skipped: int) -> None:
        """A step was left out: gradients were not finite. Its losses belong to the step that it would have been."""
        stepping = self._stepping.get(id(optimizer))
        step = self.top if stepping is None else stepping.count
        self._write(losses, {}, step + 1)
        self.run.captured_metrics({"autolog/skipped_steps": skipped}, step, self._epoch)

    def value(self, name: str, value: float | Reading) -> None:
        """Record a value at the current step."""
        self._write([(name, value)], {}, self.top)

    def _write(self, losses: Losses, more: dict[str, Any], step: int) -> None:
        """One record, or several where a loss was backpropagated more than once: each value is kept, at that step."""
        values: dict[str, Any] = {}
        for name, value in losses:
            if name in values:
                self._put(values, step)
                values = {}
            values[name] = value
        values.update(more)
        self._put(values, step)
        if self._waiting:
            self._settle(wait=False)

    def _put(self, values: dict[str, Any], step: int) -> None:
        if any(type(value) is Reading for value in values.values()):
            self._waiting.append((values, step, self._epoch))
        elif values:
            self.run.captured_metrics(values, step, self._epoch)

    def _settle(self, *, wait: bool) -> None:
        """Write what a device has computed by now; with ``wait``, what it still has to."""
        while self._waiting:
            values, step, epoch = self._waiting[0]
            readings = [value for value in values.values() if type(value) is Reading]
            if not wait and not all(reading.ready() for reading in readings):
                return
            self._waiting.popleft()
            read = {name: value.value() if type(value) is Reading else value for name, value in values.items()}
            self.run.captured_metrics(read, step, epoch)

    def _rates(self, optimizer: Any) -> dict[str, Any]:
        """Learning rates of an optimizer's groups; several optimizers of a class are numbered."""
        groups = optimizer.param_groups
        names = self._names.get(id(optimizer))
        if names is None or len(names) != len(groups):
            live = [other for other in (known.optimizer() for known in self._stepping.values()) if other is not None]
            before = live[: next(index for index, other in enumerate(live) if other is optimizer)]
            earlier = learning_rates(before)
            names = [name for name in learning_rates([*before, optimizer]) if name not in earlier]
            if len(names) != len(groups):  # rates on a device, or none at all
                return {}
            self._names[id(optimizer)] = names
        return {name: group["lr"] for name, group in zip(names, groups, strict=True)}

    # -- epochs -----------------------------------------------------------------------------------------------------

    def _locate(self, now: Pass | None) -> None:
        if now is self.place or now is None:
            return
        self._end_epoch()
        loader = now.loader()
        if loader is None:
            return
        now.know(loader)
        known = self._loader() if self._loader is not None else None
        if known is None:
            self._loader = ref(loader)
            self.run.log_fact("data", loader_fact(loader))
        if known is None or known is loader:
            self._epoch = 0 if self._epoch is None else self._epoch + 1
        self.place = now

    def _end_epoch(self) -> None:
        done = self.place
        if done is None:
            return
        samples, seconds = done.samples(), done.ended - done.began
        if samples and seconds > 0:
            self.run.captured_metrics({"autolog/samples_per_second": samples / seconds}, self.top, self._epoch)

    # -- the end ----------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Record what is left: the last epoch's speed, and values that a device has not computed yet."""
        self._settle(wait=True)
        self._end_epoch()
        self.place = None

    def end(self) -> None:
        """The next training begins. A last one has no end of its own: it shares that of its run."""
        self.settle()
        self.run.close_child()
