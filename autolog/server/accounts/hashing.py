"""Hashing passwords beside the event loop, a few at a time: each takes 64 MiB and a core for tens of milliseconds."""

from __future__ import annotations

import anyio
import anyio.to_thread

from autolog.server.accounts import passwords

__all__ = ["hash_of", "is_right"]

_AT_ONCE = anyio.CapacityLimiter(2)


async def is_right(stored: str | None, password: str) -> bool:
    """As :func:`autolog.server.accounts.passwords.is_right`, in turn with others."""
    return await anyio.to_thread.run_sync(passwords.is_right, stored, password, limiter=_AT_ONCE)


async def hash_of(password: str) -> str:
    """As :func:`autolog.server.accounts.passwords.make`, in turn with others."""
    return await anyio.to_thread.run_sync(passwords.make, password, limiter=_AT_ONCE)
