"""PyTorch without a framework: the program's own loop, seen from its optimizer steps and backward passes.

Steps are told by torch's own hook for all optimizers. Losses are what ``torch.autograd.backward`` is given. Nothing is
done while another integration owns a fit: Lightning, Transformers and Keras report theirs.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

from autolog import current, guard, patching, plugins
from autolog.integrations import torch_amp
from autolog.integrations.torch_compiled import keep_out
from autolog.integrations.torch_names import loss_names
from autolog.integrations.torch_passes import Passes
from autolog.integrations.torch_training import Losses, Training
from autolog.integrations.torch_values import read
from autolog.patching import Call, Hook, Undo, patch, undo_with

if TYPE_CHECKING:
    from autolog.integrations.torch_values import Reading

__all__ = ["TorchIntegration", "integration"]

_PENDING = 10_000
_HASHED = 4 << 20
_LOOPS = ("lightning.pytorch.", "pytorch_lightning.", "transformers.trainer", "keras.")
_NOT_ITS_OWN = {"torch", "lightning", "lightning_fabric", "pytorch_lightning", "transformers", "keras"}


class _Thread(threading.local):
    """What a thread has backpropagated since its last step, and the training it is in."""

    def __init__(self) -> None:
        self.losses: Losses = []
        self.training: Training | None = None
        self.passes = Passes()
        self.scaled = torch_amp.Scaled()
        self.inside = False
        """A backward pass is going on: those inside it (checkpointing) are parts of it."""
        self.steps = 0
        self.skipped = 0


_thread = _Thread()
_trainings: list[Training] = []
"""Open trainings of all threads."""


class TorchIntegration:
    """The integration of ``torch.optim``, ``torch.autograd``, ``DataLoader``, ``GradScaler`` and ``torch.save``."""

    name = "torch"
    module = "torch"
    distribution = "torch"
    tested = ("2.13.0", "2.13.0")

    def install(self, module: ModuleType) -> Iterable[Undo]:
        """See :class:`autolog.plugins.Integration`."""
        from torch.optim.optimizer import register_optimizer_step_post_hook

        compiling = module.compiler.is_compiling

        def stepped(optimizer: Any, args: Any, kwargs: Any) -> None:  # noqa: ARG001  torch's signature
            if not compiling():
                _stepped(optimizer)

        scaler, loader = module.amp.GradScaler, module.utils.data.DataLoader
        undos = [
            undo_with(register_optimizer_step_post_hook(stepped).remove),
            patch(module.autograd, "backward", _backward),
            patch(loader, "__iter__", _iterated),
            patch(module.serialization._open_zipfile_writer_file, "__exit__", _saved),  # noqa: SLF001  see _saved
            *torch_amp.watch(scaler, _scaled, _stepping, _updating),
            plugins.at_end(_at_end),
            _at_end,
        ]
        replaced = [module.autograd.backward, loader.__iter__, scaler.scale, scaler.step, scaler.update]
        keep_out(module, replaced, [stepped, _stepped])
        return undos


integration = TorchIntegration()


def _is_quiet() -> bool:
    return patching.is_silent() or current.fit_in_progress() is not None


# -- steps -------------------------------------------------------------------------------------------------------------


def _stepped(optimizer: Any) -> None:
    frame = sys._getframe(2)  # noqa: SLF001  torch's wrapper of `step`
    if patching.is_silent() or _is_nested(frame):
        return
    with guard.guard("torch.step"):
        thread = _thread
        thread.steps += 1
        losses, thread.losses = thread.losses, []
        if current.fit_in_progress() is not None:
            return
        last = thread.training
        place = thread.passes.current(None if last is None else last.place)
        if last is None or not _goes_on(last) or not last.takes(optimizer, place):
            if _is_framework(frame):
                return
            place = None if last is not None and place is last.place else place
            last = _begin(thread, optimizer, frame)
        last.step(optimizer, losses, place)


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


def _is_framework(frame: FrameType | None) -> bool:
    """Whether the loop is a framework's: it is reported by its own integration, callback or logger, or not at all."""
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith(_LOOPS):
            return True
        frame = frame.f_back
    return False


def _goes_on(training: Training) -> bool:
    """Whether the run that a training belongs to is still the current one."""
    now = current.current_run()
    parent = training.parent
    return now is not None and (now is parent or (now.id, now.child_id) == (parent.id, parent.child_id))


def _begin(thread: _Thread, optimizer: Any, frame: FrameType) -> Training:
    if thread.training is not None:
        if thread.training in _trainings:  # else its run has ended, and it with it
            _trainings.remove(thread.training)
            thread.training.end()
        thread.training = None
    training = thread.training = Training(current.ensure_run(), optimizer, frame)
    _trainings.append(training)
    if thread.skipped:
        training.skip(optimizer, [], thread.skipped)
    return training


def _at_end() -> None:
    """The run is about to end, or we are switched off: open trainings have no end but that of their run."""
    while _trainings:
        _trainings.pop().settle()
    _thread.training = None


# -- losses ------------------------------------------------------------------------------------------------------------


def _backward(call: Call) -> Hook:
    thread = _thread
    if thread.inside or current.fit_in_progress() is not None:
        yield
        return
    losses = _losses(thread, call)
    thread.inside = True
    try:
        yield
    finally:
        thread.inside = False
    if len(thread.losses) < _PENDING:  # a program that never steps an optimizer is none of ours
        thread.losses += losses


def _losses(thread: _Thread, call: Call) -> Losses:
    """Values and names of what is going to be backpropagated; nothing where it is no loss but has gradients given."""
    given = call.args[1] if len(call.args) > 1 else call.kwargs.get("grad_tensors")
    tensors = call.args[0] if call.args else call.kwargs.get("tensors")
    roots = list(tensors) if isinstance(tensors, (list, tuple)) else [tensors]
    if given is not None and any(_size(gradient) != 1 for gradient in _listed(given)):
        return []
    values: list[tuple[bool, float | Reading]] = []
    for root in roots:
        before = thread.scaled.before(root)
        value = read(root) if before is None else before
        if value is None:
            return []
        values.append((before is not None, value))
    names = loss_names(sys._getframe(4), len(values))  # noqa: SLF001  hook, begin, wrapper, who called
    scaled = thread.scaled.fresh and len(values) == 1 and not values[0][0]
    thread.scaled.fresh = False
    # The scaled value of a loss that was changed after it had been scaled is not the loss: its name says so.
    return [(f"scaled_{name}" if scaled else name, value) for name, (_, value) in zip(names, values, strict=True)]


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, (list, tuple)) else [given]


def _size(gradient: Any) -> int:
    return 1 if gradient is None else gradient.numel() if hasattr(gradient, "numel") else 0


# -- epochs ------------------------------------------------------------------------------------------------------------


def _iterated(call: Call) -> Hook:
    iterator = yield
    if hasattr(iterator, "_num_yielded"):
        _thread.passes.begin(call.instance, iterator)


# -- mixed precision ---------------------------------------------------------------------------------------------------


def _scaled() -> torch_amp.Scaled | None:
    return None if _is_quiet() else _thread.scaled


def _stepping(optimizer: Any) -> Any:
    thread, before = _thread, _thread.steps

    def after() -> None:
        if thread.steps != before or current.fit_in_progress() is not None:
            return
        thread.skipped += 1
        losses, thread.losses = thread.losses, []
        if thread.training is not None:
            thread.training.skip(optimizer, losses, thread.skipped)
        else:  # the first step is still to come: they belong to it
            thread.losses = losses

    return after


def _updating(scale: float | Reading) -> None:
    if _thread.training is not None and not _is_quiet():
        _thread.training.value("amp_scale", scale)


# -- files -------------------------------------------------------------------------------------------------------------


def _saved(call: Call) -> Hook:
    """``torch.save`` closes the file it was given by name: after that the file is whole."""
    yield
    run, path = current.begun(), getattr(call.instance, "name", None)
    if run is None or call.args[1:2] != (None,) or not isinstance(path, (str, os.PathLike)) or _is_quiet():
        return
    frame: FrameType | None = sys._getframe(3)  # noqa: SLF001  hook, send, wrapper, who called
    while frame is not None and frame.f_globals.get("__name__") == "torch.serialization":
        frame = frame.f_back
    if frame is None or str(frame.f_globals.get("__name__")).partition(".")[0] in _NOT_ITS_OWN:
        return  # caches of torch, checkpoints of frameworks that report these
    training = _thread.training
    owner = training.run if training is not None and _goes_on(training) else current.current_run() or run
    file = Path(os.fsdecode(path))
    step = None if training is None else training.top
    small = file.stat().st_size <= _HASHED
    owner.log_model(file.name, file, step, checksum=small, metadata={"saved_by": "torch.save"})
