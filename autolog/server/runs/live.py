"""Live updates: server-sent events that say which runs have news, so that a page asks for what it shows."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from autolog.server.addressing import readable_runs
from autolog.server.errors import ApiError
from autolog.server.http.endpoint import Endpoint, Query

__all__ = ["ENDPOINTS", "updates"]

_LOOKED_AT_EVERY = 1.0
"""Seconds for which an open stream may still be read after its token has ended."""


async def updates(request: Request) -> Response:
    """News of a project, as they come."""
    service, project, only = await readable_runs(request)
    last = request.headers.get("last-event-id") or request.query_params.get("since", "")
    since = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else None
    stream = _while_readable(request, service.news.stream(project, since, only))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _while_readable(request: Request, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A stream until who reads it may no longer: it outlives the look at its token by hours."""
    looked = time.monotonic()
    async for piece in stream:
        if time.monotonic() - looked > _LOOKED_AT_EVERY:
            try:
                await readable_runs(request)
            except ApiError:
                return
            looked = time.monotonic()
        yield piece


ENDPOINTS = [
    Endpoint(
        "GET", "/api/v1/projects/{project}/live", updates, "News of runs, as server-sent events.",
        gives="text/event-stream", errors=(422,),
        query=(Query("since", int, "number of the last event that was seen; Last-Event-ID says the same"),),
    ),
]  # fmt: skip
