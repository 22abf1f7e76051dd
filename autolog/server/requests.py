"""What routes have in common: who asks, numbers in the query, work that waits for disks beside the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from autolog.server import access
from autolog.server.errors import ApiError
from autolog.server.service import Service

__all__ = ["asking", "in_thread", "number", "service_of"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


def service_of(request: Request) -> Service:
    """The server that a request came to."""
    service: Service = request.app.state.service
    return service


async def in_thread(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call what waits for a disk or database beside the event loop."""
    return await run_in_threadpool(function, *args, **kwargs)


async def asking(request: Request) -> access.Principal | None:
    """Who asks; ``None`` without a token.

    Raises:
        ApiError: 401: the token is not valid.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not token:
        return None
    if scheme.lower() != "bearer":
        raise ApiError(401, "unauthorized", "send the token as `Authorization: Bearer …`")
    return await in_thread(_principal, service_of(request), token.strip())


def _principal(service: Service, token: str) -> access.Principal:
    with service.engine.connect() as connection:
        return access.principal(connection, token)


def number(request: Request, name: str, default: int | None = None) -> int:
    """A whole number of the query that is not negative.

    Raises:
        ApiError: 400: it is missing and has no default, or is none.
    """
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 15:
        raise ApiError(400, "parameter", f"the query needs {name}=, a whole number that is not negative", name=name)
    return int(text)
