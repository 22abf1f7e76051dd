"""What the log is to tell of a request, beside what everybody sees of it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

__all__ = ["collect", "note"]

_facts: ContextVar[dict[str, Any]] = ContextVar("facts")
"""Those of the request that this code works for; threads that work for a request share it."""


def collect() -> dict[str, Any]:
    """Begin to collect for a request: what is noted from now on, in this task and what it calls, comes into here."""
    facts: dict[str, Any] = {}
    _facts.set(facts)
    return facts


def note(**facts: Any) -> None:
    """The log shall tell these of the request: ``user``, the ``code`` of an error. Never what is secret."""
    known = _facts.get(None)
    if known is not None:
        known.update(facts)
