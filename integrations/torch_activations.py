"""What the layers of a torch module put out, where the setting ``activations`` asks for it.

It needs a forward hook on every layer, which takes modules off their fast path and would break the graph of a compiled
one. So there are none without the setting, none on compiled or scripted modules, and none once the fit has ended.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from autolog import config, guard, patching
from autolog.integrations.torch_histograms import Pending
from autolog.integrations.torch_tensors import reduce
from autolog.integrations.weights import Detail, Snapshots

__all__ = ["Activations"]

_SECONDS_A_LAYER = 3e-4
"""To expect before the first measurement."""


class Activations:
    """The outputs of a model's layers, of the first batch of an epoch (or before an N-th step)."""

    def __init__(self, snapshots: Snapshots, model: Any) -> None:
        self._snapshots = snapshots
        self._seen: set[str] | None = None
        """Layers seen since they were last wanted; ``None``: they are not wanted."""
        self.taken: list[Pending] = []
        """Those of the step that goes on."""
        self._detail: Detail | None = None
        self._handles: list[Any] = []
        if config.settings().activations:
            for name, layer in _layers(snapshots, model):
                self._handles.append(layer.register_forward_hook(self._hook(name)))

    def want(self) -> None:
        """Have the next training batch looked at."""
        if self._handles:
            self._detail = self._snapshots.detail("activations", lambda _: _SECONDS_A_LAYER * len(self._handles))
            self._seen = None if self._detail is None else set()

    def _hook(self, name: str) -> Any:
        compiling = sys.modules["torch"].compiler.is_compiling

        def hook(layer: Any, args: Any, output: Any) -> None:  # noqa: ARG001  torch's signature
            if compiling() or self._seen is None or name in self._seen or not layer.training or patching.is_silent():
                return
            self._seen.add(name)
            with guard.guard("weights.activations"):
                self._take(name, output)

        return hook

    def _take(self, name: str, output: Any) -> None:
        tensor = output[0] if isinstance(output, (tuple, list)) and output else output
        if not isinstance(tensor, sys.modules["torch"].Tensor):
            return
        taken = reduce(self._snapshots, "activations", lambda: [(name, tensor)], detail=self._detail)
        if taken is not None:
            self.taken.append(taken.pending)

    def collect(self) -> list[Pending]:
        """What has been read for the step that is over; nothing more is read before it is wanted again."""
        taken, self.taken = self.taken, []
        if taken:
            self._seen = None
        return [Pending.joined(taken)] if taken else []

    def remove(self) -> None:
        """Take the hooks back."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()


def _layers(snapshots: Snapshots, model: Any) -> Iterator[tuple[str, Any]]:
    """Modules without parts of their own, outside of compiled and scripted ones."""
    compiled: list[str] = []
    for name, module in model.named_modules():
        if any(name.startswith(f"{above}.") or above == "" for above in compiled):
            continue
        if _is_compiled(module):
            compiled.append(name)
            snapshots.absent("compiled", f"activations of {name or 'the model'}")
        elif not any(True for _ in module.children()):
            yield name, module


def _is_compiled(module: Any) -> bool:
    kind = type(module)
    scripted = kind.__name__ in ("ScriptModule", "RecursiveScriptModule", "TopLevelTracedModule")
    return scripted or kind.__name__ == "OptimizedModule" or getattr(module, "_compiled_call_impl", None) is not None
