"""Workspaces: projects whose members they have in common."""

from __future__ import annotations

import time

import sqlalchemy as sa

from autolog.server import names, tables
from autolog.server.accounts import access, auditing, membership
from autolog.server.accounts.access import Principal, Role
from autolog.server.accounts.auditing import Origin
from autolog.server.accounts.rows import insert_once
from autolog.server.accounts.shapes import WorkspaceInfo, WorkspaceItem
from autolog.server.errors import ApiError

__all__ = ["create", "info", "listed", "move", "remove", "require", "role_in"]

_MEMBERS = tables.workspace_members.c
_PROJECTS = tables.projects.c


def role_in(connection: sa.Connection, who: Principal, workspace: str) -> Role | None:
    """What somebody may do in all projects of a workspace; with a token of one project: nothing."""
    if who.only is not None or not who.user:
        return None
    if who.everywhere is not None:
        there = sa.select(tables.workspaces.c.name).where(tables.workspaces.c.name == workspace)
        return who.everywhere if connection.execute(there).first() is not None else None
    own = sa.select(_MEMBERS.role).where(_MEMBERS.workspace == workspace, _MEMBERS.user_name == who.user)
    role = connection.execute(own).scalar_one_or_none()
    return None if role is None else access.least(role, who.most)


def require(connection: sa.Connection, who: Principal, workspace: str, role: Role) -> Role:
    """Let only those through that may do it; what they may do.

    Raises:
        ApiError: 404: it is not there, or not for them; 403: their role is too low.
    """
    own = role_in(connection, who, workspace)
    if own is None:
        raise ApiError(404, "not_found", f"there is no workspace {workspace[:80]!r}, or you are no member of it")
    if not access.suffices(own, role):
        raise ApiError(403, "forbidden", f"this needs the role {role} in the workspace; yours is {own}")
    return own


def listed(connection: sa.Connection, who: Principal) -> list[WorkspaceItem]:
    """The workspaces that somebody is a member of; for an admin of the server: all."""
    if who.only is not None:
        return []
    if who.everywhere is not None:
        every = connection.execute(sa.select(tables.workspaces.c.name).order_by(tables.workspaces.c.name)).scalars()
        return [WorkspaceItem(name=name, role=who.everywhere) for name in every]
    own = sa.select(_MEMBERS.workspace, _MEMBERS.role).where(_MEMBERS.user_name == who.user)
    rows = connection.execute(own.order_by(_MEMBERS.workspace))
    return [WorkspaceItem(name=name, role=access.least(role, who.most)) for name, role in rows]


def create(connection: sa.Connection, origin: Origin, name: str, who: Principal) -> None:
    """Make a workspace; who makes it is its admin.

    Raises:
        ApiError: 403: they may not begin anything; 409: there is one of that name; 422: it cannot be a name.
    """
    names.check_workspace(name)
    if not who.creates or who.most != "admin":
        raise ApiError(403, "forbidden", "this needs a session, or a token of the role admin for all projects")
    if not insert_once(connection, tables.workspaces, name=name, created_at=time.time()):
        raise ApiError(409, "exists", f"there is a workspace {name!r} already")
    insert_once(connection, tables.workspace_members, workspace=name, user_name=who.user, role="admin")
    auditing.note(connection, origin, "workspace_made", subject=name)


def info(connection: sa.Connection, name: str, who: Principal) -> WorkspaceInfo:
    """A workspace, for its members.

    Raises:
        ApiError: 404.
    """
    role = require(connection, who, name, "reader")
    of = sa.select(_PROJECTS.project).where(_PROJECTS.workspace == name).order_by(_PROJECTS.project)
    return WorkspaceInfo(name=name, role=role, projects=list(connection.execute(of).scalars()))


def remove(connection: sa.Connection, origin: Origin, name: str, who: Principal) -> None:
    """Take an empty workspace away.

    Raises:
        ApiError: 403 or 404: they are no admin of it; 409: it has projects.
    """
    require(connection, who, name, "admin")
    within = sa.exists().where(_PROJECTS.workspace == name)
    if not connection.execute(sa.delete(tables.workspaces).where(tables.workspaces.c.name == name, ~within)).rowcount:
        raise ApiError(409, "not_empty", f"the workspace {name!r} has projects; move them out first")
    connection.execute(sa.delete(tables.workspace_members).where(_MEMBERS.workspace == name))
    auditing.note(connection, origin, "workspace_removed", subject=name)


def move(connection: sa.Connection, origin: Origin, project: str, workspace: str | None, who: Principal) -> None:
    """Move a project into a workspace, or out of every one; whoever does it is an admin of the project.

    Raises:
        ApiError: 403 or 404: they are no admin of the workspace.
    """
    if workspace is not None:
        require(connection, who, names.check_workspace(workspace), "admin")
        there = sa.select(tables.workspaces.c.name).where(tables.workspaces.c.name == workspace)
        connection.execute(there.with_for_update()).one()  # it is not taken away meanwhile
    connection.execute(sa.update(tables.projects).where(_PROJECTS.project == project).values(workspace=workspace))
    if not membership.has_admin(connection, membership.of_project(project)):
        # They were its admin by the workspace it was in: nobody else would be left.
        membership.set_role(connection, origin, membership.of_project(project), who.user, "admin")
    auditing.note(connection, origin, "project_moved", project=project, subject=project, workspace=workspace)
