"""PyTorch without a framework: the program's own loop, seen from its optimizer steps and backward passes.

Steps are told by torch's own hook for all optimizers. Losses are what ``torch.autograd.backward`` is given. Nothing is
done while another integration owns a fit: Lightning, Transformers and Keras report theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

from autolog import plugins
from autolog.integrations import torch_amp, torch_files, torch_loop, torch_losses, torch_processes, torch_schedulers
from autolog.integrations.torch_captures import CAPTURES
from autolog.integrations.torch_compiled import keep_out, mark
from autolog.patching import Undo, patch, undo_with

__all__ = ["TorchIntegration", "integration"]


class TorchIntegration:
    """The integration of ``torch.optim``, ``torch.autograd``, ``DataLoader``, ``GradScaler`` and ``torch.save``."""

    name = "torch"
    module = "torch"
    distribution = "torch"
    tested = ("2.13.0", "2.13.0")
    captures = CAPTURES

    def install(self, module: ModuleType) -> Iterable[Undo]:
        """See :class:`autolog.plugins.Integration`."""
        from torch.optim.optimizer import register_optimizer_step_post_hook

        compiling, stepped = module.compiler.is_compiling, torch_loop.stepped
        exporting = getattr(module.compiler, "is_exporting", lambda: False)

        def after_step(optimizer: Any, args: Any, kwargs: Any) -> None:  # noqa: ARG001  torch's signature
            if not compiling():
                stepped(optimizer)
            elif not exporting():
                mark.optimizer = optimizer

        scaler, loader = module.amp.GradScaler, module.utils.data.DataLoader
        undos = [
            undo_with(register_optimizer_step_post_hook(after_step).remove),
            patch(module.autograd, "backward", torch_losses.backward),
            patch(loader, "__iter__", torch_losses.iterated),
            *torch_files.watch(module.serialization),
            *torch_schedulers.watch(module.optim.lr_scheduler, torch_loop.scheduled),
            *torch_amp.watch(scaler, torch_loop.scaled, torch_loop.stepping, torch_loop.updating),
            *_watch_clipping(module.nn.utils.clip_grad, compiling),
            *torch_processes.watch(module.multiprocessing),
            plugins.at_end(torch_loop.at_end),
            torch_loop.at_end,
        ]
        replaced = [module.autograd.backward, loader.__iter__, scaler.scale, scaler.step, scaler.update]
        keep_out(module, replaced, [after_step, stepped])
        return undos


def _watch_clipping(module: Any, compiling: Any) -> list[Undo]:
    """Inside compiled functions the original is compiled: clipping does not break a graph."""
    name = "_clip_grads_with_norm_"  # what clip_grad_norm_ calls, also where a program has imported that by name
    return [patch(module, name, torch_losses.clipped, unless=compiling)] if hasattr(module, name) else []


integration = TorchIntegration()
