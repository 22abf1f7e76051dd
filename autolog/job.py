"""What the launcher of this process says: which job it belongs to, and which rank of it it is.

torchrun (``accelerate launch`` uses it), MPI, SLURM, and any launcher that sets ``RANK``, ``WORLD_SIZE`` and
``MASTER_ADDR``. The innermost launcher counts: ``srun torchrun …`` is torchrun's job.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Job", "from_environment"]


class Job(NamedTuple):
    """One process's place in a job of several."""

    key: str
    """The same for all processes of one launch, on all nodes. A later launch may get it again."""
    rank: int
    world_size: int
    local_rank: int | None
    """Rank among the processes of this node; ``None`` where the launcher does not say."""
    node: str
    """Number or name of the node."""
    attempt: str = ""
    """How often the launcher has started the processes of this node anew; empty where it does not say."""
    independent: bool = False
    """Whether its processes may know nothing of each other: ``srun -n 4 python sweep.py`` is four trainings."""


class _Launcher(NamedTuple):
    """The variables of one launcher; of alternatives the first that is set counts."""

    name: str
    signs: tuple[str, ...]
    """One of them is set in every process of the launcher, and nowhere else."""
    key: tuple[str, ...]
    rank: tuple[str, ...]
    world_size: tuple[str, ...]
    local_rank: tuple[str, ...]
    node: tuple[str, ...]
    attempt: str = ""


_MASTER = ("MASTER_ADDR", "MASTER_PORT")
_LAUNCHERS = (
    _Launcher(
        "torchrun", ("TORCHELASTIC_RUN_ID",), ("TORCHELASTIC_RUN_ID", *_MASTER),
        ("RANK",), ("WORLD_SIZE",), ("LOCAL_RANK",), ("GROUP_RANK",), "TORCHELASTIC_RESTART_COUNT",
    ),
    _Launcher(
        "mpi", ("OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK", "PMI_RANK"),
        ("PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid", "PMI_JOBID", "SLURM_JOB_ID"),
        ("OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK", "PMI_RANK"),
        ("OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "PMI_SIZE"),
        ("OMPI_COMM_WORLD_LOCAL_RANK", "MV2_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "PMI_LOCAL_RANK"), (),
    ),
    _Launcher(
        "slurm", ("SLURM_PROCID",), ("SLURM_JOB_ID", "SLURM_JOBID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT"),
        ("SLURM_PROCID",), ("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"), ("SLURM_LOCALID",), ("SLURM_NODEID",),
    ),
    _Launcher(
        "distributed", ("MASTER_ADDR",), _MASTER,
        ("RANK",), ("WORLD_SIZE",), ("LOCAL_RANK",), ("GROUP_RANK", "NODE_RANK"),
    ),
)  # fmt: skip


def from_environment(variables: Mapping[str, str] | None = None) -> Job | None:
    """The job that started this process.

    Args:
        variables: its environment; default: this process's.

    Returns:
        ``None`` where nothing has, or where the job has one process only.
    """
    given = os.environ if variables is None else variables
    for launcher in _LAUNCHERS:
        rank, size = _number(given, launcher.rank), _number(given, launcher.world_size)
        if rank is not None and size is not None and any(given.get(name) for name in launcher.signs):
            return _job(launcher, given, rank, size) if size > 1 and rank < size else None
    return None


def _job(launcher: _Launcher, given: Mapping[str, str], rank: int, size: int) -> Job:
    parts = [launcher.name, *(given[name] for name in launcher.key if given.get(name)), str(size)]
    node = next((given[name] for name in launcher.node if given.get(name)), os.uname().nodename)
    return Job(
        key=_plain("-".join(parts))[:200],
        rank=rank,
        world_size=size,
        local_rank=_number(given, launcher.local_rank),
        node=_plain(node),
        attempt=given.get(launcher.attempt, ""),
        independent=launcher.name in ("mpi", "slurm"),
    )


def _number(given: Mapping[str, str], names: Sequence[str]) -> int | None:
    """The first of the variables that is set, where it is a number."""
    text = next((given[name] for name in names if given.get(name)), "")
    return int(text) if text.isascii() and text.isdigit() else None


def _plain(text: str) -> str:
    """A text as a part of a file name."""
    return re.sub(r"[^\w.\-]", "-", text).strip(".")
