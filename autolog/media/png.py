"""A PNG writer on zlib alone: exact pixels, the same bytes everywhere, no imaging library in the training process."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

__all__ = ["animation", "encode"]

_COLOUR = {1: 0, 3: 2, 4: 6}
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode(pixels: Any) -> bytes:
    """A picture as PNG.

    Args:
        pixels: numpy array, height by width by channels (1 grey, 3 RGB, 4 RGBA), ``uint8`` or ``uint16``.
    """
    return _SIGNATURE + _header(pixels) + _chunk(b"IDAT", _compressed(pixels)) + _chunk(b"IEND", b"")


def animation(frames: list[Any], fps: float) -> bytes:
    """Pictures of one size as an animated PNG that runs forever; viewers without animation show the first.

    Args:
        frames: arrays as for :func:`encode`.
        fps: frames per second.
    """
    return b"".join(_animation(frames, fps))


def _animation(frames: list[Any], fps: float) -> Iterator[bytes]:
    height, width, _ = frames[0].shape
    yield _SIGNATURE + _header(frames[0]) + _chunk(b"acTL", struct.pack(">II", len(frames), 0))
    sequence = 0
    for index, frame in enumerate(frames):
        control = struct.pack(">IIIIIHHBB", sequence, width, height, 0, 0, *_delay(fps), 0, 0)
        yield _chunk(b"fcTL", control)
        sequence += 1
        if index == 0:
            yield _chunk(b"IDAT", _compressed(frame))
        else:
            yield _chunk(b"fdAT", struct.pack(">I", sequence) + _compressed(frame))
            sequence += 1
    yield _chunk(b"IEND", b"")


def _delay(fps: float) -> tuple[int, int]:
    """The seconds of a frame as a fraction of two 16-bit numbers."""
    numerator = max(1, min(1000, int(65535 / fps))) if fps >= 1 else min(65535, round(1000 / fps))
    return numerator, max(1, min(65535, round(numerator * fps)))


def _header(pixels: Any) -> bytes:
    height, width, channels = pixels.shape
    depth = pixels.dtype.itemsize * 8
    return _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, _COLOUR[channels], 0, 0, 0))


def _compressed(pixels: Any) -> bytes:
    """Rows as big-endian bytes, each with PNG's filter ``Sub`` (the difference to the pixel on the left)."""
    import zlib

    import numpy as np

    height, width, channels = pixels.shape
    step = channels * pixels.dtype.itemsize
    rows = (
        np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder(">")).view(np.uint8).reshape(height, width * step)
    )
    filtered = np.empty((height, width * step + 1), dtype=np.uint8)
    filtered[:, 0] = 1
    filtered[:, 1 : step + 1] = rows[:, :step]
    filtered[:, step + 1 :] = rows[:, step:] - rows[:, :-step]
    return zlib.compress(filtered.tobytes(), 6)


def _chunk(kind: bytes, data: bytes) -> bytes:
    import zlib

    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
