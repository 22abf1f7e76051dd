"""One number out of a tensor without waiting for the device it is on."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["Reading", "is_capturing", "read"]

_ASYNCHRONOUS = ("cuda", "xpu")
_CHUNK = 256
_free: dict[Any, list[Any]] = {}
"""Page-locked host memory for one number each, by data type."""


class Reading:
    """A number on its way from a device."""

    __slots__ = ("_device", "_event", "_place")

    def __init__(self, place: Any, event: Any, device: Any) -> None:
        self._place = place
        self._event = event
        self._device = device

    def ready(self) -> bool:
        """Whether the number is here; asking does not wait. While a graph is captured nothing may be asked."""
        return not _captures(self._device) and bool(self._event.query())

    def value(self) -> float:
        """The number, once it is :meth:`ready`. Call it once: the memory is used again."""
        number = float(self._place.item())
        _free[self._place.dtype].append(self._place)
        return number


def read(tensor: Any) -> float | Reading | None:
    """The one number in ``tensor``.

    Returns:
        The number where it can be had at once; a :class:`Reading` where a device still has to compute it; ``None``
        where it cannot be read without waiting or is none: on other devices, in tensor subclasses, inside transforms of
        ``torch.func``, while a CUDA graph is captured.
    """
    torch = sys.modules["torch"]
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter) or tensor.numel() != 1:
        return None
    inner = torch._C  # noqa: SLF001  what is needed of it has no public name
    if inner._functorch.peek_interpreter_stack() is not None:  # noqa: SLF001  the same
        return None
    if tensor.is_cpu:
        if not inner._len_torch_dispatch_stack():  # noqa: SLF001  the same
            number = tensor.item()
        else:  # the program's own dispatch modes (FLOP counters, fake tensors) must not see what we do
            with inner._DisableTorchDispatch():  # noqa: SLF001  the same
                number = tensor.item()
        return number if type(number) is float else None if type(number) is complex else float(number)
    kind = tensor.device.type
    return None if kind not in _ASYNCHRONOUS or tensor.is_complex() else _begin(torch, tensor, getattr(torch, kind))


def is_capturing(tensor: Any) -> bool:
    """Whether what is done to a tensor now is not done, but captured in a graph that is replayed later."""
    if tensor.is_cpu:
        return False
    kind = tensor.device.type
    return kind in _ASYNCHRONOUS and _captures(getattr(sys.modules["torch"], kind))


def _begin(torch: Any, tensor: Any, device: Any) -> Reading | None:
    if _captures(device):
        return None
    places = _free.setdefault(tensor.dtype, [])
    if not places:
        memory = torch.empty(_CHUNK, dtype=tensor.dtype, device="cpu", pin_memory=True)
        places.extend(memory[index] for index in range(_CHUNK))
    place = places.pop()
    with torch._C._DisableTorchDispatch(), torch.no_grad(), device.device(tensor.device):  # noqa: SLF001  see read()
        place.copy_(tensor.detach().reshape(()), non_blocking=True)
        event = device.Event()
        event.record()
    return Reading(place, event, device)


def _captures(device: Any) -> bool:
    """Whether a graph of the current stream is being captured: nothing may be added to it."""
    asks = getattr(device, "is_current_stream_capturing", None)
    return asks is not None and bool(asks())
