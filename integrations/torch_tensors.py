"""Which tensors of a model a snapshot shows, under which names, and which it cannot."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from autolog.integrations.torch_histograms import Pending, begin, plain, quiet, unfit
from autolog.integrations.weights import Detail, Snapshots

__all__ = ["Taken", "inner", "is_sharded", "named", "prefixes", "reduce"]

_INNER = {
    "OptimizedModule": "_orig_mod",
    "DistributedDataParallel": "module",
    "DataParallel": "module",
    "DeepSpeedEngine": "module",
}
_PREFIXES = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
_SECONDS_A_TENSOR = {"cpu": 1e-4}
_SECONDS_AN_ELEMENT = {"cpu": 1.5e-8}
"""To expect before the first measurement; on devices 3e-4 and 1e-10."""


class Taken(NamedTuple):
    """A snapshot that is being reduced."""

    pending: Pending
    whole: bool
    """Every tensor is in it, and whole: the norm of all is their norm."""


def inner(model: Any) -> Any:
    """The program's own module inside ``torch.compile``'s and DDP's."""
    for _ in range(8):
        held = model.__dict__.get("_modules", {}).get(_INNER.get(type(model).__name__, ""))
        if held is None:
            break
        model = held
    return model


def is_sharded(model: Any) -> bool:
    """Whether FSDP has replaced the parameters by parts of them (those of FSDP2 say so themselves)."""
    return any(type(part).__name__ == "FullyShardedDataParallel" for part in model.modules())


def prefixes(models: list[Any]) -> list[str]:
    """What the names of several models' parameters begin with: their classes, numbered; of one model nothing."""
    if len(models) == 1:
        return [""]
    names: list[str] = []
    for model in models:
        name = type(inner(model)).__name__
        same = sum(one.partition("-")[0] == name for one in names)
        names.append(f"{name}-{same}" if same else name)
    return [f"{name}." for name in names]


def named(model: Any) -> list[tuple[str, Any]]:
    """All parameters, tied ones once, under the names that the program's own module gives them."""
    return [(_clean(name), tensor) for name, tensor in model.named_parameters()]


def _clean(name: str) -> str:
    if "._" in name or name[0] == "_":
        for prefix in _PREFIXES:
            name = name.replace(prefix, "")
    return name


def reduce(
    snapshots: Snapshots,
    kind: str,
    tensors: Callable[[], list[tuple[str, Any]]],
    *,
    sharded: bool = False,
    detail: Detail | None = None,
) -> Taken | None:
    """Start a snapshot, if the budget allows for one.

    Args:
        snapshots: those of the training.
        kind: ``weights``, ``gradients`` or ``activations``.
        tensors: finds names and tensors.
        sharded: they are parts of larger ones.
        detail: how much to show, where the budget has been asked already.

    Returns:
        What is on its way; ``None`` where there is nothing to see, or no time for it.
    """
    allowed, torch = detail or snapshots.detail(kind), sys.modules["torch"]
    if allowed is None or torch.compiler.is_compiling():
        return None
    if torch._C._functorch.peek_interpreter_stack() is not None:  # noqa: SLF001  it has no public name
        return None  # inside of vmap or grad, tensors stand for others
    with snapshots.spending(kind), quiet(torch):
        fit, labels, whole = _sorted_out(snapshots, kind, tensors(), sharded=sharded)
        if fit and detail is None and not snapshots.knows(kind):
            allowed = snapshots.detail(kind, lambda detail: _estimate(list(fit.values()), detail))
        if not fit or allowed is None:
            return None
        bins = dict.fromkeys(fit, allowed.bins)
        if len(fit) > allowed.tensors:
            small = sorted(fit, key=lambda name: -fit[name].numel())[allowed.tensors :]
            bins |= dict.fromkeys(small, 0)
        return Taken(begin(fit, bins, labels), whole)


def _sorted_out(
    snapshots: Snapshots, kind: str, pairs: list[tuple[str, Any]], *, sharded: bool
) -> tuple[dict[str, Any], dict[str, dict[str, Any]], bool]:
    """The tensors that can be looked at, what is said of each, and whether they are all there is."""
    fit: dict[str, Any] = {}
    labels: dict[str, dict[str, Any]] = {}
    whole = not sharded
    for name, tensor in pairs:
        here, is_part = plain(tensor)
        reason = unfit(here)
        if reason is None:
            fit[name] = here
            labels[name] = _label(tensor, sharded=sharded or is_part)
            whole = whole and not is_part
            continue
        snapshots.absent(reason, name if kind == "weights" else f"{kind} of {name}")
        whole = whole and reason == "empty"
    return fit, labels, whole


def _label(tensor: Any, *, sharded: bool) -> dict[str, Any]:
    label = {"shape": list(tensor.shape), "dtype": str(tensor.dtype).removeprefix("torch.")}
    return {**label, "local_shard": True} if sharded else label


def _estimate(tensors: list[Any], detail: Detail) -> float:
    device = tensors[0].device.type
    each = _SECONDS_A_TENSOR.get(device, 3e-4) * min(len(tensors), detail.tensors)
    elements = sum(int(tensor.numel()) for tensor in tensors)
    return each + _SECONDS_AN_ELEMENT.get(device, 1e-10) * elements
