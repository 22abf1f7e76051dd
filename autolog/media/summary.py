"""One line that says what a large or foreign object is: arrays, frames, bytes, anything with a repr."""

from __future__ import annotations

import math
import sys
from typing import Any

__all__ = ["ELEMENTS", "REPR", "elements", "is_array", "of_array", "of_bytes", "of_object"]

ELEMENTS = 64
"""Up to so many elements, an array is written as its values."""

REPR = 10_000
"""Characters kept of a repr."""

_SCANNED = 1_000_000


def is_array(value: Any) -> bool:
    """Whether this is an array, a tensor, or a frame or series of pandas or polars."""
    kind = type(value)
    return hasattr(kind, "shape") and (hasattr(kind, "dtype") or hasattr(kind, "columns"))


def _on_hand(value: Any) -> bool:
    """Whether reading its elements runs no foreign device or graph: numpy's numbers and texts, torch's on the CPU."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy and isinstance(value, numpy.ndarray):
        return bool(value.dtype.kind in "biufSU")
    return bool(
        torch
        and type(value) in (torch.Tensor, torch.nn.Parameter)
        and value.device.type == "cpu"
        and value.layout == torch.strided
        and not value.is_complex()
    )


def elements(array: Any) -> Any:
    """The elements of a small array as nested lists (or one number, without dimensions), else ``None``."""
    if not _on_hand(array) or math.prod(array.shape) > ELEMENTS:
        return None
    return (array.detach() if hasattr(array, "detach") else array).tolist()


def of_array(array: Any) -> str:
    """``numpy.ndarray(shape=(1000, 3), dtype=float32, min=…, max=…, mean=…)``; the range of numpy arrays only."""
    parts = [f"shape={_shape(array)}"]
    if hasattr(type(array), "columns"):
        columns = [str(name) for name in list(array.columns)[:20]]
        left = len(array.columns) - len(columns)
        parts.append(f"columns=[{', '.join(columns)}{f', … {left} more' if left else ''}]")
    else:
        parts.append(f"dtype={array.dtype}")
    if "torch" in sys.modules and isinstance(array, sys.modules["torch"].Tensor) and array.device.type != "cpu":
        parts.append(f"device={array.device}")
    numpy = sys.modules.get("numpy")
    if numpy and isinstance(array, numpy.ndarray) and array.dtype.kind in "biuf" and 0 < array.size <= _SCANNED:
        with numpy.errstate(all="ignore"):
            parts += [f"{name}={float(getattr(array, name)()):.6g}" for name in ("min", "max", "mean")]
    return f"{_named(type(array))}({', '.join(parts)})"


def _shape(array: Any) -> str:
    return str(tuple(int(length) if isinstance(length, int) else str(length) for length in array.shape))


def of_bytes(start: bytes, size: int) -> str:
    """Bytes as Python writes them, cut where they are long."""
    return repr(start) if len(start) == size else f"{start!r}… ({size} bytes in all)"


def of_object(value: Any, limit: int = REPR) -> str:
    """The object's ``repr`` without memory addresses (they differ from run to run), cut at ``limit``; never raises."""
    try:
        text = repr(value)
    except Exception as error:
        return f"<{_named(type(value))}: its repr raised {type(error).__name__}>"
    if " at 0x" in text:
        import re

        text = re.sub(r" at 0x[0-9a-fA-F]+", "", text)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters in all)"


def _named(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
