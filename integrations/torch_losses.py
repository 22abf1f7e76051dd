"""What is backpropagated: values and names of losses and of the parts they are made of, before each backward pass."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from autolog import current
from autolog.integrations.torch_compiled import mark
from autolog.integrations.torch_components import components
from autolog.integrations.torch_loop import Thread, compiled_step, is_quiet, settle_evaluation, thread
from autolog.integrations.torch_names import FALLBACK, Place, place_of
from autolog.integrations.torch_training import Losses
from autolog.integrations.torch_values import read
from autolog.patching import Call, Hook

__all__ = ["backward", "clipped", "iterated"]

_PENDING = 10_000


def backward(call: Call) -> Hook:
    """Around ``torch.autograd.backward``, which ``Tensor.backward`` calls."""
    here = thread
    if here.inside or current.fit_in_progress() is not None:
        yield
        return
    frame = sys._getframe(3)  # noqa: SLF001  hook, begin, wrapper, who called
    if mark.optimizer is not None:
        compiled_step(frame)
    # A program that never steps an optimizer is none of ours.
    losses = _losses(here, call, frame) if len(here.losses) + len(here.evaluated) < _PENDING else []
    here.inside = True
    try:
        yield
    finally:
        here.inside = False
    if losses:
        training = here.training
        kept = here.evaluated if training is not None and training.is_evaluating() else here.losses
        kept += losses


def _losses(here: Thread, call: Call, frame: FrameType) -> Losses:
    """Values and names of what is going to be backpropagated; nothing where it is no loss but has gradients given."""
    args = call.args
    given = args[1] if len(args) > 1 else call.kwargs.get("grad_tensors")
    tensors = args[0] if args else call.kwargs.get("tensors")
    roots = list(tensors) if isinstance(tensors, (list, tuple)) else [tensors]
    if given is not None and any(_size(gradient) != 1 for gradient in _listed(given)):
        return []
    found = place_of(frame)
    if found is None:
        names = [FALLBACK] * len(roots)
    else:
        by_method = frame.f_back is found[0] and frame.f_code.co_name == "backward"
        names = found[1].name(len(roots), by_method=by_method)
    values = _values(here, roots, names)
    if values and found is not None and len(roots) == 1 and found[1].parts:
        values += _parts(roots[0], *found, names[0])
    return values


def _values(here: Thread, roots: list[Any], names: list[str]) -> Losses:
    values: Losses = []
    scaled = here.scaled
    for root, name in zip(roots, names, strict=True):
        before = scaled.before(root)
        value = read(root) if before is None else before
        if value is None:
            return []
        # The scaled value of a loss that was changed after it had been scaled is not the loss: its name says so.
        is_scaled = before is None and scaled.fresh and len(roots) == 1
        values.append((f"scaled_{name}" if is_scaled else name, value))
    scaled.fresh = False
    return values


def _parts(root: Any, caller: FrameType, place: Place, own: str) -> Losses:
    values = [(name, read(part)) for name, part in components(root, caller, place) if name != own]
    return [(name, value) for name, value in values if value is not None]


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, (list, tuple)) else [given]


def _size(gradient: Any) -> int:
    return 1 if gradient is None else gradient.numel() if hasattr(gradient, "numel") else 0


def clipped(call: Call) -> Hook:
    """Around what ``clip_grad_norm_`` clips with: the norm that torch has computed, of the gradients before."""
    norm = call.args[2] if len(call.args) > 2 else call.kwargs.get("total_norm")
    value = None if is_quiet() or len(thread.losses) >= _PENDING else read(norm)
    yield
    if value is not None:
        thread.losses.append(("grad_norm", value))


def iterated(call: Call) -> Hook:
    """Around ``DataLoader.__iter__``: a pass begins."""
    if mark.optimizer is not None and not is_quiet():
        compiled_step(sys._getframe(3))  # noqa: SLF001  hook, begin, wrapper, who called
    iterator = yield
    here = thread
    training = None if is_quiet() else here.training
    if training is not None and here.suspect is not None:
        settle_evaluation(here, training)
    if training is not None:
        training.passes_on(call.instance)
    if not sys.modules["torch"].is_grad_enabled():
        if training is not None:
            training.evaluates(call.instance)
    elif hasattr(iterator, "_num_yielded"):
        begun = here.passes.begin(call.instance, iterator)
        if training is not None and training.is_evaluating():
            here.suspect = begun
