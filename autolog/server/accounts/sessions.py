"""Sessions of browsers: a random cookie, stored hashed, that ends by itself and can be ended at once."""

from __future__ import annotations

import hashlib
import secrets
import time

import sqlalchemy as sa

from autolog.server import tables
from autolog.server.accounts.access import hashed

__all__ = ["COOKIE", "LONGEST", "begin", "csrf_of", "end", "end_all"]

COOKIE = "autolog_session"
LONGEST = 30 * 86400
"""Seconds after which a session ends, used or not."""


def csrf_of(secret: str) -> str:
    """What a page of ours knows of its session, and a page of somebody else's does not; it does not give the cookie."""
    return hashlib.sha256(f"csrf {secret}".encode("utf-8", "surrogateescape")).hexdigest()


def begin(
    connection: sa.Connection, *, user: str | None = None, token: str | None = None, share: str | None = None
) -> tuple[str, float]:
    """Begin a session.

    Args:
        connection: in a transaction.
        user: whose it is.
        token: the hash of the token it was begun with: it ends with it.
        share: the hash of the share link it was begun with: it ends with it.

    Returns:
        The cookie, of which only the hash is kept; and when it ends.
    """
    now, secret = time.time(), secrets.token_urlsafe(32)
    connection.execute(sa.delete(tables.sessions).where(tables.sessions.c.expires_at < now))
    values = {
        "hash": hashed(secret), "user_name": user, "token_hash": token, "share_hash": share, "created_at": now,
        "seen_at": now, "expires_at": now + LONGEST,
    }  # fmt: skip
    connection.execute(sa.insert(tables.sessions).values(**values))
    return secret, now + LONGEST


def end(connection: sa.Connection, secret: str) -> bool:
    """End a session; whether there was one."""
    mine = tables.sessions.c.hash == hashed(secret)
    return connection.execute(sa.delete(tables.sessions).where(mine)).rowcount > 0


def end_all(connection: sa.Connection, user: str, *, but: str = "") -> None:
    """End a user's sessions, but for the one with this hash."""
    mine = (tables.sessions.c.user_name == user, tables.sessions.c.hash != but)
    connection.execute(sa.delete(tables.sessions).where(*mine))
