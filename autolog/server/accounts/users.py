"""Users: who there is, what becomes of them, and the one-time links by which they set a password."""

from __future__ import annotations

import secrets
import time
from typing import Any

import sqlalchemy as sa

from autolog.server import names, tables
from autolog.server.accounts import auditing, sessions, throttling
from autolog.server.accounts.access import hashed
from autolog.server.accounts.auditing import Origin
from autolog.server.accounts.rows import insert_once, put
from autolog.server.accounts.shapes import Invitation, UserChange, UserItem
from autolog.server.errors import ApiError

__all__ = ["add", "change", "invite", "invited", "listed", "redeem", "set_password", "user"]

_PREFIX = "autolog_invitation_"
_INVITED_FOR = 7 * 86400.0
_USERS = tables.users.c


def listed(connection: sa.Connection) -> list[UserItem]:
    """All users, by name."""
    return [_item(row) for row in connection.execute(sa.select(tables.users).order_by(_USERS.name)).mappings()]


def user(connection: sa.Connection, name: str) -> UserItem:
    """One user.

    Raises:
        ApiError: 404: there is none of that name.
    """
    found = connection.execute(sa.select(tables.users).where(_USERS.name == name)).mappings().one_or_none()
    if found is None:
        raise _absent(name)
    return _item(found)


def _item(row: sa.RowMapping) -> UserItem:
    return UserItem(
        name=row["name"], admin=row["admin"], disabled=row["disabled"], password=row["password"] is not None,
        created_at=row["created_at"],
    )  # fmt: skip


def _absent(name: str) -> ApiError:
    return ApiError(404, "not_found", f"there is no user {name[:80]!r}")


def add(connection: sa.Connection, origin: Origin, name: str, *, admin: bool = False) -> None:
    """Make a user, who can do nothing yet.

    Raises:
        ApiError: 409: there is one; 422: it cannot be a name.
    """
    names.check_user(name)
    if not insert_once(connection, tables.users, name=name, admin=admin, created_at=time.time(), disabled=False):
        raise ApiError(409, "exists", f"there is a user {name!r} already")
    auditing.note(connection, origin, "user_made", subject=name, admin=admin)


def change(connection: sa.Connection, origin: Origin, name: str, wanted: UserChange) -> UserItem:
    """Make a user an admin of the server or none; disable them, which ends their tokens and sessions; enable them.

    Raises:
        ApiError: 404: there is no such user; 409: the server would be without an admin.
    """
    admins = sa.select(_USERS.name).where(_USERS.admin, _USERS.disabled.is_(False))
    connection.execute(admins.with_for_update()).all()  # two that are taken away at once do not count on each other
    told = {"admin": wanted.admin, "disabled": wanted.disabled}
    changes: dict[str, Any] = {each: value for each, value in told.items() if value is not None}
    if changes:
        done = connection.execute(sa.update(tables.users).where(_USERS.name == name).values(**changes))
        if not done.rowcount:
            raise _absent(name)
        if connection.execute(admins).first() is None:
            raise ApiError(409, "last_admin", f"{name!r} is the last admin of the server; make another one first")
        auditing.note(connection, origin, "user_changed", subject=name, **changes)
    if wanted.disabled:
        _end(connection, name)
    return user(connection, name)


def _end(connection: sa.Connection, name: str) -> None:
    """Whatever speaks for a user ends."""
    sessions.end_all(connection, name)
    tokens = tables.tokens.c
    valid = (tokens.user_name == name, tokens.revoked_at.is_(None))
    connection.execute(sa.update(tables.tokens).where(*valid).values(revoked_at=time.time()))
    connection.execute(sa.delete(tables.invitations).where(tables.invitations.c.user_name == name))


def set_password(connection: sa.Connection, origin: Origin, name: str, stored: str, *, but: str = "") -> None:
    """Give a user a password; their sessions end.

    Args:
        connection: in a transaction.
        origin: who does it.
        name: the user, who is there.
        stored: the password's hash.
        but: the hash of a session that goes on.
    """
    connection.execute(sa.update(tables.users).where(_USERS.name == name).values(password=stored))
    sessions.end_all(connection, name, but=but)
    throttling.forgive(connection, user=throttling.by_user(name))
    auditing.note(connection, origin, "password_set", subject=name)


def invite(connection: sa.Connection, origin: Origin, name: str) -> Invitation:
    """Make what lets somebody set a user's password, once. It takes the place of one made before.

    Raises:
        ApiError: 404: there is no such user; 409: they are disabled.
    """
    if user(connection, name).disabled:
        raise ApiError(409, "disabled", f"the user {name!r} is disabled")
    secret, now = _PREFIX + secrets.token_urlsafe(32), time.time()
    ends_at = now + _INVITED_FOR
    put(connection, tables.invitations, user_name=name, hash=hashed(secret), created_at=now, expires_at=ends_at)
    auditing.note(connection, origin, "invitation_made", subject=name)
    return Invitation(user=name, secret=secret, expires_at=ends_at)


def invited(connection: sa.Connection, secret: str) -> str:
    """Whom an invitation is for.

    Raises:
        ApiError: 404: it is not known, was used, or has expired.
    """
    invitations = tables.invitations.c
    valid = (invitations.hash == hashed(secret), invitations.expires_at > time.time())
    name = connection.execute(sa.select(invitations.user_name).where(*valid)).scalar_one_or_none()
    if name is None:
        raise _unknown_invitation()
    return str(name)


def redeem(connection: sa.Connection, address: str, secret: str, stored: str) -> str:
    """Use an invitation up: its user has this password now.

    Returns:
        The user.

    Raises:
        ApiError: 404: it is not known, was used, or has expired.
    """
    name = invited(connection, secret)
    used = sa.delete(tables.invitations).where(tables.invitations.c.hash == hashed(secret))
    if not connection.execute(used).rowcount:  # by somebody else in this very moment
        raise _unknown_invitation()
    set_password(connection, Origin(name, address), name, stored)
    return name


def _unknown_invitation() -> ApiError:
    return ApiError(404, "not_found", "this invitation is not known, was used, or has expired; ask for another one")
