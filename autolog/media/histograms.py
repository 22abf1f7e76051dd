"""Histograms of many tensors of one moment in one small JSON: a model's weights, its gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from autolog.events import to_wire
from autolog.media import histogram
from autolog.media.arrays import looks_like_array
from autolog.media.base import Media, refusal

__all__ = ["ACCEPTED", "MEDIA_TYPE", "histograms"]

MEDIA_TYPE = "application/vnd.autolog.histograms+json"
ACCEPTED = "a mapping of names to arrays or tensors, or to mappings with counts, min and max"
_NUMBERS = ("min", "max", "mean", "std", "norm")


def histograms(parts: Any, bins: int = 32) -> Media:
    """The distributions of several arrays, by name.

    Args:
        parts: names and arrays, which are counted as :func:`autolog.media.histogram.histogram` does; or names and
            mappings that are histograms already: ``counts`` over equal steps from ``min`` to ``max`` (or over
            ``edges``), and any of the other fields in docs/media.md.
        bins: how many, for arrays.

    Raises:
        TypeError: no such mapping.
        ValueError: counts that do not fit their edges, or bins is not a positive integer.
    """
    if not isinstance(parts, Mapping) or not all(isinstance(name, str) for name in parts):
        raise refusal("log_histograms", parts, ACCEPTED)
    wired = {name: _wired(name, part, bins) for name, part in parts.items()}
    data = msgspec.json.encode({"version": 1, "histograms": wired})
    return Media(
        data=data, kind="histograms", media_type=MEDIA_TYPE, extension=".json", metadata={"histograms": len(wired)}
    )


def _wired(name: str, part: Any, bins: int) -> dict[str, Any]:
    content = dict(part) if isinstance(part, Mapping) else _counted(part, bins)
    counts, edges = content.get("counts"), content.get("edges")
    if not isinstance(counts, list) or not all(isinstance(count, (int, float)) for count in counts):
        raise refusal(f"log_histograms: counts of {name!r}", counts, "a list of numbers")
    if edges is None and counts and not ("min" in content and "max" in content):
        raise ValueError(f"log_histograms: {name!r} has counts without edges: give min and max")
    if edges is not None and counts and len(edges) != len(counts) + 1:
        raise ValueError(f"log_histograms: {name!r} has {len(counts)} counts and {len(edges)} edges, not one more")
    return {
        key: [to_wire(each) for each in value]
        if key in ("counts", "edges")
        else to_wire(value)
        if key in _NUMBERS
        else value
        for key, value in content.items()
    }


def _counted(values: Any, bins: int) -> dict[str, Any]:
    content: dict[str, Any] = msgspec.json.decode(cast("bytes", histogram.histogram(values, bins).data))
    del content["version"]
    if len(content["edges"]) == bins + 1:
        del content["edges"]  # equal steps from min to max
    if "mean" in content and all(isinstance(content[key], (int, float)) for key in ("mean", "std")):
        content["norm"] = math.hypot(content["mean"], content["std"]) * math.sqrt(content["count"])
    if looks_like_array(values):
        content["shape"] = [int(length) for length in values.shape]
    return content
