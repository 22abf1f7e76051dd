"""Weights, gradients and activations of a torch model in training, for whichever integration owns the fit.

An integration calls :func:`watch` when a fit begins, :func:`stepped` after each optimizer step (with the run's ``step``
and ``epoch`` set), :func:`epoch_ended`, and :func:`unwatch`. Weights are those after an epoch's last step, or after
every N-th step. Gradients are read while an optimizer steps, where they are unscaled and clipped and not yet zeroed:
of the first step in each epoch, because nobody knows beforehand which one is the last, or of every N-th step.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ref

from autolog import guard, patching
from autolog.integrations import weights
from autolog.integrations.torch_activations import Activations
from autolog.integrations.torch_compiled import keep_out
from autolog.integrations.torch_histograms import Pending
from autolog.integrations.torch_tensors import inner, is_sharded, named, prefixes, reduce

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["epoch_ended", "optimizer_stepped", "stepped", "unwatch", "watch"]

_PROBES = 3


class _Snapshot(NamedTuple):
    """What has been read, and where it belongs."""

    kind: str
    pending: Pending
    norm: str | None
    """Name of the metric, where the norm of all tensors is known."""
    step: float | None = None
    epoch: float | None = None


class _Watched:
    """One model in training."""

    def __init__(self, snapshots: weights.Snapshots, models: list[Any], *, hooked: bool) -> None:
        self.snapshots = snapshots
        self.run = snapshots.run
        self.models = [(prefix, ref(inner(model))) for prefix, model in zip(prefixes(models), models, strict=True)]
        self.sharded = any(is_sharded(model) for model in models)
        self.hooked = hooked
        """Whether optimizer steps are told by the hook of all optimizers, or by the integration itself."""
        self.step = int(self.run.step or 0)
        self.written: float | None = None
        """Step of the newest snapshot of the weights."""
        self.unread: set[int] | None = None
        """Optimizers whose gradients have been read since they were last wanted; ``None``: they are not wanted."""
        self.optimizers: list[Any] = []
        self.reading: list[_Snapshot] = []
        """Gradients whose step has no number yet."""
        self.waiting: list[_Snapshot] = []
        self.probes = [ref(tensor) for model in models for tensor in islice(model.parameters(), _PROBES)]
        self.versions: list[int | None] | None = None
        self.has_epochs = hooked
        self.activations = Activations(snapshots, models[0])
        self.want(1, now=snapshots.schedule == "epoch")

    # -- when ----------------------------------------------------------------------------------------------------------

    def want(self, stride: int, *, now: bool = False) -> None:
        """Have the gradients of the next step read, if a snapshot is due there."""
        if now or weights.due(self.snapshots.schedule, self.step, self.step + stride, epochs=self.has_epochs):
            self.unread = set()
            self.activations.want()

    def stepped(self) -> None:
        now = int(self.run.step or 0)
        if not self.hooked:
            self.versions = self.look()
        if now == self.step and not self.reading:
            return
        self.number()
        before, self.step = self.step, now
        if weights.due(self.snapshots.schedule, before, now, epochs=self.has_epochs):
            self.take_weights()
        self.want(max(1, now - before))
        if self.waiting:
            self.settle(wait=False)

    def epoch_ended(self) -> None:
        self.number()
        if self.snapshots.schedule == "epoch":
            self.take_weights()
            self.want(1, now=True)
        self.settle(wait=False)

    def look(self) -> list[int | None]:
        """How often some of the weights have been changed: equal numbers, equal weights."""
        alive = [probe() for probe in self.probes]
        with sys.modules["torch"]._C.DisableTorchFunction():  # noqa: SLF001  the program's own modes see attributes too
            return [None if one is None or one.is_inference() else one._version for one in alive]  # noqa: SLF001  torch has no public name

    # -- what ----------------------------------------------------------------------------------------------------------

    def named(self) -> list[tuple[str, Any]]:
        alive = [(prefix, model()) for prefix, model in self.models]
        return [(prefix + name, one) for prefix, model in alive if model is not None for name, one in named(model)]

    def trainable(self) -> list[tuple[str, Any]]:
        """Parameters that can change."""
        found = []
        for name, tensor in self.named():
            if tensor.requires_grad:
                found.append((name, tensor))
            else:
                self.snapshots.absent("frozen", name)
        return found

    def take_weights(self) -> None:
        step = self.run.step
        if self.written == step or all(model() is None for _, model in self.models):
            return
        self.written = step
        if self.versions is not None and self.versions != self.look():
            self.snapshots.absent("changed since the last step", f"weights of step {step}")
            return
        taken = reduce(self.snapshots, "weights", self.trainable, sharded=self.sharded)
        if taken is not None:
            norm = "weight_norm" if taken.whole else None
            self.waiting.append(_Snapshot("weights", taken.pending, norm, step, self.run.epoch))

    def take_gradients(self, optimizer: Any) -> None:
        """An optimizer is about to leave its step: the gradients it used are still there."""
        if self.unread is None or id(optimizer) in self.unread:
            return
        self.unread.add(id(optimizer))

        def gradients() -> list[tuple[str, Any]]:
            used = {id(tensor) for group in optimizer.param_groups for tensor in group["params"]}
            return [(name, one.grad) for name, one in self.named() if id(one) in used and one.grad is not None]

        taken = reduce(self.snapshots, "gradients", gradients, sharded=self.sharded)
        if taken is not None:
            norm = f"gradient_norm{self.suffix(optimizer)}" if taken.whole else None
            self.reading.append(_Snapshot("gradients", taken.pending, norm))

    def suffix(self, optimizer: Any) -> str:
        """Nothing for the first optimizer, ``-1`` for the second: as learning rates are named."""
        known = [one() for one in self.optimizers]
        if not any(one is optimizer for one in known):
            self.optimizers.append(ref(optimizer))
            known.append(optimizer)
        number = next(number for number, one in enumerate(known) if one is optimizer)
        return f"-{number}" if number else ""

    def number(self) -> None:
        """What has been read during the step that is over gets its number."""
        if not self.reading and not self.activations.taken:
            return
        step, epoch = self.run.step, self.run.epoch
        read = [*self.reading, *(_Snapshot("activations", one, None) for one in self.activations.collect())]
        self.reading = []
        self.waiting += [one._replace(step=step, epoch=epoch) for one in read]

    # -- the record ----------------------------------------------------------------------------------------------------

    def settle(self, *, wait: bool) -> None:
        """Write what the devices have reduced by now; with ``wait``, what they still have to."""
        while self.waiting and (wait or self.waiting[0].pending.ready()):
            kind, pending, norm, step, epoch = self.waiting.pop(0)
            snapshots = self.snapshots
            with snapshots.spending(kind):
                histograms, norms, seconds = pending.result()
                if norm is not None:
                    snapshots.norm(norm, weights.total_norm(norms), step, epoch)
                snapshots.write(kind, histograms, step, epoch)
            snapshots.spend(kind, seconds)
            snapshots.finished(kind)

    def end(self) -> None:
        self.activations.remove()
        self.number()
        if not self.hooked and self.snapshots.schedule == "epoch" and self.step:
            self.take_weights()  # of a loop without epochs, or one left in the middle of an epoch
        self.settle(wait=True)
        self.snapshots.end()


_watched: dict[tuple[str, str | None], _Watched] = {}
_unhook: Callable[[], None] | None = None


def watch(
    run: Run, *models: Any, hooked: bool = True, budget: weights.Budget | None = None, asked: str | None = None
) -> None:
    """A fit begins: have its weights and gradients recorded, if the settings say so. It never raises.

    Args:
        run: the child run of the fit, with ``step`` set where it goes on from an earlier one.
        *models: the module in training, in ``torch.compile``, DDP or FSDP or bare; several where several are trained
            together. They are kept by weak references.
        hooked: optimizer steps are told by torch's hook for all optimizers, which is registered as long as such a fit
            goes on. Without it the integration calls :func:`optimizer_stepped`.
        budget: whose time is spent; without it, the process's.
        asked: when, as a callback asks for this fit; without it, as the setting ``weights`` says.
    """
    with guard.guard("weights.watch"):
        snapshots = None if _key(run) in _watched or not models else weights.begin(run, budget, asked)
        if snapshots is None:
            return
        with snapshots.spending():
            _watched[_key(run)] = _Watched(snapshots, list(models), hooked=hooked)
            if hooked:
                _hook()


def stepped(run: Run, *, epochs: bool = True) -> None:
    """An optimizer step is over; the run's ``step`` and ``epoch`` say which. It never raises.

    Args:
        run: that of the fit.
        epochs: whether :func:`epoch_ended` will be called; else snapshots are taken at the steps 1, 2, 4, 8 …
    """
    known = _watched.get(_key(run))
    if known is not None:
        known.has_epochs = epochs
        with guard.guard("weights.stepped"):
            known.stepped()


def epoch_ended(run: Run) -> None:
    """An epoch is over; the run's ``step`` and ``epoch`` are still those of its last step. It never raises."""
    known = _watched.get(_key(run))
    if known is not None:
        with guard.guard("weights.epoch_ended"):
            known.epoch_ended()


def optimizer_stepped(run: Run, optimizer: Any) -> None:
    """An optimizer of a fit that is not ``hooked`` leaves its step, whose number the run does not have yet."""
    known = _watched.get(_key(run))
    if known is not None:
        with guard.guard("weights.optimizer_stepped"):
            known.take_gradients(optimizer)


def unwatch(run: Run) -> None:
    """The fit has ended, its run not yet: what devices still have to reduce is waited for. It never raises."""
    known = _watched.pop(_key(run), None)
    if known is None:
        return
    if _unhook is not None and not any(other.hooked for other in _watched.values()):
        _unhook()
    with guard.guard("weights.unwatch"):
        known.end()


def _key(run: Run) -> tuple[str, str | None]:
    return run.id, run.child_id


def _hook() -> None:
    global _unhook  # noqa: PLW0603  torch's own table of these hooks is as global
    if _unhook is not None:
        return
    torch = sys.modules["torch"]
    from torch.optim.optimizer import register_optimizer_step_post_hook

    compiling = torch.compiler.is_compiling

    def hook(optimizer: Any, args: Any, kwargs: Any) -> None:  # noqa: ARG001  torch's signature
        if not compiling():
            _stepping(optimizer)

    handle = register_optimizer_step_post_hook(hook)
    keep_out(torch, [], [hook, _stepping])

    def remove() -> None:
        global _unhook  # noqa: PLW0603  the same
        _unhook = None
        handle.remove()

    _unhook = remove


def _stepping(optimizer: Any) -> None:
    if patching.is_silent():
        return
    for known in list(_watched.values()):
        if known.hooked and known.unread is not None:
            with guard.guard("weights.optimizer_stepped"):
                known.take_gradients(optimizer)
