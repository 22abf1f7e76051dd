"""Curves: pairs of numbers that belong together, such as ROC, precision and recall, calibration."""

from __future__ import annotations

from typing import Any

import msgspec

from autolog.events import Number, to_wire
from autolog.media.arrays import as_numpy, looks_like_array
from autolog.media.base import Media, refusal
from autolog.media.numbers import number

__all__ = ["MEDIA_TYPE", "curve"]

MEDIA_TYPE = "application/vnd.autolog.curve+json"


def curve(x: Any, y: Any, *, x_label: str = "x", y_label: str = "y") -> Media:
    """Points of a curve, in their order, exactly.

    Args:
        x: list, array, tensor or series of numbers.
        y: as many.
        x_label: what the horizontal axis is.
        y_label: what the vertical axis is.

    Returns:
        The media; docs/media.md has the schema.

    Raises:
        TypeError: x or y is no such sequence.
        ValueError: they differ in length.
    """
    points = _points(x, "x"), _points(y, "y")
    if len(points[0]) != len(points[1]):
        raise ValueError(f"log_curve: x has {len(points[0])} points, y {len(points[1])}")
    content = {"version": 1, "x": points[0], "y": points[1], "x_label": str(x_label), "y_label": str(y_label)}
    metadata = {"points": len(points[0]), "x_label": str(x_label), "y_label": str(y_label)}
    data = msgspec.json.encode(content)
    return Media(data=data, kind="curve", media_type=MEDIA_TYPE, extension=".json", metadata=metadata)


def _points(values: Any, what: str) -> list[Number]:
    if looks_like_array(values):
        array = as_numpy(values)
        if array.ndim == 1 and array.dtype.kind in "biuf":
            return [to_wire(value) for value in array.tolist()]
    elif isinstance(values, (list, tuple, range)):
        return [to_wire(number(value, what)) for value in values]
    raise refusal(f"log_curve: {what}", values, "a list, or an array or tensor of one dimension, of real numbers")
