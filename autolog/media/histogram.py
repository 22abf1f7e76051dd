"""Histograms: a small JSON of counts and edges, computed exactly from all values, or given by the user."""

from __future__ import annotations

import contextlib
import itertools
import math
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from autolog.events import to_wire
from autolog.media.arrays import as_numpy, looks_like_array
from autolog.media.base import Media, refusal

__all__ = ["ACCEPTED", "MEDIA_TYPE", "from_counts", "histogram"]

MEDIA_TYPE = "application/vnd.autolog.histogram+json"
ACCEPTED = "an array or tensor of real numbers, a list of numbers, or counts= and edges="


def histogram(values: Any, bins: int = 64) -> Media:
    """The distribution of values over equal bins between their minimum and maximum.

    All values are counted, none is sampled; the last bin holds the maximum. NaN and the infinities are counted apart.

    Args:
        values: see :data:`ACCEPTED`.
        bins: how many; fewer where the values lie too close together for so many.

    Returns:
        The media; docs/media.md has the schema.

    Raises:
        TypeError: no such object, or its elements are no real numbers.
        ValueError: bins is not a positive integer.
    """
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise ValueError(f"log_histogram: bins must be a positive integer, given {bins!r}")
    if not looks_like_array(values) and not isinstance(values, (list, tuple, set, frozenset, range)):
        raise refusal("log_histogram", values, ACCEPTED)
    if looks_like_array(values) or "numpy" in sys.modules:
        return _media(_with_numpy(values, bins))
    return _media(_with_python(list(values), bins))


def from_counts(counts: Any, edges: Any) -> Media:
    """A histogram that was computed already.

    Args:
        counts: how many values (or what weight) each bin holds.
        edges: the bins' limits, ascending, one more than counts.

    Raises:
        TypeError: these are no sequences of numbers.
        ValueError: their lengths do not fit, or the edges do not ascend.
    """
    plain_counts, plain_edges = _numbers(counts, "counts"), _numbers(edges, "edges")
    if len(plain_edges) != len(plain_counts) + 1:
        raise ValueError(
            f"log_histogram: {len(plain_counts)} counts need {len(plain_counts) + 1} edges, given {len(plain_edges)}"
        )
    if not all(left <= right for left, right in itertools.pairwise(plain_edges)):
        raise ValueError("log_histogram: the edges must ascend")
    return _media({"counts": plain_counts, "edges": plain_edges, "count": sum(plain_counts)})


def _numbers(values: Any, what: str) -> list[float]:
    if looks_like_array(values):
        values = as_numpy(values).ravel().tolist()
    if not isinstance(values, Sequence) or not all(isinstance(value, (int, float)) for value in values):
        raise refusal(f"log_histogram: {what}", values, "a list or array of numbers")
    return list(values)


def _with_numpy(values: Any, bins: int) -> dict[str, Any]:
    import numpy as np

    array = as_numpy(values if looks_like_array(values) else list(values)).ravel()
    if array.dtype.kind not in "biuf" and array.size:
        raise TypeError(f"log_histogram: the elements are {array.dtype}; accepted are {ACCEPTED}")
    array = array.astype(np.float64, copy=False)
    finite = np.isfinite(array)
    fine = array if finite.all() else array[finite]
    above, below = (int(np.count_nonzero(array == sign)) for sign in (np.inf, -np.inf))
    summary = _apart(array.size, above, below, fine.size)
    if not fine.size:
        return {"counts": [], "edges": [], **summary}
    low, high = float(fine.min()), float(fine.max())
    counts, edges = _counted(fine, low, high, bins)
    with np.errstate(all="ignore"):
        mean, std = float(fine.mean()), float(fine.std())
    return {"counts": counts, "edges": edges, **summary, "min": low, "max": high, "mean": mean, "std": std}


def _counted(fine: Any, low: float, high: float, bins: int) -> tuple[list[int], list[float]]:
    """A histogram by numpy, which is fast, and a plain one where its steps would overflow or vanish."""
    import numpy as np

    if low < high and math.isfinite(high - low) and low + (high - low) / bins > low:
        with contextlib.suppress(ValueError):  # "Too many bins for data range"
            counts, edges = np.histogram(fine, bins, (low, high))
            return counts.tolist(), edges.tolist()
    limits = _edges(low, high, bins)
    places = np.searchsorted(np.asarray(limits[1:-1]), fine, side="right")
    return np.bincount(places, minlength=len(limits) - 1).tolist(), limits


def _with_python(values: list[Any], bins: int) -> dict[str, Any]:
    import bisect

    numbers = [float(value) for value in _numbers(values, "values")]
    fine = [value for value in numbers if math.isfinite(value)]
    summary = _apart(len(numbers), numbers.count(math.inf), numbers.count(-math.inf), len(fine))
    if not fine:
        return {"counts": [], "edges": [], **summary}
    low, high = min(fine), max(fine)
    edges = _edges(low, high, bins)
    counts = [0] * (len(edges) - 1)
    inner = edges[1:-1]
    for value in fine:
        counts[bisect.bisect_right(inner, value)] += 1
    mean = math.fsum(value / len(fine) for value in fine)
    std = (
        math.sqrt(math.fsum((value - mean) ** 2 / len(fine) for value in fine))
        if abs(high) + abs(low) < 1e150
        else math.inf
    )
    return {"counts": counts, "edges": edges, **summary, "min": low, "max": high, "mean": mean, "std": std}


def _apart(total: int, above: int, below: int, finite: int) -> dict[str, int]:
    return {"count": finite, "nan": total - above - below - finite, "infinity": above, "minus_infinity": below}


def _edges(low: float, high: float, bins: int) -> list[float]:
    """Equal steps from low to high, strictly ascending, for the largest floats too (their difference overflows)."""
    if low == high:
        return [low, high]
    inner = [low * (1 - index / bins) + high * (index / bins) for index in range(1, bins)]
    ascending = [low]
    for edge in inner:
        if ascending[-1] < edge < high:
            ascending.append(edge)
    return [*ascending, high]


def _media(content: dict[str, Any]) -> Media:
    wired = {
        name: [to_wire(value) for value in part] if isinstance(part, list) else to_wire(part)
        for name, part in content.items()
    }
    data = msgspec.json.encode({"version": 1, **wired})
    metadata = {name: wired[name] for name in ("count", "min", "max", "mean", "nan") if wired.get(name)}
    return Media(data=data, kind="histogram", media_type=MEDIA_TYPE, extension=".json", metadata=metadata)
