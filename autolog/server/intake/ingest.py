"""Taking records: the bytes of journals, at their offsets. What was answered with 200 is on disk."""

from __future__ import annotations

import contextlib
import time

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from autolog import events
from autolog.server import names
from autolog.server.addressing import writable_run
from autolog.server.errors import ApiError
from autolog.server.http import body
from autolog.server.http.depth import DEEPEST, is_deep
from autolog.server.http.endpoint import Endpoint, Query, answer
from autolog.server.http.requests import in_thread, number
from autolog.server.intake.admission import admit
from autolog.server.runs import changing
from autolog.server.service import Service
from autolog.server.shapes import Appended, Journals
from autolog.server.upkeep import deleting
from autolog.store.layout import Place

__all__ = ["ENDPOINTS", "append", "state"]

_DAMAGED = "autolog-damaged-lines"
_AHEAD = 300.0
"""Seconds by which a machine's clock may be ahead without a word."""
_decoder = msgspec.json.Decoder(msgspec.Raw)


async def state(request: Request) -> Response:
    """How much of each journal of a run is here, so that a client goes on from there."""
    service, project, run = await writable_run(request)
    return answer(Journals(journals=await in_thread(_sizes, service, (project, run))))


def _sizes(service: Service, place: Place) -> dict[str, int]:
    deleting.check(service.engine, place)
    return service.storage.sizes(place)


async def append(request: Request) -> Response:
    """Take whole lines of one journal at an offset."""
    service, project, run = await writable_run(request)
    name = names.check_journal(request.path_params["journal"])
    offset = number(request, "offset")
    data = await body.read(request, service.limits.chunk)
    damaged = request.headers.get(_DAMAGED, "0")
    _check_lines(data, service.limits.line, int(damaged) if damaged.isdigit() else 0)
    begun = _check_header(data, run) if offset == 0 else None
    size = await in_thread(_append, service, (project, run), name, offset, data, begun=begun)
    service.meter.journal_bytes += len(data)
    service.meter.journal_records += data.count(b"\n")
    return answer(Appended(size=size))


def _append(
    service: Service, place: Place, name: str, offset: int, data: bytes, *, begun: events.RunStart | None
) -> int:  # fmt: skip
    admit(service, place, len(data), begins=begun is not None)
    size = service.storage.append(place, name, offset, data)
    if begun is not None and begun.time > time.time() + _AHEAD:
        changing.say_ahead(service, place, begun)
    service.indexer.changed(place)
    return size


def _check_lines(data: bytes, longest: int, damaged: int) -> None:
    """Every line is a JSON object, but for as many as the client knows to be torn on its own disk.

    Raises:
        ApiError: 400, 413 or 422; the message says which line.
    """
    if not data:
        raise ApiError(400, "empty", "the body holds no line")
    if not data.endswith(b"\n"):
        raise ApiError(400, "unfinished_line", "the body must end with the end of a line")
    position = 0
    for number_of_line, line in enumerate(data[:-1].split(b"\n"), 1):
        if len(line) > longest:
            raise ApiError(413, "line_too_long", f"line {number_of_line} is longer than {longest} bytes", limit=longest)
        if len(line) > DEEPEST and is_deep(line):
            raise ApiError(
                422, "too_deep", f"line {number_of_line} is nested deeper than {DEEPEST}", line=number_of_line,
                byte=position, limit=DEEPEST,
            )  # fmt: skip
        if line and not _is_object(line):
            damaged -= 1
            if damaged < 0:
                raise ApiError(
                    422, "invalid_line", f"line {number_of_line} is no JSON object; nothing was taken",
                    line=number_of_line, byte=position,
                )  # fmt: skip
        position += len(line) + 1


def _is_object(line: bytes) -> bool:
    try:
        line.decode("utf-8")
        _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return line.lstrip()[:1] == b"{"


def _check_header(data: bytes, run: str) -> events.RunStart:
    """A journal begins with whose it is: that is its first record, after what a full disk may have torn.

    Raises:
        ApiError: 422.
    """
    first = None
    for line in data.split(b"\n"):
        if line and _is_object(line):
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
    Endpoint("GET", f"{_RUN}/journals", state, "How much of each journal is here.", gives=Journals, errors=(410, 422)),
    Endpoint(
        "POST", f"{_RUN}/journals/{{journal}}", append, "Take whole lines of a journal at an offset.", takes=bytes,
        gives=Appended, errors=(409, 410, 422, 503, 507),
        query=(Query("offset", int, "where the first byte belongs", required=True),),
    ),
]  # fmt: skip
