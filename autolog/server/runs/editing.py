"""What people change of a run: name, note, tags, fields, archived; and taking a run away, for a while or for good."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from autolog.server.accounts import auditing
from autolog.server.addressing import writable_project, writable_run
from autolog.server.errors import ApiError
from autolog.server.http.endpoint import Endpoint, answer, decoded
from autolog.server.http.requests import asking, in_thread
from autolog.server.index import refreshing
from autolog.server.runs import changing
from autolog.server.service import Service
from autolog.server.shapes import Edit, Edited
from autolog.server.upkeep import deleting
from autolog.server.upkeep.deleting import DeletedRun
from autolog.store.layout import Place
from autolog.store.summary import RunSummary

__all__ = ["ENDPOINTS", "delete", "deleted", "edit", "restore"]


async def edit(request: Request) -> Response:
    """Change a run; every change is a record in a journal of edits."""
    service, project, name = await writable_run(request)
    change = await decoded(request, Edit)
    changing.check(change)
    return answer(await in_thread(_edit, service, (project, name), change))


def _edit(service: Service, place: Place, change: Edit) -> Edited:
    changing.change(service, place, _seen(service, place).name, change)
    return _edited(_seen(service, place))


def _seen(service: Service, place: Place) -> RunSummary:
    try:
        return refreshing.refresh(service.engine, service.storage, place)
    except FileNotFoundError:
        deleting.check(service.engine, place)
        raise ApiError(404, "not_found", f"there is no run {place[1]} in {place[0]}") from None


def _edited(seen: RunSummary) -> Edited:
    return Edited(name=seen.name, note=seen.note, tags=seen.tags, fields=seen.fields, archived=seen.archived)


async def delete(request: Request) -> Response:
    """Take a run away. It can be brought back until the server's undo period is over."""
    service, project, name = await writable_run(request)
    origin = auditing.origin_of(request, await asking(request))
    return answer(await in_thread(_delete, service, (project, name), origin))


def _delete(service: Service, place: Place, origin: auditing.Origin) -> Edited:
    seen = _seen(service, place)
    deleting.delete(service, place, seen.name, origin)
    return _edited(seen)


async def restore(request: Request) -> Response:
    """Bring back a run that was taken away."""
    service, project, name = await writable_run(request)
    origin = auditing.origin_of(request, await asking(request))
    return answer(_edited(await in_thread(deleting.restore, service, (project, name), origin)))


async def deleted(request: Request) -> Response:
    """What can be brought back."""
    service, project = await writable_project(request)
    return answer(await in_thread(deleting.deleted, service, project))


_PROJECT = "/api/v1/projects/{project}"
_RUN = f"{_PROJECT}/runs/{{run}}"
ENDPOINTS = [
    Endpoint(
        "PATCH", _RUN, edit, "Change name, note, tags, fields and whether it is archived.", takes=Edit, gives=Edited,
        errors=(410, 422, 503, 507),
    ),
    Endpoint("DELETE", _RUN, delete, "Take a run away, for a while.", gives=Edited, errors=(410, 422, 503)),
    Endpoint("POST", f"{_RUN}/restore", restore, "Bring back a run.", gives=Edited, errors=(409, 422, 503)),
    Endpoint(
        "GET", f"{_PROJECT}/deleted", deleted, "Runs that can be brought back.", gives=list[DeletedRun], errors=(422,)
    ),
]  # fmt: skip
