"""One number out of a tensor without waiting for the device it is on."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["Reading", "read"]

_ASYNCHRONOUS = ("cuda", "xpu")
_CHUNK = 256
_free: dict[Any, list[Any]] = {}
"""Page-locked host memory for one number each, by data type."""


class Reading:
    """A number on its way from a device."""

    __slots__ = ("_event", "_place")

    def __init__(self, place: Any, event: Any) -> None:
        self._place = place
        self._event = event

    def ready(self) -> bool:
        """Whether the number is here; asking does not wait."""
        return bool(self._event.query())

    def value(self) -> float:
        """The number; waits for it where it is not :meth:`ready`. Call it once: the memory is used again."""
        self._event.synchronize()
        number = float(self._place.item())
        _free[self._place.dtype].append(self._place)
        return number


def read(tensor: Any) -> float | Reading | None:
    """The one number in ``tensor``.

    Returns:
        The number where it can be had at once; a :class:`Reading` where a device still has to compute it; ``None``
        where it cannot be read without waiting or is none: on other devices, in tensor subclasses, while a CUDA graph
        is captured.
    """
    torch = sys.modules["torch"]
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter) or tensor.numel() != 1 or tensor.is_complex():
        return None
    kind = tensor.device.type
    # The program's own dispatch modes (FLOP counters, fake tensors) must not see what we do.
    with torch._C._DisableTorchDispatch():  # noqa: SLF001  it has no public name
        if kind == "cpu":
            return float(tensor.item())
        return _begin(torch, tensor, getattr(torch, kind)) if kind in _ASYNCHRONOUS else None


def _begin(torch: Any, tensor: Any, device: Any) -> Reading | None:
    if _captures(device):
        return None
    places = _free.setdefault(tensor.dtype, [])
    if not places:
        memory = torch.empty(_CHUNK, dtype=tensor.dtype, device="cpu", pin_memory=True)
        places.extend(memory[index] for index in range(_CHUNK))
    place = places.pop()
    with torch.no_grad(), device.device(tensor.device):
        place.copy_(tensor.detach().reshape(()), non_blocking=True)
        event = device.Event()
        event.record()
    return Reading(place, event)


def _captures(device: Any) -> bool:
    """Whether a graph of the current stream is being captured: nothing may be added to it."""
    asks = getattr(device, "is_current_stream_capturing", None)
    return asks is not None and bool(asks())
