"""What those who ask may do: roles, per project; and the tokens that speak for users."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Literal, NamedTuple, TypeAlias

import sqlalchemy as sa

from autolog.server import tables
from autolog.server.errors import ApiError

__all__ = [
    "ROLES", "Principal", "Role", "Share", "absent", "administrator", "hashed", "issue_token", "known", "least",
    "person", "require", "revoke_token", "suffices", "unauthorized",
]  # fmt: skip

Role: TypeAlias = Literal["reader", "writer", "admin"]
ROLES: tuple[Role, ...] = ("reader", "writer", "admin")
"""Each may do what those before it may."""
_PREFIX = "autolog_"
"""So that a token is known as one where it should not be: secret scanners look for it, and so does our redaction."""


class Share(NamedTuple):
    """What a share link shows."""

    project: str
    run: str | None
    """The only run; none: all of the project."""


class Principal(NamedTuple):
    """Who asks."""

    user: str
    """Empty for whoever has a share link."""
    everywhere: Role | None
    """What they may do in every project: only users who are admins of the server have it."""
    roles: dict[str, Role]
    """By project; those of a token are within those of its user. Only of the project that a request names, if any."""
    creates: bool
    """Whether they may begin projects of their own."""
    most: Role = "admin"
    """The most that the token they have sent may do."""
    only: str | None = None
    """The only project that this token is for."""
    token: str | None = None
    """The id of the token."""
    ends_at: float | None = None
    """When the token ends."""
    share: Share | None = None
    session: str = ""
    """The hash of the session, where the request came with one."""

    def role(self, project: str) -> Role | None:
        """What they may do in a project. With a share link of one run: nothing; that is told by ``share``."""
        return self.everywhere or self.roles.get(project)

    @property
    def admin(self) -> bool:
        """Whether they may do everything, users included."""
        return self.everywhere == "admin"


def suffices(role: Role | None, needed: Role) -> bool:
    """Whether a role is enough for what needs ``needed``."""
    return role is not None and ROLES.index(role) >= ROLES.index(needed)


def least(first: Role, second: Role) -> Role:
    """The weaker of two roles."""
    return ROLES[min(ROLES.index(first), ROLES.index(second))]


def hashed(secret: str) -> str:
    """What is stored of a token or session: it holds 256 random bits, so a plain hash gives nothing away."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def issue_token(
    connection: sa.Connection, user: str, role: Role, *, project: str | None = None, label: str = "",
    days: float | None = None, made_by: str | None = None,
) -> str:  # fmt: skip
    """Make a token.

    Args:
        connection: in a transaction.
        user: whose it is.
        role: the most it may do.
        project: the only project it is for; none: all of the user's.
        label: what it is for, in words.
        days: until it expires; none: never.
        made_by: the id of the token it is made with, if it is.

    Returns:
        The token. It is shown once: only its hash is kept.
    """
    token = _PREFIX + secrets.token_urlsafe(32)
    now = time.time()
    values = {
        "hash": hashed(token), "id": secrets.token_hex(4), "user_name": user, "label": label, "role": role,
        "project": project, "created_at": now, "expires_at": None if days is None else now + 86400 * days,
        "made_by": made_by,
    }  # fmt: skip
    connection.execute(sa.insert(tables.tokens).values(**values))
    return token


def revoke_token(connection: sa.Connection, token_id: str) -> bool:
    """End a token by its id, and those that were made with it; whether there was one that was valid."""
    tokens, ending, ended = tables.tokens.c, [token_id], False
    while ending:
        valid = sa.and_(tokens.id.in_(ending), tokens.revoked_at.is_(None))
        ended = connection.execute(sa.update(tables.tokens).where(valid).values(revoked_at=time.time())).rowcount > 0
        made = sa.select(tokens.id).where(tokens.made_by.in_(ending), tokens.revoked_at.is_(None))
        ending = list(connection.execute(made).scalars())
    return ended


def unauthorized(message: str) -> ApiError:
    """Nobody, or nobody who is known."""
    error = ApiError(401, "unauthorized", f"{message}; `autolog login URL` stores one")
    error.headers["WWW-Authenticate"] = "Bearer"
    return error


def absent(project: str) -> ApiError:
    """A project that is not there, or that one may not see: the answer does not tell which."""
    return ApiError(404, "not_found", f"there is no project {project!r} here, or you are no member of it")


def known(who: Principal | None) -> Principal:
    """Let only those through that have said who they are.

    Raises:
        ApiError: 401.
    """
    if who is None:
        raise unauthorized("this needs a token: send it as `Authorization: Bearer …`")
    return who


def person(who: Principal | None) -> Principal:
    """Let only users through, not those with a share link.

    Raises:
        ApiError: 401 without a token, 404 with a share link.
    """
    who = known(who)
    if not who.user:
        raise ApiError(404, "not_found", "a share link shows what was shared, and nothing else")
    return who


def administrator(who: Principal | None) -> Principal:
    """Let only admins of the server through, with a token or session that may do all they may.

    Raises:
        ApiError: 401 without a token, 403 or 404 for others.
    """
    who = person(who)
    if not who.admin:
        raise ApiError(403, "forbidden", "this needs an admin of the server")
    return who


def require(who: Principal | None, project: str, role: Role) -> Principal:
    """Let only those through that may do it.

    Raises:
        ApiError: 401 without a token; 404 for a project they may not even see; 403 where their role is too low.
    """
    who = known(who)
    own = who.role(project)
    if own is None:
        raise absent(project)
    if not suffices(own, role):
        raise ApiError(403, "forbidden", f"this needs the role {role} in {project!r}; yours is {own}")
    return who
