"""The words of the query language that stand for times, durations and fields of a run."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DURATIONS", "RUN_FIELDS", "STATUSES", "TIMES", "duration_seconds", "nearest", "time_seconds"]

RUN_FIELDS = {
    **{
        name: name
        for name in ("id", "name", "project", "status", "parent", "note", "tags", "age", "duration", "archived")
    },
    "started_at": "started_at",
    "started": "started_at",
    "ended_at": "ended_at",
    "ended": "ended_at",
    "took": "duration",
}
"""What can be asked of a run itself, and the field it means."""
TIMES = ("started_at", "ended_at")
DURATIONS = ("age", "duration")
STATUSES = ("running", "completed", "failed", "interrupted", "killed", "lost")

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])")


def time_seconds(text: str) -> float:
    """``2026-11-01``, ``2026-11-01 08:30``, ``2026-11-01T08:30:00+01:00`` → seconds; UTC where no zone is given.

    Raises:
        ValueError: it is no such text; the message shows one.
    """
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise ValueError(f"{text!r} is no time; write '2026-11-01' or '2026-11-01 08:30' (UTC)") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def duration_seconds(text: str) -> float:
    """``90s``, ``2h``, ``1h30m``, ``7d``, ``2w`` → seconds.

    Raises:
        ValueError: it is no such text; the message shows one.
    """
    found = _DURATION.findall(text)
    if not found or _DURATION.sub("", text).strip():
        raise ValueError(f"{text!r} is no duration; write '90s', '30m', '2h', '7d' or '2w'")
    return sum(float(number) * _UNITS[unit] for number, unit in found)


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'status'?``, or nothing where no word is near."""
    import difflib

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
