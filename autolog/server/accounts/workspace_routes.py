"""Routes of workspaces and their members."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from autolog.server import names
from autolog.server.accounts import access, membership, workspaces
from autolog.server.accounts.access import Principal
from autolog.server.accounts.auditing import origin_of
from autolog.server.accounts.shapes import (
    Done,
    Member,
    MemberList,
    MemberRole,
    NewWorkspace,
    WorkspaceInfo,
    WorkspaceItem,
    WorkspaceList,
)  # fmt: skip
from autolog.server.http.endpoint import Endpoint, answer, decoded
from autolog.server.http.requests import asking, in_thread, service_of

__all__ = ["ENDPOINTS", "create", "everyone", "info", "members", "remove", "remove_member", "set_member"]

_T = TypeVar("_T")


async def _user(request: Request) -> Principal:
    return access.person(await asking(request))


def _name(request: Request) -> str:
    return names.check_workspace(request.path_params["workspace"])


async def _done(request: Request, function: Callable[[sa.Connection], _T]) -> _T:
    """In one transaction."""

    def call() -> _T:
        with service_of(request).engine.begin() as connection:
            return function(connection)

    return await in_thread(call)


async def everyone(request: Request) -> Response:
    who = await _user(request)

    def listed(connection: sa.Connection) -> list[WorkspaceItem]:
        return workspaces.listed(connection, who)

    return answer(WorkspaceList(workspaces=await _done(request, listed)))


async def create(request: Request) -> Response:
    who, given = await _user(request), await decoded(request, NewWorkspace)
    origin = origin_of(request, who)

    def make(connection: sa.Connection) -> WorkspaceInfo:
        workspaces.create(connection, origin, given.name, who)
        return workspaces.info(connection, given.name, who)

    return answer(await _done(request, make))


async def info(request: Request) -> Response:
    who, name = await _user(request), _name(request)
    return answer(await _done(request, lambda connection: workspaces.info(connection, name, who)))


async def remove(request: Request) -> Response:
    who, name = await _user(request), _name(request)
    origin = origin_of(request, who)
    await _done(request, lambda connection: workspaces.remove(connection, origin, name, who))
    return answer(Done())


async def members(request: Request) -> Response:
    who, name = await _user(request), _name(request)

    def listed(connection: sa.Connection) -> list[Member]:
        workspaces.require(connection, who, name, "reader")
        return membership.listed(connection, membership.of_workspace(name))

    return answer(MemberList(members=await _done(request, listed)))


async def set_member(request: Request) -> Response:
    who, name = await _user(request), _name(request)
    given, origin = await decoded(request, MemberRole), origin_of(request, who)
    user = names.check_user(request.path_params["user"])

    def done(connection: sa.Connection) -> None:
        workspaces.require(connection, who, name, "admin")
        membership.set_role(connection, origin, membership.of_workspace(name), user, given.role)

    await _done(request, done)
    return answer(Done())


async def remove_member(request: Request) -> Response:
    who, name = await _user(request), _name(request)
    user, origin = names.check_user(request.path_params["user"]), origin_of(request, who)

    def done(connection: sa.Connection) -> None:
        workspaces.require(connection, who, name, "admin")
        membership.remove(connection, origin, membership.of_workspace(name), user)

    await _done(request, done)
    return answer(Done())


_ALL = "/api/v1/workspaces"
_ONE = f"{_ALL}/{{workspace}}"
_BODY = (400, 413, 415, 422)
ENDPOINTS = [
    Endpoint("GET", _ALL, everyone, "One's own workspaces.", gives=WorkspaceList),
    Endpoint(
        "POST", _ALL, create, "Make a workspace.", takes=NewWorkspace, gives=WorkspaceInfo, errors=(*_BODY, 409)
    ),
    Endpoint("GET", _ONE, info, "A workspace and its projects.", gives=WorkspaceInfo, errors=(422,)),
    Endpoint("DELETE", _ONE, remove, "Take an empty workspace away.", gives=Done, errors=(409, 422)),
    Endpoint(
        "GET", f"{_ONE}/members", members, "Who may do what in all its projects.", gives=MemberList, errors=(422,)
    ),
    Endpoint(
        "PUT", f"{_ONE}/members/{{user}}", set_member, "Make a user a member, or change their role.",
        takes=MemberRole, gives=Done, errors=(*_BODY, 409),
    ),
    Endpoint("DELETE", f"{_ONE}/members/{{user}}", remove_member, "Take a member away.", gives=Done, errors=(409, 422)),
]  # fmt: skip
