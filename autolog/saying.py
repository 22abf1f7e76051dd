"""Saying something to the person in front of the training, where there is somebody and a way to reach them."""

from __future__ import annotations

import sys

__all__ = ["say"]


def say(text: str) -> None:
    """Write one line on stderr. A program may have closed it, or have none, or be writing there just now: no error."""
    try:
        sys.stderr.write(f"autolog: {text}\n")
    except Exception:  # there is nobody left to tell
        return
