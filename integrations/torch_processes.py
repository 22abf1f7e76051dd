"""Trainings that torch starts in processes of its own: their run begins in this one, which they work for."""

from __future__ import annotations

import sys
from types import ModuleType

from autolog import current, plugins
from autolog.integrations import torch_loop
from autolog.patching import Call, Hook, Undo, patch

__all__ = ["watch"]


def watch(multiprocessing: ModuleType) -> list[Undo]:
    """Watch ``torch.multiprocessing.spawn`` and what stands on it: Lightning's and accelerate's launchers.

    Args:
        multiprocessing: ``torch.multiprocessing``.
    """
    spawn = sys.modules[f"{multiprocessing.__name__}.spawn"]  # the package's attribute of that name is the function
    return [
        patch(spawn, "start_processes", _start),
        patch(multiprocessing, "start_processes", _start),
        plugins.in_forks(torch_loop.forked),
    ]


def _start(call: Call) -> Hook:  # noqa: ARG001  hooks get their call
    """What is going to run there is a training, as a rule a job of several ranks: system samples begin now."""
    current.ensure_run()
    yield
