"""Pictures, sounds, tables and other media: what ``log_*`` methods store, and cells of tables may be.

``autolog.media.image(array)`` and the others here make a :class:`Media` of an object; each is imported when used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autolog.media.base import Media
    from autolog.media.curves import curve
    from autolog.media.figures import figure
    from autolog.media.images import image
    from autolog.media.sounds import audio
    from autolog.media.videos import video

__all__ = ["Media", "audio", "curve", "figure", "image", "video"]

_HOMES = {
    "Media": "base", "audio": "sounds", "curve": "curves", "figure": "figures", "image": "images", "video": "videos",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
