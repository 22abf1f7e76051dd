"""The application: routes, and what holds for every answer."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from autolog.server import errors
from autolog.server.accounts import endpoints as accounts
from autolog.server.errors import ApiError
from autolog.server.http import openapi, pages
from autolog.server.http.endpoint import Endpoint, answer, routes
from autolog.server.http.gate import Gate
from autolog.server.http.requests import in_thread, service_of
from autolog.server.intake import ingest, uploads
from autolog.server.intake.taking import taking
from autolog.server.runs import bulk, editing, export, files, live, reading, series
from autolog.server.service import Service
from autolog.server.shapes import Version
from autolog.server.upkeep import keeping
from autolog.server.watching import monitoring
from autolog.server.watching.observing import Observed
from autolog.version import VERSION

__all__ = ["ENDPOINTS", "alive", "application", "ready"]


async def alive(_: Request) -> Response:
    """The process answers."""
    return answer(Version(status="ok", version=VERSION))


async def ready(request: Request) -> Response:
    """The index has caught up with what was there when the server started, and nobody has told the server to end."""
    service = service_of(request)
    if service.stopping.is_set():
        raise ApiError(503, "stopping", "the server is ending")
    if not service.indexer.ready.is_set():
        raise ApiError(503, "starting", "the index is still catching up")
    await in_thread(service.storage.check)
    return answer(Version(status="ready", version=VERSION))


ENDPOINTS = [
    Endpoint("GET", "/healthz", alive, "Whether the process answers.", gives=Version, open=True),
    Endpoint("GET", "/readyz", ready, "Whether the server should be asked.", gives=Version, errors=(503,), open=True),
    Endpoint("GET", "/api/v1/openapi.json", openapi.serve, "This document.", gives=dict[str, Any], open=True),
    *accounts.ENDPOINTS,
    *ingest.ENDPOINTS,
    *uploads.ENDPOINTS,
    *reading.ENDPOINTS,
    *series.ENDPOINTS,
    *files.ENDPOINTS,
    *editing.ENDPOINTS,
    *bulk.ENDPOINTS,
    *export.ENDPOINTS,
    *keeping.ENDPOINTS,
    *live.ENDPOINTS,
    *monitoring.ENDPOINTS,
]


def _is_delivery(endpoint: Endpoint) -> bool:
    """What comes with every batch is found first: routes are tried in turn."""
    return endpoint in ingest.ENDPOINTS


def application(service: Service) -> Starlette:
    """The ASGI application of a server."""
    paths = {each.function: each.path for each in ENDPOINTS}
    app = Starlette(
        routes=[*routes(sorted(ENDPOINTS, key=_is_delivery, reverse=True)), *pages.ROUTES],
        exception_handlers=errors.handlers,
        middleware=[Middleware(Observed, meter=service.meter, routes=paths), Middleware(Gate, limits=service.limits)],
    )
    app.state.service = service
    app.state.taking = taking(service)
    app.state.openapi = openapi.document(ENDPOINTS)
    return app
