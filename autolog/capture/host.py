"""The machine a run is on: host, CPU, memory, limits, GPUs. Runs in the sidecar."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

__all__ = ["gpu_facts", "host_facts"]

_UNLIMITED = 1 << 62  # cgroup v1 writes a number near 2**63 for "no limit"


def host_facts(pid: int | None = None) -> dict[str, Any]:
    """The fact ``host``. What a system does not tell is absent.

    Args:
        pid: the training process, whose CPU affinity and cgroup count; default: this process.

    Returns:
        ``name``, ``user``, ``os`` (as its distribution calls itself), ``kernel``, ``architecture``, ``cpu`` (model),
        ``container`` (``docker``, ``kubernetes``, ``podman``, ``apptainer``, …), ``boot_id``, ``cpus_physical``,
        ``cpus_logical``, ``cpus_usable`` (the process's affinity), ``memory`` and ``swap`` (bytes), ``cgroup``
        (``version``, ``path``, ``cpus``: a fraction of CPUs, ``memory``: bytes).
    """
    import psutil

    facts: dict[str, Any] = {
        "name": platform.node(),
        "user": _user(),
        "os": _distribution(),
        "kernel": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "cpu": _cpu_model(),
        "container": _container(),
        "boot_id": _text("/proc/sys/kernel/random/boot_id"),
        "cpus_physical": psutil.cpu_count(logical=False),
        "cpus_logical": psutil.cpu_count(),
        "cpus_usable": _usable(pid or os.getpid()),
        "memory": psutil.virtual_memory().total,
        "swap": psutil.swap_memory().total,
        "cgroup": _cgroup(pid or os.getpid()),
    }
    return {name: value for name, value in facts.items() if value not in (None, "", {})}


def gpu_facts() -> list[dict[str, Any]]:
    """The fact ``gpus``: one dict a GPU that the driver shows, ``[]`` where there is no NVIDIA driver.

    Returns:
        ``index``, ``name``, ``uuid``, ``memory`` (bytes), ``driver``, ``cuda`` (the newest version the driver can
        run), ``compute_capability``, ``power_limit`` (watts), ``pci``, ``mig`` (list of instances with ``uuid``,
        ``name``, ``memory``). What a GPU does not tell is absent.
    """
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no driver, no permission: no GPU that could be used
        return []
    try:
        return [_gpu(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
    finally:
        pynvml.nvmlShutdown()


def _gpu(nvml: Any, index: int) -> dict[str, Any]:
    handle = _asked(nvml, nvml.nvmlDeviceGetHandleByIndex, index)
    if handle is None:
        return {"index": index}
    version = _asked(nvml, nvml.nvmlSystemGetCudaDriverVersion_v2)
    capability = _asked(nvml, nvml.nvmlDeviceGetCudaComputeCapability, handle)
    limit = _asked(nvml, nvml.nvmlDeviceGetPowerManagementLimit, handle)
    pci = _asked(nvml, nvml.nvmlDeviceGetPciInfo, handle)
    facts = {
        "index": index,
        "name": _string(_asked(nvml, nvml.nvmlDeviceGetName, handle)),
        "uuid": _string(_asked(nvml, nvml.nvmlDeviceGetUUID, handle)),
        "memory": _memory(nvml, handle),
        "driver": _string(_asked(nvml, nvml.nvmlSystemGetDriverVersion)),
        "cuda": f"{version // 1000}.{version % 1000 // 10}" if version else None,
        "compute_capability": ".".join(map(str, capability)) if capability else None,
        "power_limit": limit / 1000 if limit else None,
        "pci": _string(pci.busId) if pci is not None else None,
        "mig": _mig(nvml, handle),
    }
    return {name: value for name, value in facts.items() if value not in (None, [])}


def _mig(nvml: Any, handle: Any) -> list[dict[str, Any]]:
    mode = _asked(nvml, nvml.nvmlDeviceGetMigMode, handle)
    if not mode or not mode[0]:
        return []
    instances = []
    for index in range(_asked(nvml, nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
        instance = _asked(nvml, nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, index)
        if instance is not None:
            instances.append(
                {
                    "name": _string(_asked(nvml, nvml.nvmlDeviceGetName, instance)),
                    "uuid": _string(_asked(nvml, nvml.nvmlDeviceGetUUID, instance)),
                    "memory": _memory(nvml, instance),
                }
            )
    return instances


def _memory(nvml: Any, handle: Any) -> int | None:
    memory = _asked(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)
    return int(memory.total) if memory is not None else None


def _asked(nvml: Any, question: Any, *arguments: Any) -> Any:
    """The driver's answer, or ``None``: every model leaves some questions unanswered."""
    try:
        return question(*arguments)
    except nvml.NVMLError:
        return None


def _string(text: Any) -> str | None:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text("utf-8", "replace").strip().strip("\0")
    except OSError:
        return ""


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name: containers with arbitrary user ids
        return str(os.getuid())


def _distribution() -> str:
    if platform.system() == "Darwin":
        return f"macOS {platform.mac_ver()[0]}"
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return platform.platform()


def _cpu_model() -> str:
    found = re.search(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", _text("/proc/cpuinfo"), re.MULTILINE)
    if found:
        return found[1].strip()
    return _text("/proc/device-tree/model") or platform.processor()


def _usable(pid: int) -> int | None:
    if not hasattr(os, "sched_getaffinity"):
        return None
    try:
        return len(os.sched_getaffinity(pid))
    except OSError:  # it has ended
        return None


def _container() -> str:
    """What the process says it is in; hints, since a container hides behind what it likes."""
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return "kubernetes"
    for variable, name in (
        ("APPTAINER_NAME", "apptainer"),
        ("SINGULARITY_NAME", "singularity"),
        ("ENROOT_ROOTFS", "enroot"),
    ):
        if variable in os.environ:
            return name
    if Path("/.dockerenv").exists():
        return "docker"
    if Path("/run/.containerenv").exists():
        return "podman"
    return os.environ.get("container", "") or _text("/run/systemd/container")  # noqa: SIM112  systemd's own name


def _cgroup(pid: int, root: Path = Path("/sys/fs/cgroup"), proc: Path = Path("/proc")) -> dict[str, Any]:
    """The tightest limits on the way from the process's group up to the root."""
    groups: dict[str, str] = {}
    for line in _text(proc / str(pid) / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            groups[controller] = path
    if "" in groups and (root / "cgroup.controllers").exists():
        limits = {"version": 2, "path": groups[""]}
        return limits | _tightest(_levels(root, groups[""]), _cpus_v2, _memory_v2)
    if groups:
        limits = {"version": 1, "path": groups.get("memory", groups.get("cpu", ""))}
        cpu = _tightest(_levels(root / "cpu", groups.get("cpu", "/")), _cpus_v1, _nothing)
        memory = _tightest(_levels(root / "memory", groups.get("memory", "/")), _nothing, _memory_v1)
        return limits | cpu | memory
    return {}


def _levels(root: Path, path: str) -> list[Path]:
    """The group's directory and those above it. Inside a container only the root of its own view may be there."""
    group = root / path.lstrip("/")
    inside = [group, *group.parents]
    return inside[: inside.index(root) + 1] if root in inside else [root]


def _tightest(levels: list[Path], cpus: Any, memory: Any) -> dict[str, Any]:
    found = {"cpus": [cpus(level) for level in levels], "memory": [memory(level) for level in levels]}
    given = {name: [value for value in values if value is not None] for name, values in found.items()}
    return {name: min(values) for name, values in given.items() if values}


def _cpus_v2(group: Path) -> float | None:
    quota, _, period = _text(group / "cpu.max").partition(" ")
    return int(quota) / int(period or 100_000) if quota.isdigit() else None


def _memory_v2(group: Path) -> int | None:
    text = _text(group / "memory.max")
    return int(text) if text.isdigit() else None


def _cpus_v1(group: Path) -> float | None:
    quota, period = _text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _memory_v1(group: Path) -> int | None:
    text = _text(group / "memory.limit_in_bytes")
    return int(text) if text.isdigit() and int(text) < _UNLIMITED else None


def _nothing(_: Path) -> None:
    return None
