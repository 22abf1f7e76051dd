"""Who a token, a session or a share link speaks for."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import sqlalchemy as sa

from autolog.server import tables
from autolog.server.accounts import access
from autolog.server.accounts.access import Principal, Role, hashed, least
from autolog.server.watching.noting import note

__all__ = ["IDLE", "SHARE_PREFIX", "Credentials", "by_secret", "by_session", "identify"]

SHARE_PREFIX = "autolog_share_"
_SEEN_EVERY = 60.0
"""Seconds between two notes of when a session was seen: reading writes nothing more often."""
IDLE = 7 * 86400.0
"""Seconds after which a session that nobody uses ends."""


class Credentials(NamedTuple):
    """What a request has brought: one of both."""

    secret: str = ""
    """A token, or that of a share link."""
    session: str = ""
    """The cookie."""


class _Grant(NamedTuple):
    """What a token or session gives at most."""

    user: str
    admin: bool
    role: Role = "admin"
    project: str | None = None
    expires_at: float | None = None
    token: str | None = None


def identify(engine: sa.Engine, given: Credentials | None, project: str | None = None) -> Principal | None:
    """Who asks; ``None``: nobody, or somebody whose session has ended.

    Args:
        engine: the database.
        given: what the request has brought.
        project: the only one that matters; none: all.

    Raises:
        ApiError: 401: the token is not valid.
    """
    if given is None:
        return None
    who: Principal | None
    with engine.connect() as connection:
        if given.secret:
            who, due = by_secret(connection, given.secret, project), False
        else:
            who, due = by_session(connection, given.session, project)
    if who is not None:
        note(user=who.user)
    if who is not None and due:
        seen = sa.update(tables.sessions).where(tables.sessions.c.hash == who.session).values(seen_at=time.time())
        with engine.begin() as connection:
            connection.execute(seen)
    return who


def by_secret(connection: sa.Connection, secret: str, project: str | None = None) -> Principal:
    """Who a token or share link speaks for.

    Args:
        connection: to the database.
        secret: as the request brought it.
        project: the only one that matters; none: all.

    Raises:
        ApiError: 401: it is unknown, revoked or has expired, or its user is disabled.
    """
    if secret.startswith(SHARE_PREFIX):
        found = _share(connection, hashed(secret))
    else:
        grant = _token(connection, hashed(secret))
        found = _principal(connection, grant, project) if grant else None
    if found is None:
        raise access.unauthorized("this token is not known here, was revoked, or has expired")
    return found


def by_session(connection: sa.Connection, secret: str, project: str | None = None) -> tuple[Principal | None, bool]:
    """Who a session speaks for.

    Args:
        connection: to the database.
        secret: the cookie.
        project: the only one that matters; none: all.

    Returns:
        Who it is; ``None``: it has ended. And whether it is time to note that it was seen.
    """
    now, sessions = time.time(), tables.sessions.c
    valid = (sessions.hash == hashed(secret), sessions.expires_at > now, sessions.seen_at > now - IDLE)
    found = connection.execute(sa.select(tables.sessions).where(*valid)).one_or_none()
    if found is None:
        return None, False
    who: Principal | None
    if found.share_hash is not None:
        who = _share(connection, found.share_hash)
    else:
        grant = _token(connection, found.token_hash) if found.token_hash else _user(connection, found.user_name)
        who = _principal(connection, grant, project) if grant else None
    return who._replace(session=found.hash) if who else None, found.seen_at < now - _SEEN_EVERY


_TOKEN = (
    sa.select(tables.tokens, tables.users.c.admin)
    .join(tables.users, tables.users.c.name == tables.tokens.c.user_name)
    .where(
        tables.tokens.c.hash == sa.bindparam("digest"), tables.tokens.c.revoked_at.is_(None),
        tables.users.c.disabled.is_(False),
    )
)  # fmt: skip
"""Made once: it is asked with every request."""


def _token(connection: sa.Connection, digest: str) -> _Grant | None:
    found = connection.execute(_TOKEN, {"digest": digest}).one_or_none()
    if found is None or (found.expires_at is not None and found.expires_at < time.time()):
        return None
    return _Grant(found.user_name, found.admin, found.role, found.project, found.expires_at, found.id)


def _user(connection: sa.Connection, name: str) -> _Grant | None:
    mine = (tables.users.c.name == name, tables.users.c.disabled.is_(False))
    admin = connection.execute(sa.select(tables.users.c.admin).where(*mine)).scalar_one_or_none()
    return None if admin is None else _Grant(name, admin)


def _share(connection: sa.Connection, digest: str) -> Principal | None:
    valid = (tables.shares.c.hash == digest, tables.shares.c.revoked_at.is_(None))
    found = connection.execute(sa.select(tables.shares).where(*valid)).one_or_none()
    if found is None or (found.expires_at is not None and found.expires_at < time.time()):
        return None
    roles: dict[str, Role] = {} if found.run else {found.project: "reader"}
    share = access.Share(found.project, found.run)
    return Principal("", None, roles, creates=False, most="reader", ends_at=found.expires_at, share=share)


def _principal(connection: sa.Connection, grant: _Grant, project: str | None) -> Principal:
    everywhere = grant.role if grant.admin and grant.project is None else None
    roles: dict[str, Role] = {}
    if grant.admin and grant.project is not None:  # bound to one project, which need not exist yet
        roles = {grant.project: grant.role}
    elif not grant.admin and (project is None or grant.project in (None, project)):
        roles = _roles(connection, grant, project or grant.project)
    creates = grant.project is None and grant.role != "reader"
    return Principal(
        grant.user, everywhere, roles, creates, grant.role, grant.project, grant.token, grant.expires_at
    )  # fmt: skip


def _roles_of(*project: sa.BindParameter[str]) -> Any:
    """The roles that a user has as a member of projects and of their workspaces; of all projects, or of one."""
    direct, through, projects = tables.members.c, tables.workspace_members.c, tables.projects.c
    user: sa.BindParameter[str] = sa.bindparam("user")
    mine = sa.select(direct.project, direct.role).where(direct.user_name == user)
    shared = (
        sa.select(projects.project, through.role)
        .join(tables.workspace_members, through.workspace == projects.workspace)
        .where(through.user_name == user)
    )
    for one in project:
        mine, shared = mine.where(direct.project == one), shared.where(projects.project == one)
    return mine.union_all(shared)


_ALL_ROLES, _ONE_ROLE = _roles_of(), _roles_of(sa.bindparam("project"))


def _roles(connection: sa.Connection, grant: _Grant, project: str | None) -> dict[str, Role]:
    """The roles of a user: the stronger counts, up to the grant's."""
    asked = _ALL_ROLES if project is None else _ONE_ROLE
    values = {"user": grant.user} if project is None else {"user": grant.user, "project": project}
    roles: dict[str, Role] = {}
    for name, role in connection.execute(asked, values):
        if not access.suffices(roles.get(name), role):
            roles[name] = role
    return {name: least(role, grant.role) for name, role in roles.items()}
