"""How numbers, times and statuses are written for people. Pure functions."""

from __future__ import annotations

import json
import math
import re
import sys
from datetime import datetime
from typing import Any

from autolog.store.summary import in_calendar

__all__ = ["STYLES", "ago", "clean", "duration", "moment", "number", "shorten", "size", "status", "value"]

STYLES = {
    "running": "cyan",
    "completed": "green",
    "failed": "red",
    "interrupted": "yellow",
    "killed": "red",
    "lost": "magenta",
}
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SYMBOLS = {"running": "▶", "completed": "✓", "failed": "✗", "interrupted": "■", "killed": "☠", "lost": "?"}
_ASCII = {"running": ">", "completed": "+", "failed": "x", "interrupted": "!", "killed": "#", "lost": "?"}


def status(name: str) -> str:
    """A status with its symbol, told apart without colours too."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return f"{(_SYMBOLS if unicode else _ASCII).get(name, '?')} {name}"


def number(amount: float | None) -> str:
    """Four significant digits; whole numbers as they are; nothing for ``None``."""
    if amount is None:
        return ""
    if isinstance(amount, int):
        return str(amount)
    if not math.isfinite(amount):
        return "NaN" if math.isnan(amount) else "inf" if amount > 0 else "-inf"
    if 1e4 <= abs(amount) < 1e7:
        return f"{amount:.0f}"
    return f"{amount:.4g}"


def clean(text: str) -> str:
    """Without control characters: what was recorded must not steer the terminal. Line ends and tabs stay."""
    return _CONTROLS.sub("\ufffd", text)


def value(anything: Any) -> str:
    """A parameter's value: strings bare, numbers exact, the rest as JSON."""
    if isinstance(anything, str):
        return clean(anything)
    if isinstance(anything, (bool, int, float)) or anything is None:
        return str(anything)
    return json.dumps(anything, ensure_ascii=False, default=str)


def shorten(text: str, width: int) -> str:
    """At most ``width`` characters, in one line; the middle gives way, since ends tell names apart."""
    text = " ".join(clean(text).split())
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def duration(seconds: float | None) -> str:
    """``0.42s``, ``12.3s``, ``4m 05s``, ``3h 12m``, ``2d 04h``; nothing where it is not known."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.2f}s" if seconds < 10 else f"{seconds:.1f}s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02d}h"


def ago(time: float, now: float) -> str:
    """``now``, ``12s ago``, ``5m ago``, ``3h ago``, ``6d ago``, then the date."""
    past = now - time
    if past < 1:
        return "now"
    for unit, seconds, limit in (("s", 1, 60), ("m", 60, 3600), ("h", 3600, 86400), ("d", 86400, 14 * 86400)):
        if past < limit:
            return f"{int(past // seconds)}{unit} ago"
    return datetime.fromtimestamp(in_calendar(time)).astimezone().strftime("%Y-%m-%d")


def moment(time: float | None) -> str:
    """A point in time in the local zone, to the second."""
    if time is None:
        return ""
    return datetime.fromtimestamp(in_calendar(time)).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def size(count: float) -> str:
    """Bytes for people: ``912 B``, ``1.5 MB`` (powers of 1000)."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
