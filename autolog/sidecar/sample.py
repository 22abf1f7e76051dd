"""One system sample: what the training's processes, its machine and its GPUs are doing.

| name | what |
| --- | --- |
| ``cpu.process_percent`` | CPU time of the training process and all its descendants; 100 is one core |
| ``cpu.host_percent`` | the machine, all cores together: 0 to 100 |
| ``cpu.host_load_1m`` | load average of the last minute |
| ``memory.process_rss_bytes`` | resident memory of the process tree, summed; shared pages count in each process |
| ``memory.main_rss_bytes`` | resident memory of the training process alone |
| ``memory.host_used_bytes``, ``memory.host_percent`` | the machine |
| ``process.count``, ``process.threads`` | processes of the tree, and their threads |
| ``io.process_read_bytes_per_second``, ``io.process_write_bytes_per_second`` | of the tree, from and to disks |
| ``disk.free_bytes``, ``disk.used_percent`` | the file system of the run's directory |
| ``network.host_received_bytes_per_second``, ``network.host_sent_bytes_per_second`` | the machine |
| ``gpu.N.utilization_percent``, ``gpu.N.memory_used_bytes``, ``gpu.N.memory_percent`` | GPU N as NVML numbers it |
| ``gpu.N.temperature_celsius``, ``gpu.N.power_watts`` | |
| ``gpu.N.process_memory_bytes`` | memory on GPU N of the process tree; absent where NVML sees other process ids |

Rates and percentages of CPU time need two looks: the first sample does not have them. What the system does not tell
is absent, never zero. Of a job, the training process stands for all ranks on this node.
"""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil

from autolog.sidecar.gpu import Gpus

if TYPE_CHECKING:
    from pathlib import Path

    from autolog.events import Number

__all__ = ["Sampler"]


class _Usage(NamedTuple):
    """What one process has used since its start, and holds now."""

    cpu: float
    read: int
    written: int
    rss: int
    threads: int


_Key = tuple[int, float]
"""A process: its id and its start."""


class Sampler:
    """Takes samples of one training process; keeps the last look's counters for the rates.

    Args:
        pid: the training process.
        directory: the run's directory, whose file system is watched.
        visible: the training's ``CUDA_VISIBLE_DEVICES``; only these GPUs are sampled.
    """

    def __init__(self, pid: int, directory: Path, visible: str | None) -> None:
        self._pid = pid
        self.others: list[int] = []
        """More processes of the run on this machine: the other ranks of the node."""
        self._directory = directory
        self._gpus = Gpus(visible)
        self._time = 0.0
        self._usage: dict[_Key, _Usage] = {}
        self._network: tuple[int, int] | None = None
        self._times: tuple[float, float] | None = None

    def sample(self) -> dict[str, Number]:
        """The present values by name. Whatever cannot be read is left out."""
        now = time.monotonic()
        elapsed = now - self._time if self._time else 0.0
        self._time = now
        values: dict[str, Number] = {}
        usage = self._tree()
        self._of_processes(values, usage, elapsed)
        self._of_host(values, elapsed)
        self._gpus.sample(values, {pid for pid, _ in usage})
        self._usage = usage
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in values.items()}

    def _tree(self) -> dict[_Key, _Usage]:
        family = []
        for pid in (self._pid, *self.others):
            try:
                main = psutil.Process(pid)
                family += [main, *main.children(recursive=True)]
            except psutil.Error:
                continue
        found = {}
        for member in family:
            try:
                found[member.pid, member.create_time()] = _usage(member)
            except psutil.Error:  # it has just ended
                continue
        return found

    def _of_processes(self, values: dict[str, Number], usage: dict[_Key, _Usage], elapsed: float) -> None:
        if not usage:
            return
        values["memory.process_rss_bytes"] = sum(used.rss for used in usage.values())
        for (pid, _), used in usage.items():
            if pid == self._pid:
                values["memory.main_rss_bytes"] = used.rss
        values["process.count"] = len(usage)
        values["process.threads"] = sum(used.threads for used in usage.values())
        if not elapsed or not self._usage:
            return
        none = _Usage(0.0, 0, 0, 0, 0)
        pairs = [(used, self._usage.get(key, none)) for key, used in usage.items()]
        values["cpu.process_percent"] = 100 * sum(new.cpu - old.cpu for new, old in pairs) / elapsed
        values["io.process_read_bytes_per_second"] = sum(new.read - old.read for new, old in pairs) / elapsed
        values["io.process_write_bytes_per_second"] = sum(new.written - old.written for new, old in pairs) / elapsed

    def _of_host(self, values: dict[str, Number], elapsed: float) -> None:
        times = psutil.cpu_times()
        total, idle = sum(times[:8]), times.idle + getattr(times, "iowait", 0.0)
        if self._times is not None and total > self._times[0]:
            busy = 1 - (idle - self._times[1]) / (total - self._times[0])
            values["cpu.host_percent"] = 100 * min(max(busy, 0.0), 1.0)
        self._times = (total, idle)
        values["cpu.host_load_1m"] = psutil.getloadavg()[0]
        memory = psutil.virtual_memory()
        values["memory.host_used_bytes"] = memory.total - memory.available
        values["memory.host_percent"] = memory.percent
        self._of_disk_and_network(values, elapsed)

    def _of_disk_and_network(self, values: dict[str, Number], elapsed: float) -> None:
        try:
            disk = shutil.disk_usage(self._directory)
        except OSError:  # the directory was removed
            return
        values["disk.free_bytes"] = disk.free
        values["disk.used_percent"] = 100 * disk.used / disk.total if disk.total else 0.0
        counters: Any = psutil.net_io_counters()  # None on a machine without a network
        if counters is None:
            return
        if elapsed and self._network is not None:
            received, sent = self._network
            values["network.host_received_bytes_per_second"] = (counters.bytes_recv - received) / elapsed
            values["network.host_sent_bytes_per_second"] = (counters.bytes_sent - sent) / elapsed
        self._network = (counters.bytes_recv, counters.bytes_sent)


def _usage(process: psutil.Process) -> _Usage:
    with process.oneshot():
        times = process.cpu_times()
        try:
            io = process.io_counters()  # type: ignore[attr-defined,unused-ignore]  # not on macOS
            read, written = io.read_bytes, io.write_bytes
        except (psutil.AccessDenied, AttributeError):  # another user's child (sudo), or macOS
            read = written = 0
        return _Usage(times.user + times.system, read, written, process.memory_info().rss, process.num_threads())
