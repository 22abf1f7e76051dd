"""Which project and run a request means, for those who may read or write there."""

from __future__ import annotations

import time
from typing import NamedTuple

import sqlalchemy as sa
from starlette.requests import Request

from autolog.server import names, tables
from autolog.server.accounts import access, auditing
from autolog.server.accounts.access import Principal
from autolog.server.accounts.identify import Credentials, identify
from autolog.server.accounts.rows import insert_once
from autolog.server.http import peers
from autolog.server.http.requests import credentials, in_thread, service_of
from autolog.server.service import Service
from autolog.server.watching.noting import note

__all__ = [
    "Readable", "administered_project", "begin_project", "delivered_run", "readable_project", "readable_run",
    "readable_runs", "writable_project", "writable_run",
]  # fmt: skip


_THERE = sa.select(tables.projects.c.project).where(tables.projects.c.project == sa.bindparam("name"))


class Readable(NamedTuple):
    """What may be read of a project."""

    service: Service
    project: str
    only: str | None
    """The only run, for whoever has a share link of one run; none: all."""


async def readable_project(request: Request) -> tuple[Service, str]:
    """The server, and the project in a request's path, for those who may read all of it.

    Raises:
        ApiError: 401 or 404 where they may not; 422 for a name that is none.
    """
    service, project, only = await readable_runs(request)
    if only is not None:
        raise access.absent(project)
    return service, project


async def readable_runs(request: Request) -> Readable:
    """The server, the project in a request's path, and the only run that may be read if it is one.

    Who uses it shows nothing of other runs, not even their names or metrics.

    Raises:
        ApiError: as :func:`readable_project`.
    """
    service, given = service_of(request), credentials(request)
    project = names.check_project(request.path_params["project"])
    return Readable(service, project, await in_thread(_only, service.engine, given, project))


async def readable_run(request: Request) -> tuple[Service, str, str]:
    """As :func:`readable_project`, and the run; also for whoever has a share link of it."""
    service, project, only = await readable_runs(request)
    run = names.check_run(request.path_params["run"])
    if only is not None and only != run:
        raise access.absent(project)
    return service, project, run


def _only(engine: sa.Engine, given: Credentials | None, project: str) -> str | None:
    """The only run that may be read; ``None``: all."""
    who = identify(engine, given, project)
    if who is not None and who.role(project) is not None:
        return None
    public = sa.select(tables.projects.c.public).where(tables.projects.c.project == project)
    with engine.connect() as connection:
        if connection.execute(public).scalar_one_or_none():
            return None
    if who is not None and who.share is not None and who.share.project == project:
        return who.share.run
    access.require(who, project, "reader")
    return None


async def writable_run(request: Request) -> tuple[Service, str, str]:
    """The server, and the project and run in a request's path.

    The project may not be there yet, for whoever may begin some; there is no run in it then.

    Raises:
        ApiError: 401, 403 or 404 where they may not write there; 422 for names that are none.
    """
    service, project = await writable_project(request)
    return service, project, names.check_run(request.path_params["run"])


async def delivered_run(request: Request) -> tuple[Service, str, str]:
    """As :func:`writable_run`, for what comes with every batch: who may deliver is remembered for a moment.

    A right that was taken away by another process of the server is gone after that moment, by this one at once.
    """
    service, given = service_of(request), credentials(request)
    project = names.check_project(request.path_params["project"])
    run = names.check_run(request.path_params["run"])
    user = service.rights.who(given, project)
    if user is None:
        request.state.begins = await in_thread(_let_deliver, service, given, project)
    else:
        note(user=user)
    return service, project, run


class _First(NamedTuple):
    """A delivery to a project that is not there yet."""

    who: Principal
    state: object
    """Of the rights, from before they were asked for."""


def _let_deliver(service: Service, given: Credentials | None, project: str) -> _First | None:
    state = service.rights.state()
    who, known = _let_write(service.engine, given, project)
    if not known:
        return _First(who, state)
    if given is not None:
        service.rights.remember(given, project, who.user, who.ends_at, state)
    return None


async def begin_project(request: Request) -> None:
    """Begin the project of a delivery where it is the first: it is theirs who deliver.

    Called after :func:`delivered_run`, once what was sent has been looked at and before it is written: what is refused
    begins nothing.
    """
    first: _First | None = getattr(request.state, "begins", None)
    if first is not None:
        project, given = request.path_params["project"], credentials(request)
        await in_thread(_begin, service_of(request), given, project, first, peers.address_of(request))


def _begin(service: Service, given: Credentials | None, project: str, first: _First, address: str) -> None:
    who = first.who
    origin = auditing.Origin(who.user, address, who.token or "")
    with service.engine.begin() as connection:
        if not insert_once(connection, tables.projects, project=project, created_at=time.time(), public=False):
            access.require(who, project, "writer")  # somebody else was faster
            return
        insert_once(connection, tables.members, project=project, user_name=who.user, role="admin")
        auditing.note(connection, origin, "project_begun", project=project, subject=project)
    if given is not None:
        service.rights.remember(given, project, who.user, who.ends_at, first.state)


async def writable_project(request: Request) -> tuple[Service, str]:
    """As :func:`writable_run`, without a run."""
    service, given = service_of(request), credentials(request)
    project = names.check_project(request.path_params["project"])
    await in_thread(_let_write, service.engine, given, project)
    return service, project


def _let_write(engine: sa.Engine, given: Credentials | None, project: str) -> tuple[Principal, bool]:
    """Let those write in a project who may, or may begin it where there is none: who it is, and whether there is one.

    Raises:
        ApiError: they may not.
    """
    who = identify(engine, given, project)
    if who is None or (who.role(project) is None and not who.creates):
        who = access.require(who, project, "writer")
    with engine.connect() as connection:
        known = connection.execute(_THERE, {"name": project}).first() is not None
    if known or who.role(project) is not None:
        access.require(who, project, "writer")
    return who, known


async def administered_project(request: Request) -> tuple[Service, str, Principal]:
    """The server, the project in a request's path, which is there, and who asks: one of its admins.

    Raises:
        ApiError: 401, 403 or 404 where they are none; 422 for a name that is none.
    """
    service, given = service_of(request), credentials(request)
    project = names.check_project(request.path_params["project"])
    return service, project, await in_thread(_admin, service.engine, given, project)


def _admin(engine: sa.Engine, given: Credentials | None, project: str) -> Principal:
    who = access.require(identify(engine, given, project), project, "admin")
    with engine.connect() as connection:
        if connection.execute(_THERE, {"name": project}).first() is None:
            raise access.absent(project)
    return who
