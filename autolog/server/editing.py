"""What people change of a run: name, note, tags; and taking a run away, for a while or for good."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from autolog import events, journal
from autolog.server import indexing
from autolog.server.addressing import writable_run
from autolog.server.endpoint import Endpoint, answer, decoded
from autolog.server.errors import ApiError
from autolog.server.requests import in_thread
from autolog.server.service import Service
from autolog.server.shapes import Edit, Edited
from autolog.store.summary import RunSummary

__all__ = ["ENDPOINTS", "delete", "edit", "restore"]


async def edit(request: Request) -> Response:
    """Change a run; every change is a record in its journal of edits."""
    service, project, name = await writable_run(request)
    change = await decoded(request, Edit)
    if change.name is not None and not change.name.strip():
        raise ApiError(422, "name", "a run needs a name")
    return answer(await in_thread(_edit, service, project, name, change))


def _edit(service: Service, project: str, run: str, change: Edit) -> Edited:
    seen = _seen(service, project, run)
    now = time.time()
    records: list[events.Record] = []
    if change.name is not None:
        records.append(events.Name(time=now, name=change.name.strip()))
    if change.note is not None:
        records.append(events.Note(time=now, text=change.note))
    if change.add_tags or change.remove_tags:
        records.append(events.Tags(time=now, add=change.add_tags, remove=change.remove_tags))
    if records:
        header = events.RunStart(time=now, id=run, name=seen.name, project=seen.project, role="edit")
        lines = [events.encode(record) + b"\n" for record in (header, *records)]
        service.storage.extend((project, run), journal.SERVER_EDITS, lines[0], b"".join(lines[1:]))
        seen = indexing.refresh(service.engine, service.storage, (project, run))
    return Edited(name=seen.name, note=seen.note, tags=seen.tags)


def _seen(service: Service, project: str, run: str) -> RunSummary:
    try:
        return indexing.refresh(service.engine, service.storage, (project, run))
    except FileNotFoundError:
        raise ApiError(404, "not_found", f"there is no run {run} in {project}") from None


async def delete(request: Request) -> Response:
    """Take a run away. It can be brought back until the server's undo period is over."""
    service, project, name = await writable_run(request)
    return answer(await in_thread(_delete, service, project, name))


def _delete(service: Service, project: str, run: str) -> Edited:
    seen = _seen(service, project, run)
    service.storage.remove((project, run))
    indexing.remove(service.engine, (project, run))
    return Edited(name=seen.name, note=seen.note, tags=seen.tags)


async def restore(request: Request) -> Response:
    """Bring back a run that was taken away."""
    service, project, name = await writable_run(request)
    return answer(await in_thread(_restore, service, project, name))


def _restore(service: Service, project: str, run: str) -> Edited:
    service.storage.restore((project, run))
    seen = indexing.refresh(service.engine, service.storage, (project, run))
    return Edited(name=seen.name, note=seen.note, tags=seen.tags)


_RUN = "/api/v1/projects/{project}/runs/{run}"
ENDPOINTS = [
    Endpoint("PATCH", _RUN, edit, "Change name, note and tags.", takes=Edit, gives=Edited, errors=(400, 413, 415, 422)),
    Endpoint("DELETE", _RUN, delete, "Take a run away, for a while.", gives=Edited, errors=(422,)),
    Endpoint("POST", f"{_RUN}/restore", restore, "Bring back a run.", gives=Edited, errors=(409, 422)),
]  # fmt: skip
