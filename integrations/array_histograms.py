"""The histogram and norm of an array in host memory: every element counted, by numpy."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["STATS", "histogram", "norm", "row"]

STATS = 8
"""Numbers of a row before its counts: NaN, +inf, -inf, min, max, sum, norm, elements."""
_CHUNK = 1 << 20
_SMALL = 4096


def row(array: Any, bins: int) -> list[float]:
    """What is known of an array, in the order of :data:`STATS`, and its counts.

    Args:
        array: a numpy array of floating point numbers; those of 16 bits are reckoned with 32.
        bins: how many equal bins between minimum and maximum; 0: none.

    Returns:
        ``STATS`` numbers and ``bins`` counts. All counts are 0 where such bins have no width in the array's precision.
    """
    import numpy as np

    wide = array.dtype if array.dtype in (np.float32, np.float64) else np.dtype(np.float32)
    flat = array.reshape(-1)
    nan = above = below = 0
    low, high, total, norms = math.inf, -math.inf, 0.0, []
    fine = []
    with np.errstate(all="ignore"):
        for at in range(0, flat.size, _CHUNK):
            piece = flat[at : at + _CHUNK].astype(wide, copy=False)
            least, most = piece.min(), piece.max()
            if not (math.isfinite(least) and math.isfinite(most)):
                nan += int(np.isnan(piece).sum())
                above, below = above + int((piece == math.inf).sum()), below + int((piece == -math.inf).sum())
                piece = piece[np.isfinite(piece)]
                if not piece.size:
                    continue
                least, most = piece.min(), piece.max()
            low, high = min(low, float(least)), max(high, float(most))
            exact = piece.astype(np.float64, copy=False)
            total += float(exact.sum())
            norms.append(_norm(exact))
            fine.append(piece)
        counts = _counts(fine, wide.type(low), wide.type(high), bins)
    return [nan, above, below, low, high, total, math.hypot(*norms), flat.size, *counts]


def _norm(exact: Any) -> float:
    square = float(exact.dot(exact))
    if math.isfinite(square):
        return math.sqrt(square)
    largest = float(abs(exact).max())
    return largest * math.sqrt(float(((exact / largest) ** 2).sum()))


def _counts(pieces: list[Any], low: Any, high: Any, bins: int) -> list[int]:
    import numpy as np

    counts: Any = np.zeros(bins, dtype=np.int64)
    if not bins or not low < high:
        return counts.tolist()  # type: ignore[no-any-return]
    edges = np.arange(bins + 1, dtype=low.dtype) * ((high - low) / bins) + low
    edges[-1] = high
    if bool((edges[1:] > edges[:-1]).all()):
        for piece in pieces:
            if piece.size <= _SMALL:
                counts += np.bincount(edges[1:-1].searchsorted(piece, side="right"), minlength=bins)
            else:  # the same counts, faster
                counts += np.histogram(piece, bins, (low, high))[0]
    return counts.tolist()  # type: ignore[no-any-return]


def norm(numbers: list[float]) -> float:
    """The norm of a row's array: of its finite elements, or NaN or infinite where there are others."""
    return math.nan if numbers[0] else math.inf if numbers[1] or numbers[2] else numbers[6]


def histogram(numbers: list[float]) -> dict[str, Any]:
    """A row as docs/media.md has it."""
    nan, above, below = (int(number) for number in numbers[:3])
    low, high, total, length = numbers[3:7]
    count = int(numbers[7]) - nan - above - below
    told: dict[str, Any] = {"counts": [], "count": count, "nan": nan, "infinity": above, "minus_infinity": below}
    if not count:
        return told
    if low == high:
        told["counts"] = [count]
    elif sum(numbers[STATS:]) == count:
        told["counts"] = [int(number) for number in numbers[STATS:]]
    mean = total / count
    std = math.sqrt(max(0.0, length * length / count - mean * mean))
    return told | {"min": low, "max": high, "mean": mean, "std": std, "norm": length}
