"""Sound as audio files: arrays become WAV, files stay as they are."""

from __future__ import annotations

import io
from typing import Any

from autolog.media.arrays import as_numpy, looks_like_array
from autolog.media.base import Media, passed_through, refusal
from autolog.media.numbers import described, number

__all__ = ["ACCEPTED", "audio"]

ACCEPTED = (
    "an array or tensor of samples, or of samples x channels or channels x samples (float from -1 to 1, int16, int32 "
    "or uint8), a path, or the bytes of an audio file"
)


def audio(value: Any, sample_rate: float | None = None, *, channels: str | None = None) -> Media:
    """One sound. Files and encoded bytes stay as they are; arrays become WAV (PCM; floats with 16 bits).

    Args:
        value: see :data:`ACCEPTED`.
        sample_rate: samples a second; needed for arrays.
        channels: ``"first"`` or ``"last"``; without it the shorter of two dimensions is the channels.

    Returns:
        The media; its metadata has sample_rate, channels and seconds, and how many samples were clipped.

    Raises:
        TypeError: the object is none of these.
        ValueError: no sample rate, a shape that is no sound, or bytes or a file that are no audio.
        FileNotFoundError: there is no such file.
    """
    if (media := passed_through(value, "audio")) is not None:
        return media
    if not looks_like_array(value):
        raise refusal("log_audio", value, ACCEPTED)
    if sample_rate is None or not 1 <= (rate := round(number(sample_rate, "sample_rate"))) < 2**32:
        raise ValueError(f"log_audio: an array needs sample_rate, in samples a second, given {sample_rate!r}")
    array = _samples_first(as_numpy(value), value, channels)
    samples, notes = _pcm(array)
    data = _wav(samples, rate)
    length, count = samples.shape
    metadata = {"sample_rate": rate, "channels": count, "seconds": length / rate, **notes}
    return Media(data=data, kind="audio", media_type="audio/wav", extension=".wav", metadata=metadata)


def _samples_first(array: Any, original: Any, channels: str | None) -> Any:
    if channels not in (None, "first", "last"):
        raise ValueError(f'log_audio: channels must be "first", "last" or None, given {channels!r}')
    if array.ndim == 1:
        return array[:, None]
    if array.ndim != 2:
        raise ValueError(f"log_audio: given {described(original)}; accepted are {ACCEPTED}")
    first = channels == "first" or (channels is None and array.shape[0] < array.shape[1])
    array = array.T if first else array
    if not 1 <= array.shape[1] < 2**16:
        raise ValueError(f"log_audio: {array.shape[1]} channels in {described(original)}; see channels=")
    return array


def _pcm(array: Any) -> tuple[Any, dict[str, Any]]:
    """Samples as the integers WAV holds, and what had to be changed."""
    import numpy as np

    if array.dtype in (np.int16, np.int32, np.uint8):
        return array, {}
    if array.dtype.kind != "f":
        raise TypeError(f"log_audio: the samples are {array.dtype}; float, int16, int32 and uint8 are accepted")
    values = array.astype(np.float64)
    clipped = int(np.count_nonzero(~(np.abs(values) <= 1)))
    values = np.clip(np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=-1.0), -1, 1)
    return np.rint(values * 32767).astype(np.int16), {"clipped": clipped} if clipped else {}


def _wav(samples: Any, rate: int) -> bytes:
    import wave

    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(samples.dtype.itemsize)
        file.setframerate(rate)
        file.writeframes(samples.astype(samples.dtype.newbyteorder("<")).tobytes())
    return buffer.getvalue()
