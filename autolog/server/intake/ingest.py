"""Taking records: the bytes of journals, at their offsets. What was answered with 200 is on disk."""

from __future__ import annotations

import contextlib

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from autolog import events
from autolog.server import names
from autolog.server.addressing import begin_project, delivered_run
from autolog.server.errors import ApiError
from autolog.server.http import body
from autolog.server.http.endpoint import Endpoint, Query, answer
from autolog.server.http.requests import in_thread, number
from autolog.server.intake.lines import check_lines, is_object
from autolog.server.intake.taking import Taken, taking_of
from autolog.server.service import Service
from autolog.server.shapes import Appended, Journals
from autolog.server.storage.contract import Append
from autolog.server.upkeep import deleting
from autolog.store.layout import Place

__all__ = ["ENDPOINTS", "append", "state"]

_DAMAGED = "autolog-damaged-lines"
_LARGE = 256 << 10
"""Bytes whose lines are looked at beside the event loop: others wait meanwhile."""


async def state(request: Request) -> Response:
    """How much of each journal of a run is here, so that a client goes on from there."""
    service, project, run = await delivered_run(request)
    return answer(Journals(journals=await in_thread(_sizes, service, (project, run))))


def _sizes(service: Service, place: Place) -> dict[str, int]:
    deleting.check(service.engine, place)
    return service.storage.sizes(place)


async def append(request: Request) -> Response:
    """Take whole lines of one journal at an offset."""
    service, project, run = await delivered_run(request)
    name = names.check_journal(request.path_params["journal"])
    offset = number(request, "offset")
    data = await body.read(request, service.limits.chunk)
    damaged = request.headers.get(_DAMAGED, "0")
    damaged_lines = int(damaged) if damaged.isdigit() else 0
    if len(data) > _LARGE:
        await in_thread(check_lines, data, service.limits.line, damaged_lines)
    else:
        check_lines(data, service.limits.line, damaged_lines)
    begun = _check_header(data, run) if offset == 0 else None
    if offset == 0:  # else a project that is not there holds nothing that could be gone on with
        await begin_project(request)
    size = await taking_of(request).do(Taken(Append((project, run), name, offset, data), begun))
    service.meter.journal_bytes += len(data)
    service.meter.journal_records += data.count(b"\n")
    return answer(Appended(size=size))


def _check_header(data: bytes, run: str) -> events.RunStart:
    """A journal begins with whose it is: that is its first record, after what a full disk may have torn.

    Raises:
        ApiError: 422.
    """
    first = None
    for line in data.split(b"\n"):
        if line and is_object(line):
            with contextlib.suppress(msgspec.DecodeError):
                first = events.decode(line)
            break
    if not isinstance(first, events.RunStart):
        raise ApiError(422, "no_header", "the first line of a journal must be a record of type run")
    if first.id != run:
        raise ApiError(422, "foreign_journal", f"this journal is of run {first.id!r}, not of {run!r}")
    return first


_RUN = "/api/v1/projects/{project}/runs/{run}"
ENDPOINTS = [
    Endpoint(
        "POST", f"{_RUN}/journals/{{journal}}", append, "Take whole lines of a journal at an offset.", takes=bytes,
        gives=Appended, errors=(409, 410, 422, 503, 507),
        query=(Query("offset", int, "where the first byte belongs", required=True),),
    ),
    Endpoint("GET", f"{_RUN}/journals", state, "How much of each journal is here.", gives=Journals, errors=(410, 422)),
]  # fmt: skip
