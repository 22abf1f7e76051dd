"""The moment the processes of a job find each other: its run begins then, on every rank, before any training.

From there on each rank's console and end are on record, and a job that fails before its first step has a run.
Frameworks that train on several processes come through here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autolog import current, guard, imports, patching, process

if TYPE_CHECKING:
    from types import ModuleType

    from autolog.patching import Call, Hook

__all__ = ["install"]

_FORMING = {"torch.distributed": "init_process_group", "jax.distributed": "initialize"}


def install() -> None:
    """Called by the import of autolog; outside of a job nothing is watched."""
    if process.job() is None and process.role() != "rank":
        return
    for module, function in _FORMING.items():
        imports.when_imported(module, _watch(function), f"groups.{module}")
    imports.when_imported("mpi4py.MPI", lambda _: current.start_for_job(), "groups.mpi4py")


def _watch(function: str) -> imports.Action:
    def watch(module: ModuleType) -> None:
        # torch.distributed can be there without it: where torch was built so.
        if hasattr(module, function):
            patching.patch(module, function, _forms, awake=True)

    return watch


def _forms(call: Call) -> Hook:  # noqa: ARG001  hooks get their call
    with guard.guard("groups"):
        current.start_for_job()
    yield
