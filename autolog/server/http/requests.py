"""What routes have in common: who asks, numbers in the query, work that waits for disks beside the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from autolog.server.accounts.access import Principal
from autolog.server.accounts.identify import Credentials, identify
from autolog.server.accounts.sessions import COOKIE
from autolog.server.errors import ApiError
from autolog.server.http import crossing
from autolog.server.service import Service

__all__ = ["asking", "credentials", "in_thread", "number", "service_of", "truth"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


def service_of(request: Request) -> Service:
    """The server that a request came to."""
    service: Service = request.app.state.service
    return service


async def in_thread(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call what waits for a disk or database beside the event loop."""
    return await run_in_threadpool(function, *args, **kwargs)


def credentials(request: Request) -> Credentials | None:
    """What a request has brought to say who asks; a token counts before a session.

    Raises:
        ApiError: 401: something else than a token; 403: another site sends it, in the name of a session.
    """
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if secret:
        if scheme.lower() != "bearer":
            raise ApiError(401, "unauthorized", "send the token as `Authorization: Bearer …`")
        return Credentials(secret=secret.strip())
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        return None
    if not crossing.is_harmless(request):
        crossing.check_csrf(request)
    return Credentials(session=cookie)


async def asking(request: Request) -> Principal | None:
    """Who asks; ``None`` without a token or session. Of their roles, only that in the path's project if there is one.

    Raises:
        ApiError: 401: the token is not valid; 403: another site sends it, in the name of a session.
    """
    given = credentials(request)
    if given is None:
        return None
    return await in_thread(identify, service_of(request).engine, given, request.path_params.get("project"))


def truth(request: Request, name: str) -> bool:
    """``true`` or ``false`` of the query; false where it is left out.

    Raises:
        ApiError: 400: it is neither.
    """
    text = request.query_params.get(name, "false")
    if text not in ("true", "false"):
        raise ApiError(400, "parameter", f"{name}= is true or false", name=name)
    return text == "true"


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
