"""Which project and run a request means, for those who may read or write there."""

from __future__ import annotations

import time

import sqlalchemy as sa
from starlette.requests import Request

from autolog.server import access, names, tables
from autolog.server.requests import asking, in_thread, service_of
from autolog.server.service import Service

__all__ = ["readable_project", "readable_run", "writable_run"]


async def readable_project(request: Request) -> tuple[Service, str]:
    """The server, and the project in a request's path, for those who may read it.

    Raises:
        ApiError: 401 or 404 where they may not; 422 for a name that is none.
    """
    service, who = service_of(request), await asking(request)
    project = names.check_project(request.path_params["project"])
    if (who is None or who.role(project) is None) and await in_thread(_is_public, service, project):
        return service, project
    access.require(who, project, "reader")
    return service, project


async def readable_run(request: Request) -> tuple[Service, str, str]:
    """As :func:`readable_project`, and the run."""
    service, project = await readable_project(request)
    return service, project, names.check_run(request.path_params["run"])


def _is_public(service: Service, project: str) -> bool:
    public = sa.select(tables.projects.c.public).where(tables.projects.c.project == project)
    with service.engine.connect() as connection:
        return bool(connection.execute(public).scalar_one_or_none())


async def writable_run(request: Request) -> tuple[Service, str, str]:
    """The server, and the project and run in a request's path.

    A project that is not there yet is begun by whom may begin some, and is theirs.

    Raises:
        ApiError: 401, 403 or 404 where they may not write there; 422 for names that are none.
    """
    service, who = service_of(request), await asking(request)
    project = names.check_project(request.path_params["project"])
    run = names.check_run(request.path_params["run"])
    if who is None or (who.role(project) is None and not who.creates):
        access.require(who, project, "writer")
    elif who.role(project) is None or not service.storage.knows(project):
        await in_thread(_begin, service, project, who)
    else:
        access.require(who, project, "writer")
    return service, project, run


def _begin(service: Service, project: str, who: access.Principal) -> None:
    """Begin a project where there is none.

    Raises:
        ApiError: it is there, and not theirs.
    """
    known = sa.select(tables.projects.c.project).where(tables.projects.c.project == project)
    with service.engine.begin() as connection:
        if who.role(project) is not None:
            access.require(who, project, "writer")
        if connection.execute(known).one_or_none() is not None:
            access.require(who, project, "writer")
            return
        connection.execute(sa.insert(tables.projects).values(project=project, created_at=time.time(), public=False))
        if who.role(project) is None:
            member = {"project": project, "user_name": who.user, "role": "admin"}
            connection.execute(sa.insert(tables.members).values(**member))
