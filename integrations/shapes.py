"""What training data look like from outside: type, shape, dtype, columns. No element is read, nothing is iterated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["COLUMNS", "describe"]

COLUMNS = 1000
"""Most column names kept of one frame."""


def describe(value: Any) -> dict[str, Any]:
    """Describe arrays, tensors, frames, sparse matrices, data loaders and plain sequences.

    Args:
        value: what a person passed as data.

    Returns:
        ``{"type": "numpy.ndarray", "shape": [1797, 64], "dtype": "float64"}``; for frames also ``columns`` and
        ``dtypes``, for sparse matrices ``nnz``, for sequences ``length``. Of a tuple or dict of arrays, each part.
    """
    if type(value) is dict:
        return {str(name): describe(part) for name, part in value.items()}
    kind = type(value)
    told: dict[str, Any] = {"type": f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"}
    shape = getattr(value, "shape", None)
    if shape is not None:
        told["shape"] = _numbers(shape)
        told |= _columns(value) if hasattr(kind, "columns") else _elements(value)
    elif isinstance(value, (list, tuple)):
        told = {"type": kind.__name__, "length": len(value)}
        if 0 < len(value) <= 8 and all(hasattr(part, "shape") for part in value):
            told["parts"] = [describe(part) for part in value]
    elif kind.__module__.startswith("torch.utils.data") and hasattr(value, "batch_size"):
        told["batch_size"] = value.batch_size
    return told


def _numbers(shape: Any) -> list[int | None]:
    return [int(length) if isinstance(length, int) else None for length in tuple(shape)]


def _elements(array: Any) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if (dtype := getattr(array, "dtype", None)) is not None:
        told["dtype"] = str(dtype)
    if isinstance(nnz := getattr(array, "nnz", None), int):
        told["nnz"] = nnz
    if isinstance(name := getattr(array, "name", None), str):
        told["name"] = name
    return told


def _columns(frame: Any) -> dict[str, Any]:
    names: Sequence[Any] = list(frame.columns)
    dtypes = frame.dtypes  # pandas: a Series, polars: a list; both iterate in the order of the columns
    told: dict[str, Any] = {"columns": [str(name) for name in names[:COLUMNS]], "dtypes": {}}
    for dtype in dtypes:
        told["dtypes"][str(dtype)] = told["dtypes"].get(str(dtype), 0) + 1
    if len(names) > COLUMNS:
        told["more_columns"] = len(names) - COLUMNS
    return told
