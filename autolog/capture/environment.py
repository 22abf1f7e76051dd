"""Environment variables that change what a training does, and what a launcher has said. Only names on these lists."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autolog.capture.secrets import secret_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autolog.capture.redact import Redactor

__all__ = ["environment_facts", "launcher_facts"]


class _Names:
    """Names of variables; one that ends in ``*`` stands for all that begin so."""

    def __init__(self, text: str) -> None:
        words = text.split()
        self._exact = frozenset(word for word in words if not word.endswith("*"))
        self._beginnings = tuple(word[:-1] for word in words if word.endswith("*"))

    def __contains__(self, name: str) -> bool:
        return name in self._exact or name.startswith(self._beginnings)


_ALLOWED = _Names(
    """
    CUDA_* CUBLAS_* CUDNN_* NVIDIA_* NCCL_* GLOO_* UCX_* FI_* HIP_* ROCR_* HSA_* MIOPEN_* OMP_* MKL_* OPENBLAS_*
    BLIS_* VECLIB_* NUMEXPR_* KMP_* GOTO_* NUMBA_* TBB_* PYTHONHASHSEED PYTHONPATH PYTHONUNBUFFERED
    PYTHONOPTIMIZE PYTHONWARNINGS PYTHONMALLOC TORCH_* TORCHINDUCTOR_* TORCHDYNAMO_* PYTORCH_* TRITON_*
    INDUCTOR_* AOT_* TF_* KERAS_BACKEND KERAS_HOME XLA_* JAX_* LIBTPU_* TPU_* ONEDNN_* DNNL_* HF_*
    TRANSFORMERS_* HUGGINGFACE_* DATASETS_* TOKENIZERS_PARALLELISM ACCELERATE_* DEEPSPEED_* FSDP_*
    BITSANDBYTES_* VLLM_* RAY_* DASK_* SKLEARN_* SCIPY_* JOBLIB_* LOKY_* PL_* AUTOLOG_* MALLOC_* LD_PRELOAD TZ
    LANG LC_ALL CONDA_DEFAULT_ENV VIRTUAL_ENV
    """
)
# How autolog's processes find each other: another in each run.
_OWN = ("AUTOLOG_LAUNCHED", "AUTOLOG_PARENT", "AUTOLOG_RENDEZVOUS")
_LAUNCHER = _Names(
    """
    SLURM_JOB_* SLURM_JOBID SLURM_ARRAY_* SLURM_PROCID SLURM_LOCALID SLURM_NODEID SLURM_NODELIST SLURM_NNODES
    SLURM_NTASKS* SLURM_CPUS_* SLURM_GPUS* SLURM_MEM_* SLURM_SUBMIT_* SLURM_CLUSTER_NAME SLURM_RESTART_COUNT
    SLURM_STEP_ID SLURM_TASKS_PER_NODE RANK WORLD_SIZE LOCAL_RANK LOCAL_WORLD_SIZE GROUP_RANK GROUP_WORLD_SIZE
    ROLE_RANK ROLE_NAME ROLE_WORLD_SIZE NODE_RANK MASTER_ADDR MASTER_PORT TORCHELASTIC_RUN_ID
    TORCHELASTIC_RESTART_COUNT TORCHELASTIC_MAX_RESTARTS OMPI_COMM_WORLD_* OMPI_UNIVERSE_SIZE PMI_RANK PMI_SIZE
    PMI_LOCAL_RANK PMIX_RANK PMIX_NAMESPACE MPI_LOCALRANKID MPI_LOCALNRANKS MV2_COMM_WORLD_* JOB_ID JOB_NAME
    SGE_TASK_ID PBS_JOBID PBS_JOBNAME PBS_QUEUE PBS_ARRAY_INDEX PBS_NODENUM LSB_JOBID LSB_JOBINDEX LSB_JOBNAME
    LSB_QUEUE COBALT_JOBID FLUX_JOB_ID FLUX_TASK_RANK KUBERNETES_SERVICE_HOST POD_NAME POD_NAMESPACE NODE_NAME
    JOB_COMPLETION_INDEX HOSTNAME AWS_BATCH_JOB_ID AWS_BATCH_JOB_ARRAY_INDEX SM_CURRENT_HOST TRAINING_JOB_NAME
    CLOUD_ML_JOB_ID SKYPILOT_* COLAB_RELEASE_TAG KAGGLE_KERNEL_RUN_TYPE GITHUB_RUN_ID CI
    """
)


def environment_facts(redactor: Redactor, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """The fact ``environment``: variables that libraries of machine learning read, sorted by name.

    Args:
        redactor: masks secrets in the values; variables with a secret's name are left out altogether.
        variables: the training process's; default: this process's.
    """
    found = _chosen(_ALLOWED, redactor, "environment", os.environ if variables is None else variables)
    # `autolog run` puts a folder of ours there; a run without it must not differ from one with it.
    own = str(Path(__file__).parents[1] / "boot")
    paths = [path for path in found.pop("PYTHONPATH", "").split(os.pathsep) if path not in ("", own)]
    return found | ({"PYTHONPATH": os.pathsep.join(paths)} if paths else {})


def launcher_facts(redactor: Redactor, variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The fact ``launcher``: what SLURM, torchrun, MPI, a batch system or Kubernetes told the process.

    Args:
        redactor: masks secrets in the values; variables with a secret's name are left out altogether.
        variables: the training process's; default: this process's.

    Returns:
        ``kind`` (list of ``slurm``, ``torchrun``, ``mpi``, ``sge``, ``pbs``, ``lsf``, ``kubernetes``, ``colab``,
        ``kaggle``; outermost first), ``rank``, ``local_rank`` and ``world_size`` where known, ``variables``; empty
        for a process that nothing launched.
    """
    given = os.environ if variables is None else variables
    found = _chosen(_LAUNCHER, redactor, "launcher", given)
    kinds = [kind for kind, names in _KINDS if any(name in given for name in names)]
    if not kinds:
        return {}
    facts: dict[str, Any] = {"kind": kinds, "variables": found}
    for fact, names in _NUMBERS.items():
        number = next((given[name] for name in names if given.get(name, "").isdigit()), None)
        if number is not None:
            facts[fact] = int(number)
    return facts


_KINDS = (
    ("kubernetes", ("KUBERNETES_SERVICE_HOST",)),
    ("colab", ("COLAB_RELEASE_TAG",)),
    ("kaggle", ("KAGGLE_KERNEL_RUN_TYPE",)),
    ("slurm", ("SLURM_JOB_ID", "SLURM_JOBID")),
    ("pbs", ("PBS_JOBID",)),
    ("lsf", ("LSB_JOBID",)),
    ("sge", ("SGE_TASK_ID",)),
    ("mpi", ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "MV2_COMM_WORLD_RANK")),
    ("torchrun", ("TORCHELASTIC_RUN_ID",)),
    ("distributed", ("WORLD_SIZE",)),
)
_NUMBERS = {
    "rank": ("RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK", "SLURM_PROCID"),
    "local_rank": ("LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"),
    "world_size": ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_NTASKS"),
}  # fmt: skip


def _chosen(allowed: _Names, redactor: Redactor, where: str, variables: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name in sorted(variables):
        if name in allowed and name not in _OWN and not secret_name(name):
            value = redactor.value(name, variables[name], where)
            # Undecodable bytes are no UTF-8: written as escapes.
            found[name] = value.encode("utf-8", "backslashreplace").decode("utf-8")
    return found
