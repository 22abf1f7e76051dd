"""The application: routes, and what holds for every answer."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from autolog.server import access, errors, ingest, uploads
from autolog.server.requests import asking
from autolog.server.service import Service
from autolog.version import VERSION

__all__ = ["alive", "application", "me"]


async def alive(_: Request) -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok", "version": VERSION})


async def me(request: Request) -> Response:
    """Who the token speaks for."""
    who = access.known(await asking(request))
    return JSONResponse({"user": who.user, "everywhere": who.everywhere, "roles": who.roles, "creates": who.creates})


def application(service: Service) -> Starlette:
    """The ASGI application of a server."""
    routes = [
        Route("/healthz", alive),
        Route("/api/v1/me", me),
        *ingest.routes,
        *uploads.routes,
    ]
    app = Starlette(routes=routes, exception_handlers=errors.handlers)
    app.state.service = service
    return app
