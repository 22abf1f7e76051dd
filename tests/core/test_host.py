"""The machine, its limits, its GPUs, and what the environment says."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import psutil
import pytest

from autolog.capture.environment import environment_facts, launcher_facts
from autolog.capture.host import _cgroup, gpu_facts, host_facts
from autolog.capture.redact import MASK, Redactor


def test_this_machine() -> None:
    facts = host_facts()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["name"] == platform.node()
    assert facts["cpus_logical"] == os.cpu_count()
    assert facts["memory"] == psutil.virtual_memory().total
    assert facts["user"]
    assert None not in facts.values()
    if hasattr(os, "sched_getaffinity"):
        assert facts["cpus_usable"] == len(os.sched_getaffinity(0))


def test_a_process_that_is_gone() -> None:
    assert "cpus_usable" not in host_facts(2**22 + 1)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_limits_of_cgroup_v2(tmp_path: Path) -> None:
    root, proc = tmp_path / "cgroup", tmp_path / "proc"
    _write(root / "cgroup.controllers", "cpu memory")
    _write(proc / "7" / "cgroup", "0::/slice/job/step\n")
    _write(root / "slice" / "cpu.max", "400000 100000\n")
    _write(root / "slice" / "memory.max", "max\n")
    _write(root / "slice" / "job" / "cpu.max", "150000 100000\n")
    _write(root / "slice" / "job" / "memory.max", "8589934592\n")
    _write(root / "slice" / "job" / "step" / "cpu.max", "max 100000\n")
    _write(root / "slice" / "job" / "step" / "memory.max", "17179869184\n")
    found = _cgroup(7, root, proc)
    assert found == {"version": 2, "path": "/slice/job/step", "cpus": 1.5, "memory": 8 * 2**30}


def test_limits_of_cgroup_v1_and_of_a_container(tmp_path: Path) -> None:
    root, proc = tmp_path / "cgroup", tmp_path / "proc"
    _write(proc / "7" / "cgroup", "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n0::/\n")
    _write(root / "cpu" / "cpu.cfs_quota_us", "200000")  # a container sees its group as the root
    _write(root / "cpu" / "cpu.cfs_period_us", "100000")
    _write(root / "memory" / "memory.limit_in_bytes", "1073741824")
    assert _cgroup(7, root, proc) == {"version": 1, "path": "/docker/x", "cpus": 2.0, "memory": 2**30}
    _write(root / "cpu" / "cpu.cfs_quota_us", "-1")
    _write(root / "memory" / "memory.limit_in_bytes", "9223372036854771712")
    assert _cgroup(7, root, proc) == {"version": 1, "path": "/docker/x"}
    assert _cgroup(8, root, proc) == {}


def test_without_a_gpu() -> None:
    if Path("/proc/driver/nvidia").exists():
        pytest.skip("there is a GPU")
    assert gpu_facts() == []


@pytest.mark.gpu
def test_gpus() -> None:
    gpus = gpu_facts()
    if not gpus:
        pytest.skip("needs an NVIDIA GPU")
    assert json.loads(json.dumps(gpus)) == gpus
    assert gpus[0]["index"] == 0
    assert gpus[0]["uuid"].startswith("GPU-")
    assert gpus[0]["memory"] > 2**30
    assert {"name", "driver", "cuda"} <= set(gpus[0])


def test_environment_is_an_allow_list() -> None:
    variables = {
        "CUDA_VISIBLE_DEVICES": "0,1",
        "OMP_NUM_THREADS": "4",
        "HF_HOME": "/models",
        "HF_TOKEN": "hunter2",
        "HF_ENDPOINT": "https://me:hunter2@hub.example.org",
        "HUGGINGFACE_HUB_TOKEN": "hunter2",
        "TORCH_LOGS": "sk-" + "a1B2c3D4e5F6g7H8i9J0k1",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "EDITOR": "vi",
        "MY_SETTING": "hunter2",
        "AUTOLOG_TOKEN": "hunter2",
        "AUTOLOG_PROJECT": "p",
        "AUTOLOG_PARENT": "/run|1",
        "TF_ODD": os.fsdecode(b"\xff"),
    }
    redactor = Redactor(environment={})
    found = environment_facts(redactor, variables)
    assert found == {
        "AUTOLOG_PROJECT": "p",
        "CUDA_VISIBLE_DEVICES": "0,1",
        "HF_ENDPOINT": f"https://{MASK}@hub.example.org",
        "HF_HOME": "/models",
        "OMP_NUM_THREADS": "4",
        "TF_ODD": "\\udcff",
        "TORCH_LOGS": MASK,
    }
    assert list(found) == sorted(found)
    assert redactor.hits == {"environment.HF_ENDPOINT": 1, "environment.TORCH_LOGS": 1}
    assert "hunter2" not in json.dumps(found)


def test_launchers() -> None:
    redactor = Redactor(environment={})
    assert launcher_facts(redactor, {"HOME": "/", "HOSTNAME": "x", "CI": "1"}) == {}
    slurm = {"SLURM_JOB_ID": "42", "SLURM_PROCID": "3", "SLURM_NTASKS": "8", "SLURM_LOCALID": "1", "SLURM_JWT": "x"}
    found = launcher_facts(redactor, slurm)
    assert found["kind"] == ["slurm"]
    assert (found["rank"], found["local_rank"], found["world_size"]) == (3, 1, 8)
    assert found["variables"] == {name: value for name, value in slurm.items() if name != "SLURM_JWT"}
    torchrun = slurm | {"TORCHELASTIC_RUN_ID": "none", "RANK": "9", "LOCAL_RANK": "0", "WORLD_SIZE": "16"}
    found = launcher_facts(redactor, torchrun)
    assert found["kind"] == ["slurm", "torchrun", "distributed"]
    assert (found["rank"], found["local_rank"], found["world_size"]) == (9, 0, 16)
