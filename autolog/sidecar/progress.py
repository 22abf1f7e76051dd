"""``delivery.json``: how far each backend has got with a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FILE", "State", "states"]

FILE = "delivery.json"


class State(msgspec.Struct):
    """How far one backend has got."""

    journals: dict[str, int] = {}
    """Acknowledged bytes by journal."""
    error: str = ""
    """Why the last try failed; empty when it did not."""
    done: bool = False
    """The run has ended and everything was acknowledged."""


def states(directory: Path) -> dict[str, State]:
    """What ``delivery.json`` of a run says, by backend; empty where it is missing or damaged (then all is resent)."""
    try:
        return msgspec.json.decode((directory / FILE).read_bytes(), type=dict[str, State])
    except (OSError, msgspec.DecodeError):
        return {}
