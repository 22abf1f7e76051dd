"""Work that one of several servers does at a time: whoever holds its lease."""

from __future__ import annotations

import time

import sqlalchemy as sa

from autolog.server import tables

__all__ = ["hold", "let_go"]


def hold(engine: sa.Engine, name: str, holder: str, seconds: float) -> bool:
    """Take a lease, or keep it for longer.

    Args:
        engine: the database.
        name: which work.
        holder: who asks; unique to a process.
        seconds: for how long. Clocks of servers may differ by less than that.

    Returns:
        Whether it is theirs.
    """
    now, lease = time.time(), tables.leases.c
    values = {"holder": holder, "until": now + seconds}
    free = (lease.name == name) & ((lease.holder == holder) | (lease.until < now))
    with engine.begin() as connection:
        if connection.execute(sa.update(tables.leases).where(free).values(**values)).rowcount:
            return True
    try:
        with engine.begin() as connection:
            connection.execute(sa.insert(tables.leases).values(name=name, **values))
    except sa.exc.IntegrityError:  # somebody else's
        return False
    return True


def let_go(engine: sa.Engine, name: str, holder: str) -> None:
    """Give a lease back; harmless where it is another's."""
    mine = (tables.leases.c.name == name) & (tables.leases.c.holder == holder)
    with engine.begin() as connection:
        connection.execute(sa.delete(tables.leases).where(mine))
