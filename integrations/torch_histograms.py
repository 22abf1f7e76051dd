"""A tensor's histogram and norm where the tensor is: some numbers of it travel, and nobody waits for them.

On a device every operation is queued behind the program's own, and the result is copied into page-locked memory; it is
read once the device has got there. No random number is drawn, no gradient recorded, and the program's own modes
(autocast aside, which changes nothing here) do not see it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from autolog.integrations.array_histograms import STATS, histogram, norm, row

__all__ = ["Pending", "begin", "device_row", "plain", "quiet", "unfit"]

_ASYNCHRONOUS = ("cuda", "xpu")
_CHUNK = 1 << 22
"""Elements looked at in one piece: bounds the memory that is needed, and what a 32-bit float can count."""


class Pending(NamedTuple):
    """Histograms on their way from their devices."""

    parts: list[tuple[list[str], Any, Any, Any]]
    """For each device names, the rows in host memory, and events before and after (``None`` on the host)."""
    labels: Mapping[str, dict[str, Any]]

    @staticmethod
    def joined(several: Sequence[Pending]) -> Pending:
        """Several as one."""
        parts = [part for one in several for part in one.parts]
        return Pending(parts, {name: label for one in several for name, label in one.labels.items()})

    def ready(self) -> bool:
        """Whether everything is here; asking does not wait."""
        return all(after is None or after.query() for _, _, _, after in self.parts)

    def result(self) -> tuple[dict[str, dict[str, Any]], dict[str, float], float]:
        """Histograms by name, norms by name, and seconds the devices took. Waits where it is not :meth:`ready`.

        Norms are of the finite elements, or NaN or infinite where there are others.
        """
        found: dict[str, dict[str, Any]] = {}
        norms: dict[str, float] = {}
        seconds = 0.0
        for names, rows, before, after in self.parts:
            if after is not None:
                after.synchronize()
                seconds += before.elapsed_time(after) / 1000
                with quiet(sys.modules["torch"]):
                    rows = rows.tolist()  # noqa: PLW2901  numbers from here
            for name, numbers in zip(names, rows, strict=True):
                norms[name] = norm(numbers)
                if len(numbers) > STATS:
                    found[name] = histogram(numbers) | self.labels[name]
        return found, norms, seconds


def begin(tensors: Mapping[str, Any], bins: Mapping[str, int], labels: Mapping[str, dict[str, Any]]) -> Pending:
    """Start the reduction of tensors; those on the host are reduced at once. To be called in :func:`quiet`.

    Args:
        tensors: by name, none of them :func:`unfit`.
        bins: of each how many bins; 0: only its norm. Those with equal numbers travel together.
        labels: of each what its histogram says beside the numbers.
    """
    torch = sys.modules["torch"]
    groups: dict[tuple[Any, int], list[str]] = {}
    for name, tensor in tensors.items():
        groups.setdefault((tensor.device, bins[name]), []).append(name)
    parts = []
    for (device, count), names in groups.items():
        flat = (tensors[name].detach().reshape(-1) for name in names)
        if device.type == "cpu":
            parts.append((names, [_on_host(torch, one, count) for one in flat], None, None))
        else:
            parts.append((names, *_on_device(torch, device, list(flat), count)))
    return Pending(parts, labels)


@contextmanager
def quiet(torch: Any) -> Iterator[None]:
    """What is done inside records no gradient, and the program's own modes and subclasses do not see it."""
    with ExitStack() as stack:
        stack.enter_context(torch._C.DisableTorchFunction())  # noqa: SLF001  it has no public name
        stack.enter_context(torch._C._DisableTorchDispatch())  # noqa: SLF001  the same
        stack.enter_context(torch.no_grad())
        yield


def plain(tensor: Any) -> tuple[Any, bool]:
    """The tensor itself, or of a sharded one the part that is here; and whether it is such a part."""
    name = type(tensor).__name__
    if name == "DTensor":
        return tensor._local_tensor, True  # noqa: SLF001  its public form would be recorded by autograd
    return tensor, name == "FlatParameter"


def unfit(tensor: Any) -> str | None:
    """Why a tensor cannot be looked at without disturbing anybody; ``None``: it can."""
    torch = sys.modules["torch"]
    kind = type(tensor)
    if isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin):
        return "not initialised"
    if kind.__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
        return f"a {kind.__name__}"
    if tensor.dtype not in (torch.float32, torch.bfloat16, torch.float16, torch.float64):
        return f"of type {str(tensor.dtype).removeprefix('torch.')}"
    if tensor.layout is not torch.strided:
        return "sparse"
    return _out_of_reach(torch, tensor) or ("empty" if tensor.numel() == 0 else None)


def _out_of_reach(torch: Any, tensor: Any) -> str | None:
    device = tensor.device.type
    if device == "cpu":
        return None
    if device not in _ASYNCHRONOUS:
        return f"on the device {device}"
    return "inside a graph capture" if _captures(getattr(torch, device)) else None


def _captures(device: Any) -> bool:
    asks = getattr(device, "is_current_stream_capturing", None)
    return asks is not None and bool(asks())


def _wide(torch: Any, piece: Any) -> Any:
    return piece if piece.dtype in (torch.float32, torch.float64) else piece.to(torch.float32)


def _on_host(torch: Any, flat: Any, bins: int) -> list[float]:
    try:
        array = _wide(torch, flat).numpy()
    except RuntimeError:  # torch does without numpy
        return device_row(torch, flat, bins).tolist()  # type: ignore[no-any-return]
    return row(array, bins)


def _edges(torch: Any, low: Any, high: Any, bins: int) -> Any:
    """Limits of equal bins, as numpy makes them."""
    edges = torch.arange(bins + 1, dtype=low.dtype, device=low.device) * ((high - low) / bins) + low
    edges[-1] = high
    return edges


def _on_device(torch: Any, device: Any, tensors: list[Any], bins: int) -> tuple[Any, Any, Any]:
    """Rows in page-locked memory, and the events around their making."""
    module = getattr(torch, device.type)
    with module.device(device):
        before, after = module.Event(enable_timing=True), module.Event(enable_timing=True)
        before.record()
        rows = torch.stack([device_row(torch, flat, bins) for flat in tensors])
        place = torch.empty(rows.shape, dtype=rows.dtype, device="cpu", pin_memory=True)
        place.copy_(rows, non_blocking=True)
        after.record()
    return place, before, after


def device_row(torch: Any, flat: Any, bins: int) -> Any:
    """The same row by operations none of which waits for its own result."""
    pieces = [_wide(torch, piece) if piece.dtype == torch.float64 else piece for piece in flat.split(_CHUNK)]
    stats = torch.stack([_stats(torch, _wide(torch, piece)) for piece in pieces])
    low, high = stats[:, 3].amin(), stats[:, 4].amax()
    length = torch.linalg.vector_norm(stats[:, 6])
    elements = torch.full((), flat.numel(), dtype=torch.float64, device=flat.device)
    head = torch.stack([*stats[:, :3].sum(0), low, high, stats[:, 5].sum(), length, elements])
    if not bins:
        return head
    wide = _wide(torch, pieces[0][:1]).dtype
    edges = _edges(torch, low.to(wide), high.to(wide), bins)
    counts = [_counts(torch, _wide(torch, piece), edges[1:-1], bins) for piece in pieces]
    return torch.cat([head, torch.stack(counts).sum(0) * (edges[1:] > edges[:-1]).all()])


def _stats(torch: Any, piece: Any) -> Any:
    finite = torch.isfinite(piece)
    clean = torch.where(finite, piece, 0.0)
    stats = [
        (piece != piece).sum(),
        (piece == math.inf).sum(),
        (piece == -math.inf).sum(),
        torch.where(finite, piece, math.inf).amin(),
        torch.where(finite, piece, -math.inf).amax(),
        clean.sum(dtype=torch.float64),
        torch.linalg.vector_norm(clean, dtype=torch.float64),
    ]
    return torch.stack([one.to(torch.float64) for one in stats])


def _counts(torch: Any, piece: Any, inner: Any, bins: int) -> Any:
    place = torch.bucketize(piece, inner, out_int32=True, right=True)
    place = torch.where(torch.isfinite(piece), place, -1)
    if torch.are_deterministic_algorithms_enabled():  # histc on a device adds atomically, and would be refused
        return torch.stack([(place == number).sum() for number in range(bins)]).to(torch.float64)
    return torch.histc(place.to(torch.float32), bins, -0.5, bins - 0.5).to(torch.float64)
