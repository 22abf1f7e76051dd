"""Arrays and tensors of any library as numpy arrays, in the memory of this process."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["as_numpy", "is_torch", "looks_like_array"]


def is_torch(value: Any) -> bool:
    """Whether this is a torch tensor; torch is not imported for it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def looks_like_array(value: Any) -> bool:
    """Whether :func:`as_numpy` takes it: numpy, torch, JAX, TensorFlow and all that has ``__array__`` and a shape."""
    return is_torch(value) or (hasattr(value, "shape") and (hasattr(value, "__array__") or hasattr(value, "numpy")))


def as_numpy(value: Any) -> Any:
    """The values as a numpy array: without a copy where the library allows, from a GPU with one (which waits for it).

    Gradients are left alone. ``bfloat16`` and other types numpy does not have become ``float32``. The result must
    not be written to.
    """
    import numpy as np

    if is_torch(value):
        tensor = value.detach().cpu().resolve_conj().resolve_neg()
        torch = sys.modules["torch"]
        return (tensor.to(torch.float32) if tensor.dtype in _unknown(torch) else tensor).numpy()
    array = np.asarray(value.numpy() if hasattr(value, "numpy") and not hasattr(value, "__array__") else value)
    return array.astype(np.float32) if array.dtype.kind == "V" and not array.dtype.names else array


def _unknown(torch: Any) -> list[Any]:
    names = ("bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")
    return [getattr(torch, name) for name in names if hasattr(torch, name)]
