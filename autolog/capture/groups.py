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

__all__ = ["install", "watch"]

_FRAMEWORKS = ("sklearn.base", "torch.optim", "keras", "lightning", "pytorch_lightning", "transformers.trainer")
_FORMING = {"torch.distributed": "init_process_group", "jax.distributed": "initialize"}
_MEANT_FOR_GROUPS = ("mpi4py.MPI", "horovod")
"""Packages that nobody imports but for a group."""


def install() -> None:
    """Called by the import of autolog; outside of a job nothing is watched."""
    if process.job() is None and process.role() != "rank":
        return
    watch()
    for name in _MEANT_FOR_GROUPS:
        imports.when_imported(name, lambda _: _formed(), f"groups.{name}")
    if process.rank() and patching.is_silent():
        atexit.register(_question, os.getpid())


def watch() -> None:
    """Watch for the forming of a group: in ranks, and in worker processes, where it makes ranks of them."""
    if not _watching:
        _watching.append(True)
        for module, function in _FORMING.items():
            imports.when_imported(module, _watch(function), f"groups.{module}")


_watching: list[bool] = []
_group: list[int] = []
"""Process id of the one whose group has formed: this process's, or its parent's after a fork."""


def _formed() -> None:
    _group[:] = [os.getpid()]
    if process.role() == "rank":
        patching.silence()  # rank 0 reports from now on
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
            if function == "init_process_group" and module.is_initialized():  # before autolog was imported
                _take_part(None)

    return watch


def _forms(call: Call) -> Hook:
    with guard.guard("groups"):
        if not process.is_worker():
            _formed()
    yield
    _take_part(call)


def _take_part(call: Call | None) -> None:
    """The group is there. Of worker processes that have become its ranks only the first reports, as in a job."""
    if not process.is_worker():
        if call is None and process.job() is not None:
            _formed()
        return
    number = call.argument("process_id") if call is not None else None  # jax.distributed
    if number is None and (torch := sys.modules.get("torch.distributed")) is not None and torch.is_initialized():
        number = torch.get_rank()
    if number:
        patching.silence()
