"""What faulthandler has written while a process died."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["signal_of", "take"]

_FATAL = {
    "Fatal Python error: Segmentation fault": signal.SIGSEGV,
    "Fatal Python error: Aborted": signal.SIGABRT,
    "Fatal Python error: Bus error": signal.SIGBUS,
    "Fatal Python error: Floating-point exception": signal.SIGFPE,
    "Fatal Python error: Floating point exception": signal.SIGFPE,
    "Fatal Python error: Illegal instruction": signal.SIGILL,
}


def signal_of(dump: str) -> int | None:
    """Which signal made faulthandler write ``dump``: SIGTERM's, unlike those of fatal signals, has no headline."""
    headline = dump.split("\n", 1)[0]
    return _FATAL.get(headline) if headline.startswith("Fatal") else signal.SIGTERM


def take(path: Path) -> str:
    """What faulthandler has written while the process died; an empty file is removed."""
    try:
        text = path.read_text("utf-8", "replace")
        if not text:
            path.unlink()
    except OSError:
        return ""
    return text[:4000]
