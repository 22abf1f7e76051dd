"""Loops of a program's own over ``optimizer.apply``: one training for the optimizers that are there at its first step.

What such a loop calls its loss is its own affair, except on torch, where it is backpropagated and seen there. A step
inside a function that TensorFlow or JAX has traced is called once, while it is traced: such a training has a child run
with all that is known of it, but no steps one by one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from autolog import current, guard
from autolog.integrations import keras_reporter, keras_weights
from autolog.integrations.keras_around import Around, look
from autolog.integrations.keras_facts import record_optimizers
from autolog.integrations.keras_model import record_model
from autolog.integrations.keras_rates import Rates, number
from autolog.integrations.keras_steps import counted, counter
from autolog.integrations.torch_epochs import find
from autolog.integrations.torch_logged import finish, log_values
from autolog.patching import Call, Hook

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["applied", "applied_stateless", "at_end", "fit_begins", "forked", "is_apart"]


class _Optimizer:
    """One optimizer of a loop, and how far it is."""

    def __init__(self, optimizer: Any, label: str, begun: int) -> None:
        self.label = label
        self.begun = begun
        self.calls = 0
        self.rates = Rates(optimizer, {})
        self._counter = getattr(optimizer, "_iterations", None)
        self._accumulate = int(getattr(optimizer, "gradient_accumulation_steps", None) or 1)

    @property
    def step(self) -> int:
        """Steps of the optimizer so far, as Keras counts them."""
        return (self.begun + self.calls) // self._accumulate

    def take(self) -> dict[str, float]:
        """One call is over: the rates it was made with, as far as they are news."""
        told = {**self.rates.begin(), **self.rates.take_assigned()} if not self.calls else self.rates.take_assigned()
        told |= self.rates.at(self.begun + self.calls)
        self.calls += 1
        return {f"{name}{self.label}": value for name, value in told.items()}

    def done(self) -> int:
        """Steps made in all, by the optimizer's own counter where nobody saw them one by one."""
        if self.calls:
            return self.step - self.begun // self._accumulate
        return ((counted(self._counter) or 0) - self.begun) // self._accumulate


class _Loop:
    """One training: its child run, its optimizers, its model if there is one."""

    def __init__(self, optimizer: Any, frame: FrameType | None, begun: int, *, traced: bool) -> None:
        around = look(frame, optimizer)
        self.parent = current.ensure_run()
        self.child: Run = self.parent.open_child(around.name, "fit", "keras")
        self.around: Around = around
        self.traced = traced
        self._optimizers: WeakKeyDictionary[Any, _Optimizer] = WeakKeyDictionary()
        self._all: list[_Optimizer] = []
        self._epochs = find(frame)
        self._top = self._last = 0
        self._weights: keras_weights.KerasWeights | None = None
        self.join(optimizer, begun)

    def goes_on(self) -> bool:
        """Whether the run that it belongs to is still the current one."""
        now, mine = current.current_run(), self.parent
        here = now is not None and (now is mine or (now.id, now.child_id) == (mine.id, mine.child_id))
        return here and not self.child.ended and self.child.recording

    def takes(self, optimizer: Any) -> bool:
        """Whether an optimizer was there at the first step, and has not stepped yet."""
        return optimizer in self.around.optimizers and optimizer not in self._optimizers and self.goes_on()

    def join(self, optimizer: Any, begun: int) -> None:
        """One of the optimizers makes its first step."""
        names = self.around.optimizers
        label = f"_{names[optimizer]}" if len(names) > 1 else ""
        known = self._optimizers[optimizer] = _Optimizer(optimizer, label, begun)
        self._all.append(known)
        keras_reporter.training(known.rates, begins=True)
        record_optimizers(self.child, {label[1:] or "optimizer": optimizer})

    def describe(self, *, moves: bool) -> None:
        """After the first step, which builds a model: what it is; its weights, where they are in its variables."""
        model, self.around = self.around.model, self.around._replace(model=None)  # which is not kept alive
        if model is None:
            return
        record_model(self.child, model, full=True)
        if moves:
            self._weights = keras_weights.begin(self.child, model)

    def step(self, optimizer: Any, frame: FrameType | None, *, moves: bool) -> None:
        """A step has been made."""
        known = self._optimizers[optimizer]
        values = known.take()
        self._top = max(self._top, known.step)
        epoch = None if self._epochs is None else self._epochs.value(frame)
        self.parent.step = self.child.step = self._top
        self.parent.epoch = self.child.epoch = epoch
        self.describe(moves=moves)
        *earlier, last = [*_backpropagated()] or [{}]
        for losses in (*earlier, last | values):
            if losses:
                log_values(self.child, losses, known.step, epoch)
        self._look_at_weights(epoch)

    def _look_at_weights(self, epoch: int | None) -> None:
        before, self._last = self._last, self._top
        if self._weights is not None and self._weights.is_due(before, self._top):
            self._weights.epoch_ended(self._top, epoch)

    def end(self, error: BaseException | None = None) -> None:
        """The next training of the optimizer begins, or this one has failed."""
        _open.remove(self)
        self.settle()
        self.child.close_child(error)

    def settle(self) -> None:
        """Nothing more is going to be seen of it."""
        for known in self._all:
            keras_reporter.training(known.rates, begins=False)
        with guard.guard("keras.own_loop"):
            if self._weights is not None:
                self._weights.end()
            finish(self.child)
            steps = {known.label[1:] or "optimizer": known.done() for known in self._all}
            told = {"traced": True} if self.traced else {}
            made = {"steps_done": max(steps.values(), default=0)} if any(steps.values()) else {}
            self.child.log_fact("training", {**told, **made})
            if len(steps) > 1:
                self.child.log_fact("optimizers", [{"name": name, "updates": made} for name, made in steps.items()])


_loops: WeakKeyDictionary[Any, _Loop] = WeakKeyDictionary()
"""Trainings by each of their optimizers."""
_open: list[_Loop] = []


def is_apart() -> bool:
    """Whether a call is none of ours: inside ``torch.compile``, or in a fit that is recorded already. Asked often."""
    torch = sys.modules.get("torch")
    return (torch is not None and torch.compiler.is_compiling()) or current.fit_in_progress() is not None


def applied(call: Call) -> Hook:
    """Around ``Optimizer.apply``, which ``apply_gradients`` calls."""
    yield from _around(call, stateless=False)


def applied_stateless(call: Call) -> Hook:
    """Around ``Optimizer.stateless_apply``: inside it, ``apply`` has no optimizer that moves."""
    yield from _around(call, stateless=True)


def _around(call: Call, *, stateless: bool) -> Iterator[None]:
    optimizer, frame = call.instance, sys._getframe(4)  # noqa: SLF001  here, hook, begin, wrapper
    grads = call.args[1] if len(call.args) > 1 else call.kwargs.get("grads")
    elsewhere = optimizer not in _loops and keras_reporter.is_training(optimizer)
    if not grads or elsewhere or (not stateless and _in_scope()):
        if elsewhere:
            _backpropagated()  # its values are told there; they are no losses of the next step
        yield
        return
    traced = _is_traced(call)
    begun = None if optimizer in _loops else _counted(call, stateless=stateless)
    try:
        yield
    except BaseException as error:
        loop = None if traced else _loops.pop(optimizer, None)
        if loop is not None:
            loop.end(error)
        raise
    with guard.guard("keras.apply"), _lifted() if traced else nullcontext():
        loop = _loop(optimizer, frame, begun, traced=traced)
        if traced:
            loop.describe(moves=False)
        else:
            loop.traced = False
            loop.step(optimizer, frame, moves=not stateless)


def _loop(optimizer: Any, frame: FrameType | None, begun: int | None, *, traced: bool) -> _Loop:
    known = _loops.get(optimizer)
    if known is not None and known.goes_on():
        return known
    if begun is None:  # the run of the one before has ended
        begun = counter(optimizer) or 0
        begun -= 0 if traced else 1
    loop = next((one for one in _open if one.takes(optimizer)), None)
    if loop is None:
        loop = _Loop(optimizer, frame, begun, traced=traced)
        _open.append(loop)
    else:
        loop.join(optimizer, begun)
    _loops[optimizer] = loop
    return loop


def _counted(call: Call, *, stateless: bool) -> int:
    """The counter before a call: of the optimizer, or of the state that is given instead."""
    optimizer = call.instance
    if not stateless:
        with _lifted():
            return counter(optimizer) or 0
    state = call.args[1] if len(call.args) > 1 else call.kwargs["optimizer_variables"]
    own = getattr(optimizer, "_iterations", None)
    at = next((index for index, one in enumerate(optimizer.variables) if one is own), None)
    return 0 if at is None or _is_traced(call) else int(number(list(state)[at]))


# -- traced functions ----------------------------------------------------------------------------------------------


def _is_traced(call: Call) -> bool:
    """Whether this call is made once, for a function that will be run many times."""
    tensorflow, jax = sys.modules.get("tensorflow"), sys.modules.get("jax")
    backend = sys.modules["keras"].backend.backend()
    if backend == "tensorflow" and tensorflow is not None:
        return not tensorflow.executing_eagerly()
    if backend == "jax" and jax is not None:
        leaves = jax.tree_util.tree_leaves([*call.args[1:], *call.kwargs.values()])
        return any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)
    return False


def _lifted() -> Any:
    """A block in which values can be read, also while TensorFlow traces a function."""
    tensorflow = sys.modules.get("tensorflow")
    is_ours = sys.modules["keras"].backend.backend() == "tensorflow" and tensorflow is not None
    return tensorflow.init_scope() if is_ours and tensorflow is not None else nullcontext()


def _in_scope() -> bool:
    scope = sys.modules["keras.src.backend.common.stateless_scope"]
    return bool(scope.in_stateless_scope())


def _backpropagated() -> list[dict[str, Any]]:
    """On torch: what has been backpropagated since the last step, in as many parts as names come again."""
    if sys.modules["keras"].backend.backend() != "torch":
        return []
    from autolog.integrations.torch_loop import take_losses

    parts: list[dict[str, Any]] = []
    for name, value in take_losses():
        if not parts or name in parts[-1]:
            parts.append({})
        parts[-1][name] = value
    return parts


# -- begin and end ---------------------------------------------------------------------------------------------------


def fit_begins(model: Any) -> None:
    """``fit`` of a model is another training than a loop over its optimizer."""
    optimizer = getattr(model, "optimizer", None)
    loop = None if optimizer is None else _loops.pop(optimizer, None)
    if loop is not None:
        loop.end()


def at_end() -> None:
    """The run is about to end, or we are switched off: loops have no end but that of their run."""
    _loops.clear()
    while _open:
        _open.pop().settle()


def forked() -> None:
    """In a forked child that has trainings of its own: those of its parent go on there."""
    _loops.clear()
    _open.clear()
