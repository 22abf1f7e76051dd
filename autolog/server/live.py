"""Live updates: server-sent events that say which runs have news, so that a page asks for what it shows."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from autolog.server.addressing import readable_project
from autolog.server.endpoint import Endpoint, Query
from autolog.server.requests import service_of

__all__ = ["ENDPOINTS", "updates"]


async def updates(request: Request) -> Response:
    """News of a project, as they come."""
    service, project = await readable_project(request)
    last = request.headers.get("last-event-id") or request.query_params.get("since", "")
    since = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else None
    stream = service_of(request).news.stream(project, since)
    del service
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


ENDPOINTS = [
    Endpoint(
        "GET", "/api/v1/projects/{project}/live", updates, "News of runs, as server-sent events.",
        gives="text/event-stream", errors=(422,),
        query=(Query("since", int, "number of the last event that was seen; Last-Event-ID says the same"),),
    ),
]  # fmt: skip
