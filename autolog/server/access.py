"""Who is asking, and what they may do: tokens, stored hashed; roles, per project."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Literal, NamedTuple, TypeAlias

import sqlalchemy as sa

from autolog.server import tables
from autolog.server.errors import ApiError

__all__ = ["ROLES", "Principal", "Role", "hashed", "issue_token", "known", "principal", "require", "revoke_token"]

Role: TypeAlias = Literal["reader", "writer", "admin"]
ROLES: tuple[Role, ...] = ("reader", "writer", "admin")
"""Each may do what those before it may."""
_PREFIX = "autolog_"
"""So that a token is known as one where it should not be: secret scanners look for it, and so does our redaction."""


class Principal(NamedTuple):
    """Who asks."""

    user: str
    everywhere: Role | None
    """What they may do in every project: only users who are admins of the server have it."""
    roles: dict[str, Role]
    """By project; those of a token are within those of its user."""
    creates: bool
    """Whether they may begin projects of their own."""

    def role(self, project: str) -> Role | None:
        """What they may do in a project."""
        return self.everywhere or self.roles.get(project)

    @property
    def admin(self) -> bool:
        """Whether they may do everything, users included."""
        return self.everywhere == "admin"


def hashed(secret: str) -> str:
    """What is stored of a token or session: it holds 256 random bits, so a plain hash gives nothing away."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def issue_token(
    connection: sa.Connection, user: str, role: Role, *, project: str | None = None, label: str = "",
    days: float | None = None,
) -> str:  # fmt: skip
    """Make a token.

    Args:
        connection: in a transaction.
        user: whose it is.
        role: the most it may do.
        project: the only project it is for; none: all of the user's.
        label: what it is for, in words.
        days: until it expires; none: never.

    Returns:
        The token. It is shown once: only its hash is kept.
    """
    token = _PREFIX + secrets.token_urlsafe(32)
    now = time.time()
    values = {
        "hash": hashed(token), "id": secrets.token_hex(4), "user_name": user, "label": label, "role": role,
        "project": project, "created_at": now, "expires_at": None if days is None else now + 86400 * days,
    }  # fmt: skip
    connection.execute(sa.insert(tables.tokens).values(**values))
    return token


def revoke_token(connection: sa.Connection, token_id: str) -> bool:
    """End a token by its id; whether there was one that was valid."""
    ended = sa.update(tables.tokens).where(tables.tokens.c.id == token_id, tables.tokens.c.revoked_at.is_(None))
    return connection.execute(ended.values(revoked_at=time.time())).rowcount > 0


def principal(connection: sa.Connection, token: str) -> Principal:
    """Who a token speaks for.

    Raises:
        ApiError: 401: it is unknown, revoked or has expired, or its user is disabled.
    """
    found = connection.execute(
        sa.select(tables.tokens, tables.users.c.admin)
        .join(tables.users, tables.users.c.name == tables.tokens.c.user_name)
        .where(tables.tokens.c.hash == hashed(token), tables.users.c.disabled.is_(False))
    ).one_or_none()
    if found is None or found.revoked_at is not None:
        raise _unauthorized("this token is not known here, or was revoked")
    if found.expires_at is not None and found.expires_at < time.time():
        raise _unauthorized("this token has expired")
    everywhere = found.role if found.admin and found.project is None else None
    creates = found.project is None and found.role != "reader"
    return Principal(found.user_name, everywhere, {} if everywhere else _roles(connection, found), creates)


def _roles(connection: sa.Connection, token: sa.Row[tuple[object, ...]]) -> dict[str, Role]:
    """The roles of the token's user, none above that of the token."""
    if token.admin:  # bound to one project, which need not exist yet
        return {token.project: token.role}
    select = sa.select(tables.members.c.project, tables.members.c.role)
    mine = connection.execute(select.where(tables.members.c.user_name == token.user_name)).tuples()
    most = ROLES.index(token.role)
    wanted = (token.project,) if token.project is not None else None
    return {
        project: ROLES[min(most, ROLES.index(role))] for project, role in mine if wanted is None or project in wanted
    }


def _unauthorized(message: str) -> ApiError:
    error = ApiError(401, "unauthorized", f"{message}; `autolog login URL` stores one")
    error.headers["WWW-Authenticate"] = "Bearer"
    return error


def known(who: Principal | None) -> Principal:
    """Let only those through that have said who they are.

    Raises:
        ApiError: 401.
    """
    if who is None:
        raise _unauthorized("this needs a token: send it as `Authorization: Bearer …`")
    return who


def require(who: Principal | None, project: str, role: Role) -> Principal:
    """Let only those through that may do it.

    Raises:
        ApiError: 401 without a token; 404 for a project they may not even see; 403 where their role is too low.
    """
    who = known(who)
    own = who.role(project)
    if own is None:
        raise ApiError(404, "not_found", f"there is no project {project!r} here, or you are no member of it")
    if ROLES.index(own) < ROLES.index(role):
        raise ApiError(403, "forbidden", f"this needs the role {role} in {project!r}; yours is {own}")
    return who
