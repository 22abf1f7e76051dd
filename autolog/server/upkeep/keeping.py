"""What a project holds and may hold, and how long it keeps its runs: read and set."""

from __future__ import annotations

from typing import Annotated

import msgspec
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from autolog.server import tables
from autolog.server.accounts import access, auditing
from autolog.server.accounts.auditing import Origin
from autolog.server.addressing import administered_project, writable_project
from autolog.server.http.endpoint import Endpoint, answer, decoded
from autolog.server.http.requests import in_thread
from autolog.server.service import Service

__all__ = ["ENDPOINTS", "Keeping", "ProjectUsage", "keep", "usage"]

_Whole = Annotated[int, msgspec.Meta(ge=0, le=2**60)]
_Days = Annotated[float, msgspec.Meta(ge=0, le=36_500)]


class ProjectUsage(msgspec.Struct):
    """What a project holds; quotas and days of 0 are none."""

    bytes: int
    """Of journals and files, as last counted, and what has been taken since. Deleted runs are not counted."""
    runs: int
    quota_bytes: int
    quota_runs: int
    retention_days: float
    """Runs that ended longer ago are deleted, but for those with the tag ``keep``."""


class Keeping(msgspec.Struct, forbid_unknown_fields=True):
    """What is set for a project; ``null``: as the server's own settings say; what is left out stays."""

    quota_bytes: _Whole | msgspec.UnsetType | None = msgspec.UNSET
    """Only admins of the server set quotas."""
    quota_runs: _Whole | msgspec.UnsetType | None = msgspec.UNSET
    retention_days: _Days | msgspec.UnsetType | None = msgspec.UNSET


async def usage(request: Request) -> Response:
    """What a project holds, and may hold."""
    service, project = await writable_project(request)
    return answer(await in_thread(_usage, service, project))


def _usage(service: Service, project: str) -> ProjectUsage:
    projects = tables.projects.c
    days = sa.func.coalesce(projects.retention_days, service.limits.retention_days)
    with service.engine.connect() as connection:
        kept = connection.execute(sa.select(days).where(projects.project == project)).scalar_one_or_none()
    held = service.usage.of(project)
    return ProjectUsage(held.bytes, held.runs, held.quota_bytes, held.quota_runs, float(kept or 0))


async def keep(request: Request) -> Response:
    """Set what a project may hold, and how long it keeps its runs."""
    service, project, who = await administered_project(request)
    wanted = await decoded(request, Keeping)
    if not (wanted.quota_bytes is wanted.quota_runs is msgspec.UNSET):
        access.administrator(who)
    return answer(await in_thread(_keep, service, project, wanted, auditing.origin_of(request, who)))


def _keep(service: Service, project: str, wanted: Keeping, origin: Origin) -> ProjectUsage:
    given = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not msgspec.UNSET}
    if given:
        with service.engine.begin() as connection:
            mine = tables.projects.c.project == project
            connection.execute(sa.update(tables.projects).where(mine).values(**given))
            auditing.note(connection, origin, "keeping_set", project=project, subject=project, **given)
        service.usage.forget(project)
    return _usage(service, project)


_PROJECT = "/api/v1/projects/{project}"
ENDPOINTS = [
    Endpoint("GET", f"{_PROJECT}/usage", usage, "What a project holds, and may hold.", gives=ProjectUsage,
             errors=(422,)),
    Endpoint("PATCH", f"{_PROJECT}/usage", keep, "Set a project's quotas and how long it keeps its runs.",
             takes=Keeping, gives=ProjectUsage, errors=(422,)),
]  # fmt: skip
