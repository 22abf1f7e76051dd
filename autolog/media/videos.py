"""Moving pictures: files stay as they are, arrays become an animated image that every browser plays."""

from __future__ import annotations

import io
from typing import Any

from autolog.media import png
from autolog.media.arrays import as_numpy, looks_like_array
from autolog.media.base import Media, passed_through, refusal, sniff
from autolog.media.images import ordered, pixels
from autolog.media.numbers import described

__all__ = ["ACCEPTED", "video"]

ACCEPTED = (
    "an array or tensor of frames x height x width (x channels, or with the channels before the height), a list of "
    "frames, a path, or the bytes of a video file or animated image"
)

_FORMATS = ("apng", "webp", "gif")


def video(
    value: Any,
    fps: float = 10,
    *,
    format: str = "apng",  # noqa: A002  (the word everybody knows)
    channels: str | None = None,
    value_range: tuple[float, float] | None = None,
) -> Media:
    """One video. Files and encoded bytes stay as they are; arrays become an animated picture.

    Args:
        value: see :data:`ACCEPTED`.
        fps: frames a second, for arrays.
        format: ``"apng"`` (exact, needs nothing), or with Pillow ``"webp"`` (small, lossy) or ``"gif"`` (256 colours).
            For MP4, encode it with the tool you trust and give the path or bytes.
        channels: ``"first"`` or ``"last"`` within a frame; without it as for images.
        value_range: the values that are black and white, as for images.

    Returns:
        The media; its metadata has width, height, frames and fps.

    Raises:
        TypeError: the object is none of these.
        ValueError: a shape that is no video, an unknown format, fps not positive, or bytes or a file that are no video.
        ImportError: the format needs Pillow, which is not installed.
        FileNotFoundError: there is no such file.
    """
    if isinstance(value, (bytes, bytearray)) and (sniff(bytes(value[:64])) or ("",))[0] in ("image/gif", "image/webp"):
        return _animated(bytes(value))
    if (media := passed_through(value, "video")) is not None:
        return media
    if format not in _FORMATS:
        raise ValueError(f"log_video: format must be one of {', '.join(_FORMATS)}, given {format!r}")
    if not fps > 0:
        raise ValueError(f"log_video: fps must be more than 0, given {fps!r}")
    frames, notes = _frames(value, channels, value_range)
    height, width, _ = frames[0].shape
    metadata = {"width": width, "height": height, "frames": len(frames), "fps": fps, **notes}
    if format == "apng":
        data, media_type, extension = png.animation(frames, fps), "image/apng", ".png"
    else:
        data, media_type, extension = _with_pillow(frames, fps, format), f"image/{format}", f".{format}"
    return Media(data=data, kind="video", media_type=media_type, extension=extension, metadata=metadata)


def _animated(data: bytes) -> Media:
    media_type, extension = sniff(data[:64]) or ("", "")
    return Media(data=data, kind="video", media_type=media_type, extension=extension)


def _frames(
    value: Any, channels: str | None, value_range: tuple[float, float] | None
) -> tuple[list[Any], dict[str, Any]]:
    """The frames as height by width by channels, ``uint8``, all of one shape."""
    import numpy as np

    listed = isinstance(value, (list, tuple)) and bool(value) and all(looks_like_array(frame) for frame in value)
    if not listed and not looks_like_array(value):
        raise refusal("log_video", value, ACCEPTED)
    originals = list(value) if listed else [value] * len(value)
    arrays = [as_numpy(frame) for frame in value] if listed else list(as_numpy(value))
    if not arrays or arrays[0].ndim not in (2, 3) or len({array.shape for array in arrays}) != 1:
        raise ValueError(f"log_video: given {described(value)}; accepted are {ACCEPTED}")
    pictures = [ordered(array, source, channels, "log_video") for array, source in zip(arrays, originals, strict=True)]
    stacked, notes = pixels(np.stack(pictures), value_range)
    return list(stacked), notes


def _with_pillow(frames: list[Any], fps: float, kind: str) -> bytes:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(f'log_video: format "{kind}" needs Pillow; format="apng" needs nothing') from error
    if frames[0].dtype.itemsize != 1:
        raise ValueError(f'log_video: format "{kind}" has 8 bits a channel, given {frames[0].dtype}')
    pictures = [Image.fromarray(frame[:, :, 0] if frame.shape[2] == 1 else frame) for frame in frames]
    buffer = io.BytesIO()
    pictures[0].save(buffer, format=kind, save_all=True, append_images=pictures[1:], duration=round(1000 / fps), loop=0)
    return buffer.getvalue()
