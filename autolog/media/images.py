"""Pictures of any library as image files."""

from __future__ import annotations

import io
from typing import Any

from autolog.media import png
from autolog.media.arrays import as_numpy, is_torch, looks_like_array
from autolog.media.base import Media, passed_through, refusal
from autolog.media.numbers import described

__all__ = ["ACCEPTED", "image", "ordered", "pixels"]

ACCEPTED = (
    "an array or tensor of height x width, height x width x channels or channels x height x width with 1, 3 or 4 "
    "channels (uint8, or float from 0 to 1), a PIL image, a matplotlib figure, a path, or the bytes of an image file"
)

_PNG_MODES = ("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA")


def image(value: Any, *, channels: str | None = None, value_range: tuple[float, float] | None = None) -> Media:
    """One picture. Files and encoded bytes stay as they are; everything else becomes PNG, without loss.

    Args:
        value: see :data:`ACCEPTED`.
        channels: ``"first"`` or ``"last"``. Without it: torch tensors first, all others last, unless only the other
            reading gives 1, 3 or 4 channels.
        value_range: the values that are black and white; see :func:`pixels`.

    Returns:
        The media; its metadata has width, height and channels, and how many values were clipped.

    Raises:
        TypeError: the object is none of these.
        ValueError: the array has a shape that is no picture, or the bytes or file are no image.
        FileNotFoundError: there is no such file.
    """
    if (media := passed_through(value, "image")) is not None:
        return media
    if type(value).__module__.startswith("PIL.") and hasattr(value, "save"):
        return _from_pil(value)
    if hasattr(value, "savefig"):
        from autolog.media.figures import figure

        return figure(value)[0]
    if not looks_like_array(value):
        raise refusal("log_image", value, ACCEPTED)
    picture, notes = pixels(ordered(as_numpy(value), value, channels, "log_image"), value_range)
    height, width, depth = picture.shape
    metadata = {"width": width, "height": height, "channels": depth, **notes}
    return Media(data=png.encode(picture), kind="image", media_type="image/png", extension=".png", metadata=metadata)


def _from_pil(picture: Any) -> Media:
    buffer = io.BytesIO()
    (picture if picture.mode in _PNG_MODES else picture.convert("RGB")).save(buffer, format="PNG")
    metadata = {"width": picture.width, "height": picture.height, "mode": picture.mode}
    return Media(data=buffer.getvalue(), kind="image", media_type="image/png", extension=".png", metadata=metadata)


def ordered(array: Any, original: Any, channels: str | None, what: str) -> Any:
    """A picture's array as height by width by channels.

    Args:
        array: two or three dimensions.
        original: the object it came from: torch counts channels first.
        channels: ``"first"``, ``"last"`` or ``None``: by the rule of :func:`image`.
        what: the method, for errors.

    Raises:
        ValueError: it is no picture in this order.
    """
    if channels not in (None, "first", "last"):
        raise ValueError(f'{what}: channels must be "first", "last" or None, given {channels!r}')
    if array.ndim == 2:
        return array[:, :, None]
    if array.ndim != 3 or 0 in array.shape:
        more = "; give one picture a call" if array.ndim == 4 else ""
        raise ValueError(f"{what}: given {described(original)}; accepted are {ACCEPTED}{more}")
    first, last = array.shape[0] in (1, 3, 4), array.shape[2] in (1, 3, 4)
    if channels is None:
        channels = "first" if first and (is_torch(original) or not last) else "last"
    if not (first if channels == "first" else last):
        raise ValueError(f"{what}: no 1, 3 or 4 channels come {channels} in {described(original)}; see channels=")
    return array.transpose(1, 2, 0) if channels == "first" else array


def pixels(array: Any, value_range: tuple[float, float] | None) -> tuple[Any, dict[str, Any]]:
    """Values as ``uint8`` (``uint16`` stays, as 16-bit PNG), and what had to be changed.

    Args:
        array: any real element type.
        value_range: the values that become black and white, such as ``(-1, 1)``. Without it 0 and 1 for floats and
            booleans, 0 and 255 for integers. Values outside are clipped and counted in the notes, NaN becomes black.

    Raises:
        TypeError: the elements are no real numbers.
        ValueError: the range is empty.
    """
    import numpy as np

    if array.dtype.kind not in "biuf":
        raise TypeError(f"log_image: the elements are {array.dtype}; real numbers are accepted")
    if value_range is None and array.dtype in (np.uint8, np.uint16):
        return array, {}
    low, high = value_range or ((0, 255) if array.dtype.kind in "iu" else (0, 1))
    if not low < high:
        raise ValueError(f"log_image: value_range must be (low, high) with low < high, given {value_range!r}")
    values = array.astype(np.float64)
    bad = ~np.isfinite(values)
    outside = int(np.count_nonzero((values < low) | (values > high)))
    notes: dict[str, Any] = {"not_finite": int(bad.sum())} if bad.any() else {}
    if outside:
        fine = values[~bad]
        notes |= {"clipped": outside, "min": float(fine.min(initial=high)), "max": float(fine.max(initial=low))}
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    scaled = (np.clip(values, low, high) - low) * (255 / (high - low))
    return np.rint(scaled).astype(np.uint8), notes
