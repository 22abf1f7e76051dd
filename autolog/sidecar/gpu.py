"""GPU samples through NVML. Without a driver there are none, and nothing is said about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from autolog.events import Number

__all__ = ["Gpus", "chosen"]


class Gpus:
    """The GPUs that the training can use.

    Args:
        visible: ``CUDA_VISIBLE_DEVICES`` of the training process; ``None`` where it is not set: all.
    """

    def __init__(self, visible: str | None) -> None:
        self._handles: dict[int, Any] = {}
        self._nvml: Any = None
        try:
            import pynvml

            pynvml.nvmlInit()
        except Exception:  # no package, no driver, no library: this machine has no NVIDIA GPU to sample
            return
        self._nvml = pynvml
        found = {}
        for index in range(self._ask(pynvml.nvmlDeviceGetCount) or 0):
            handle = self._ask(pynvml.nvmlDeviceGetHandleByIndex, index)
            if handle is not None:  # else it has fallen off the bus, or is another container's
                found[index] = handle
        uuids = {index: str(self._ask(pynvml.nvmlDeviceGetUUID, handle)) for index, handle in found.items()}
        self._handles = {index: found[index] for index in chosen(visible, uuids)}

    def sample(self, values: dict[str, Number], pids: set[int]) -> None:
        """Add each GPU's values; ``pids`` are the training's processes."""
        for index, handle in self._handles.items():
            self._one(values, f"gpu.{index}.", handle, pids)

    def _one(self, values: dict[str, Number], prefix: str, handle: Any, pids: set[int]) -> None:
        nvml = self._nvml
        rates = self._ask(nvml.nvmlDeviceGetUtilizationRates, handle)
        if rates is not None:
            values[f"{prefix}utilization_percent"] = int(rates.gpu)
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, handle)
        if memory is not None:
            values[f"{prefix}memory_used_bytes"] = int(memory.used)
            values[f"{prefix}memory_percent"] = 100 * memory.used / memory.total
        temperature = self._ask(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU)
        if temperature is not None:
            values[f"{prefix}temperature_celsius"] = int(temperature)
        power = self._ask(nvml.nvmlDeviceGetPowerUsage, handle)
        if power is not None:
            values[f"{prefix}power_watts"] = power / 1000
        processes = self._ask(nvml.nvmlDeviceGetComputeRunningProcesses, handle) or []
        ours = [entry.usedGpuMemory for entry in processes if entry.pid in pids]
        if ours and None not in ours:
            values[f"{prefix}process_memory_bytes"] = sum(ours)

    def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """One question to NVML; ``None`` where this GPU has no answer (MIG, consumer cards, a failed one)."""
        try:
            return function(*arguments)
        except self._nvml.NVMLError:
            return None


def chosen(visible: str | None, uuids: dict[int, str]) -> list[int]:
    """The indexes that ``CUDA_VISIBLE_DEVICES`` names, by number or (the beginning of a) UUID; as CUDA does, up to
    the first that does not exist.
    """
    if visible is None:
        return list(uuids)
    found: list[int] = []
    for part in (text.strip() for text in visible.split(",")):
        index = (
            int(part)
            if part.isdigit()
            else next((i for i, uuid in uuids.items() if part and uuid.startswith(part)), -1)
        )
        if index not in uuids:
            break
        found.append(index)
    return found
