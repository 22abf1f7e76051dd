"""The moment the processes of a job find each other: its run begins then, on every rank, before any training.

From there on each rank's console and end are on record, and a job that fails before its first step has a run.
Frameworks that train on several processes come through here.
"""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING

from autolog import current, guard, imports, patching, process
from autolog.saying import say

if TYPE_CHECKING:
    from types import ModuleType

    from autolog.patching import Call, Hook

__all__ = ["install"]

_FRAMEWORKS = ("sklearn.base", "torch.optim", "keras", "lightning", "pytorch_lightning", "transformers.trainer")
_FORMING = {"torch.distributed": "init_process_group", "jax.distributed": "initialize"}


def install() -> None:
    """Called by the import of autolog; outside of a job nothing is watched."""
    if process.job() is None and process.role() != "rank":
        return
    for module, function in _FORMING.items():
        imports.when_imported(module, _watch(function), f"groups.{module}")
    imports.when_imported("mpi4py.MPI", lambda _: _formed(), "groups.mpi4py")
    if process.rank():
        atexit.register(_question, os.getpid())


_group: list[int] = []
"""Process id of the one whose group has formed: this process's, or its parent's after a fork."""


def _formed() -> None:
    _group[:] = [os.getpid()]
    current.start_for_job()


def _question(pid: int) -> None:
    """At the end of a rank that is silent and never had to do with the others: were they ranks at all?"""
    if os.getpid() != pid or _group or not any(name in sys.modules for name in _FRAMEWORKS):
        return
    say(
        f"this process was started as rank {process.rank()} of a job, so its fits are not on record, only those of "
        "rank 0. It never joined the others: if these are trainings of their own, set AUTOLOG_RANKS=0."
    )


def _watch(function: str) -> imports.Action:
    def watch(module: ModuleType) -> None:
        # torch.distributed can be there without it: where torch was built so.
        if hasattr(module, function):
            patching.patch(module, function, _forms, awake=True)

    return watch


def _forms(call: Call) -> Hook:  # noqa: ARG001  hooks get their call
    with guard.guard("groups"):
        _formed()
    yield
