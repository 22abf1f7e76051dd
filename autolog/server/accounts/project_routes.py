"""Routes of a project itself: what it is, whether it is public, its members."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from autolog.server import names, tables
from autolog.server.accounts import access, auditing, membership, workspaces
from autolog.server.accounts.access import Principal
from autolog.server.accounts.auditing import Origin, origin_of
from autolog.server.accounts.shapes import Done, Member, MemberList, MemberRole, ProjectChange, ProjectInfo
from autolog.server.addressing import administered_project, readable_project, readable_runs
from autolog.server.http.endpoint import Endpoint, answer, decoded
from autolog.server.http.requests import asking, in_thread

__all__ = ["ENDPOINTS", "change", "info", "members", "remove_member", "set_member"]


async def info(request: Request) -> Response:
    """A project; whoever is no member is not told its workspace."""
    service, project, _ = await readable_runs(request)
    return answer(await in_thread(_info, service.engine, project, await asking(request)))


def _info(engine: sa.Engine, project: str, who: Principal | None) -> ProjectInfo:
    with engine.connect() as connection:
        found = connection.execute(sa.select(tables.projects).where(tables.projects.c.project == project)).one_or_none()
    if found is None:
        raise access.absent(project)
    role = who.role(project) if who else None
    return ProjectInfo(
        project=project, public=found.public, role=role, created_at=found.created_at,
        workspace=found.workspace if who and who.user and role else None,
    )  # fmt: skip


async def change(request: Request) -> Response:
    """Publish a project or take that back; move it into a workspace, of which one must be an admin too."""
    service, project, who = await administered_project(request)
    given = await decoded(request, ProjectChange)
    origin = origin_of(request, who)

    def done() -> None:
        with service.engine.begin() as connection:
            if given.public is not None:
                _publish(connection, origin, project, public=given.public)
            if given.workspace is not msgspec.UNSET:
                workspaces.move(connection, origin, project, given.workspace, who)

    await in_thread(done)
    return answer(await in_thread(_info, service.engine, project, await asking(request)))


def _publish(connection: sa.Connection, origin: Origin, project: str, *, public: bool) -> None:
    mine = (tables.projects.c.project == project, tables.projects.c.public.is_not(public))
    if connection.execute(sa.update(tables.projects).where(*mine).values(public=public)).rowcount:
        action = "project_published" if public else "project_made_private"
        auditing.note(connection, origin, action, project=project, subject=project)


async def members(request: Request) -> Response:
    """The members of a project, and those of its workspace; for its members."""
    service, project = await readable_project(request)
    access.require(access.person(await asking(request)), project, "reader")

    def listed() -> list[Member]:
        of = sa.select(tables.projects.c.workspace).where(tables.projects.c.project == project)
        with service.engine.connect() as connection:
            found = membership.listed(connection, membership.of_project(project))
            workspace = connection.execute(of).scalar_one_or_none()
            if workspace is not None:
                found += membership.listed(connection, membership.of_workspace(workspace))
            return found

    return answer(MemberList(members=await in_thread(listed)))


async def set_member(request: Request) -> Response:
    service, project, who = await administered_project(request)
    given, name = await decoded(request, MemberRole), names.check_user(request.path_params["user"])
    origin, circle = origin_of(request, who), membership.of_project(project)

    def done() -> None:
        with service.engine.begin() as connection:
            membership.set_role(connection, origin, circle, name, given.role)

    await in_thread(done)
    return answer(Done())


async def remove_member(request: Request) -> Response:
    service, project, who = await administered_project(request)
    name, origin = names.check_user(request.path_params["user"]), origin_of(request, who)

    def done() -> None:
        with service.engine.begin() as connection:
            membership.remove(connection, origin, membership.of_project(project), name)

    await in_thread(done)
    return answer(Done())


_PROJECT = "/api/v1/projects/{project}"
_BODY = (400, 413, 415, 422)
ENDPOINTS = [
    Endpoint("GET", _PROJECT, info, "A project, and one's own role in it.", gives=ProjectInfo, errors=(422,)),
    Endpoint(
        "PATCH", _PROJECT, change, "Make a project public or private; move it into a workspace.", takes=ProjectChange,
        gives=ProjectInfo, errors=_BODY,
    ),
    Endpoint("GET", f"{_PROJECT}/members", members, "Who may do what.", gives=MemberList, errors=(422,)),
    Endpoint(
        "PUT", f"{_PROJECT}/members/{{user}}", set_member, "Make a user a member, or change their role.",
        takes=MemberRole, gives=Done, errors=(*_BODY, 409),
    ),
    Endpoint(
        "DELETE", f"{_PROJECT}/members/{{user}}", remove_member, "Take a member away.", gives=Done, errors=(409, 422)
    ),
]  # fmt: skip
