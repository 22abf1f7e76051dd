"""Members of projects and workspaces: who they are, and that somebody is left who may change it."""

from __future__ import annotations

import sqlalchemy as sa

from autolog.server import tables
from autolog.server.accounts import auditing, users
from autolog.server.accounts.access import Role
from autolog.server.accounts.auditing import Origin
from autolog.server.accounts.rows import put
from autolog.server.accounts.shapes import Member
from autolog.server.errors import ApiError

__all__ = ["Circle", "has_admin", "join", "listed", "of_project", "of_workspace", "remove", "set_role"]


class Circle:
    """Those who have a role in one project, or in one workspace.

    Args:
        project: the project; empty: it is a workspace.
        workspace: the workspace.
    """

    def __init__(self, project: str = "", workspace: str = "") -> None:
        self.project = project
        self.name = project or workspace
        self.table = tables.members if project else tables.workspace_members
        self.key = "project" if project else "workspace"
        self.mine = self.table.c[self.key] == self.name


def of_project(project: str) -> Circle:
    """The members of a project."""
    return Circle(project=project)


def of_workspace(workspace: str) -> Circle:
    """The members of a workspace."""
    return Circle(workspace=workspace)


def listed(connection: sa.Connection, circle: Circle) -> list[Member]:
    """Members, by name."""
    select = sa.select(circle.table.c.user_name, circle.table.c.role).where(circle.mine)
    rows = connection.execute(select.order_by(circle.table.c.user_name))
    return [Member(user=name, role=role, workspace=None if circle.project else circle.name) for name, role in rows]


def join(connection: sa.Connection, origin: Origin, circle: Circle, name: str, role: Role) -> None:
    """Make a user a member, of a project too that has no admin yet but the server's."""
    put(connection, circle.table, **{circle.key: circle.name}, user_name=name, role=role)
    _note(connection, origin, circle, "member_set", name, role=role)


def set_role(connection: sa.Connection, origin: Origin, circle: Circle, name: str, role: Role) -> None:
    """Make a user a member, or change what they may do.

    Raises:
        ApiError: 404: there is no such user; 409: nobody would be left who may change it.
    """
    users.user(connection, name)
    _lock(connection, circle)
    had_admin = has_admin(connection, circle)
    join(connection, origin, circle, name, role)
    if had_admin:
        _check_admins(connection, circle)


def remove(connection: sa.Connection, origin: Origin, circle: Circle, name: str) -> None:
    """Take a member away.

    Raises:
        ApiError: 404: they are none; 409: nobody would be left who may change it.
    """
    _lock(connection, circle)
    had_admin = has_admin(connection, circle)
    if not connection.execute(sa.delete(circle.table).where(circle.mine, circle.table.c.user_name == name)).rowcount:
        raise ApiError(404, "not_found", f"{name[:80]!r} is no member of {circle.name!r} itself")
    if had_admin:
        _check_admins(connection, circle)
    _note(connection, origin, circle, "member_removed", name)


def _note(connection: sa.Connection, origin: Origin, circle: Circle, action: str, name: str, **details: str) -> None:
    where = {} if circle.project else {"workspace": circle.name}
    auditing.note(connection, origin, action, project=circle.project, subject=name, **where, **details)


def _lock(connection: sa.Connection, circle: Circle) -> None:
    """Two that are taken away at once do not count on each other."""
    connection.execute(sa.select(circle.table.c.role).where(circle.mine).with_for_update()).all()


def has_admin(connection: sa.Connection, circle: Circle) -> bool:
    """Whether one of the members is an admin, not counting those of a project's workspace."""
    admins = sa.select(circle.table.c.user_name).where(circle.mine, circle.table.c.role == "admin")
    return connection.execute(admins.limit(1)).first() is not None


def _check_admins(connection: sa.Connection, circle: Circle) -> None:
    if not has_admin(connection, circle) and not _has_workspace(connection, circle):
        raise ApiError(409, "last_admin", f"{circle.name!r} would be without an admin; make another member one first")


def _has_workspace(connection: sa.Connection, circle: Circle) -> bool:
    """Whether a project is in a workspace, whose admins are its."""
    of = sa.select(tables.projects.c.workspace).where(tables.projects.c.project == circle.project)
    return bool(circle.project) and connection.execute(of).scalar_one_or_none() is not None
