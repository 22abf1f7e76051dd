"""The audit log: who did what, when, from where. An entry is written in the transaction of what it tells.

Names and ids are told, never a secret. What somebody typed for a user's name is told only if there is such a user: it
may have been a password in the wrong field.
"""

from __future__ import annotations

import secrets
import time
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from starlette.requests import Request

from autolog.server import tables
from autolog.server.accounts.access import Principal
from autolog.server.accounts.shapes import AuditEntry, AuditPage
from autolog.server.http import peers

__all__ = ["COMMAND_LINE", "Origin", "note", "origin_of", "page"]


class Origin(NamedTuple):
    """Who does something, and from where."""

    user: str
    address: str
    token: str = ""
    """The id of the token, if one was used."""


COMMAND_LINE = Origin("", "command line")
"""Somebody at the server's own machine."""


def origin_of(request: Request, who: Principal | None) -> Origin:
    """Who asks, and from which address."""
    return Origin(who.user if who else "", peers.address_of(request), (who.token or "") if who else "")


def note(
    connection: sa.Connection, origin: Origin, action: str, *, project: str = "", subject: str = "", **details: Any
) -> None:
    """Write an entry.

    Args:
        connection: in the transaction of what is told.
        origin: who did it.
        action: one word, such as ``run_deleted``.
        project: the project it is about, whose admins may read it; empty: for the server's admins only.
        subject: what it was done to: a user, a run's id, the id of a token.
        **details: plain values that say more; never a secret.
    """
    if origin.token:
        details["token"] = origin.token
    now = time.time_ns()
    values = {
        "project": project, "id": f"{now:020d}{secrets.token_hex(4)}", "time": now / 1e9, "user_name": origin.user,
        "address": origin.address, "action": action, "subject": subject,
        "details": msgspec.json.encode(details).decode(),
    }  # fmt: skip
    connection.execute(sa.insert(tables.audit).values(**values))


def page(connection: sa.Connection, project: str | None, *, limit: int, cursor: str = "") -> AuditPage:
    """Entries, newest first.

    Args:
        connection: to the database.
        project: of which; none: of the whole server.
        limit: at most so many.
        cursor: of the page before.
    """
    audit = tables.audit.c
    select = sa.select(tables.audit).order_by(audit.id.desc()).limit(limit + 1)
    if project is not None:
        select = select.where(audit.project == project)
    if cursor:
        select = select.where(audit.id < cursor)
    rows = connection.execute(select).all()
    entries = [
        AuditEntry(
            time=row.time, user=row.user_name, address=row.address, action=row.action, project=row.project or None,
            subject=row.subject, details=msgspec.json.decode(row.details),
        )
        for row in rows[:limit]
    ]  # fmt: skip
    return AuditPage(entries=entries, cursor=rows[limit - 1].id if len(rows) > limit else None)
