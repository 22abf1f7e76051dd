"""How often somebody may try to sign in: counted in the database, so that several servers count together.

An attempt is counted before it is looked at, so that many at once are many; one that succeeds is taken back. After some
that are free each takes twice as long as the one before, up to a bound that a person can wait: nobody is locked out.
"""

from __future__ import annotations

import hashlib
import math
import time
from typing import NamedTuple

import sqlalchemy as sa

from autolog.server import tables
from autolog.server.accounts.rows import insert_once
from autolog.server.errors import ApiError
from autolog.server.http import peers

__all__ = ["Subject", "attempt", "by_address", "by_user", "forgive"]

_FORGOTTEN = 3600.0
"""Seconds after which failures no longer count."""


class Subject(NamedTuple):
    """What attempts are counted of."""

    key: str
    free: int
    longest: float
    """Seconds to wait at most."""


def by_user(user: str) -> Subject:
    """Attempts to be a user, from wherever."""
    return Subject(_key("user", user), 5, 60.0)


def by_address(address: str) -> Subject:
    """Attempts from an address, as whomever: many people may sit behind one."""
    return Subject(_key("address", peers.network_of(address)), 20, 300.0)


def _key(kind: str, name: str) -> str:
    return hashlib.sha256(f"{kind} {name}".encode("utf-8", "surrogatepass")).hexdigest()


def attempt(engine: sa.Engine, *subjects: Subject) -> None:
    """Count an attempt.

    Raises:
        ApiError: 429, with ``Retry-After``: it comes too early, and was not counted.
    """
    now = time.time()
    with engine.begin() as connection:
        old = tables.throttle.c.seen_at < now - _FORGOTTEN
        connection.execute(sa.delete(tables.throttle).where(old))
        for subject in sorted(subjects):
            _count(connection, subject, now)


def _count(connection: sa.Connection, subject: Subject, now: float) -> None:
    row = tables.throttle.c
    insert_once(connection, tables.throttle, key=subject.key, failures=0, seen_at=now, until=0.0)
    mine = row.key == subject.key
    found = connection.execute(sa.select(row.failures, row.until).where(mine).with_for_update()).one()
    if now < found.until:
        wait = math.ceil(found.until - now)
        error = ApiError(429, "too_often", f"too many attempts; try again in {wait} seconds", seconds=wait)
        error.headers["Retry-After"] = str(wait)
        raise error
    over = found.failures + 1 - subject.free
    pause = min(subject.longest, 2.0 ** min(over, 30)) if over > 0 else 0.0
    counted = sa.update(tables.throttle).where(mine)
    connection.execute(counted.values(failures=found.failures + 1, seen_at=now, until=now + pause))


def forgive(connection: sa.Connection, *, user: Subject | None, address: Subject | None = None) -> None:
    """An attempt has succeeded: the user's failures are forgotten, and of the address it is no longer one."""
    row = tables.throttle.c
    if user is not None:
        connection.execute(sa.delete(tables.throttle).where(row.key == user.key))
    if address is not None:
        taken_back = sa.update(tables.throttle).where(row.key == address.key, row.failures > 0)
        connection.execute(taken_back.values(failures=row.failures - 1, until=0.0))
