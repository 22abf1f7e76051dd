"""The application: routes, and what holds for every answer."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from autolog.server import editing, errors, files, ingest, live, openapi, reading, series, uploads
from autolog.server.accounts import endpoints as accounts
from autolog.server.endpoint import Endpoint, answer, routes
from autolog.server.errors import ApiError
from autolog.server.requests import service_of
from autolog.server.service import Service
from autolog.server.shapes import Version
from autolog.version import VERSION

__all__ = ["ENDPOINTS", "alive", "application", "ready"]


async def alive(_: Request) -> Response:
    """The process answers."""
    return answer(Version(status="ok", version=VERSION))


async def ready(request: Request) -> Response:
    """The index has caught up with what was there when the server started."""
    if not service_of(request).indexer.ready.is_set():
        raise ApiError(503, "starting", "the index is still catching up")
    return answer(Version(status="ready", version=VERSION))


ENDPOINTS = [
    Endpoint("GET", "/healthz", alive, "Whether the process answers.", gives=Version, open=True),
    Endpoint("GET", "/readyz", ready, "Whether the index has caught up.", gives=Version, errors=(503,), open=True),
    Endpoint("GET", "/api/v1/openapi.json", openapi.serve, "This document.", gives=dict[str, Any], open=True),
    *accounts.ENDPOINTS,
    *ingest.ENDPOINTS,
    *uploads.ENDPOINTS,
    *reading.ENDPOINTS,
    *series.ENDPOINTS,
    *files.ENDPOINTS,
    *editing.ENDPOINTS,
    *live.ENDPOINTS,
]


def application(service: Service) -> Starlette:
    """The ASGI application of a server."""
    app = Starlette(routes=[*routes(ENDPOINTS)], exception_handlers=errors.handlers)
    app.state.service = service
    app.state.openapi = openapi.document(ENDPOINTS)
    return app
