"""Endpoints as data: from one list come the routes and the OpenAPI document, which so cannot disagree."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autolog.server.errors import ApiError
from autolog.server.http import body
from autolog.server.http.requests import service_of

__all__ = ["Endpoint", "Query", "answer", "decoded", "routes"]

_T = TypeVar("_T")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""As JSON writes it: no name or text of ours has it, and no database takes it."""


class Query(NamedTuple):
    """A parameter in the query."""

    name: str
    kind: type
    about: str
    required: bool = False
    repeated: bool = False


class Endpoint(NamedTuple):
    """One method of one path."""

    method: str
    path: str
    function: Callable[[Request], Awaitable[Response]]
    about: str
    """One sentence; OpenAPI's summary."""
    query: tuple[Query, ...] = ()
    takes: Any = None
    """What the body is: a type of msgspec's, or ``bytes``; ``None``: there is none."""
    gives: Any = None
    """What the answer is: a type of msgspec's, or a media type as text; several of them with commas."""
    errors: tuple[int, ...] = ()
    """Statuses of errors beside 401, 403 and 404."""
    open: bool = False
    """It needs no token."""


def routes(endpoints: list[Endpoint]) -> list[Route]:
    """For Starlette."""
    return [Route(each.path, each.function, methods=[each.method]) for each in endpoints]


def answer(value: Any, status: int = 200) -> Response:
    """A struct, or plain data, as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def decoded(request: Request, kind: type[_T]) -> _T:
    """The body as ``kind``.

    Raises:
        ApiError: 400: it is no JSON; 408: too slow; 413: too large; 422: JSON of another shape. The message says where.
    """
    data = await body.read(request, service_of(request).limits.body)
    if _NUL.search(data):
        raise ApiError(422, "text", "a text cannot hold the character U+0000")
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError:
        raise ApiError(422, "too_deep", "the body is nested too deeply") from None
    except msgspec.ValidationError as error:
        raise ApiError(422, "shape", f"the body does not fit: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(400, "json", f"the body is no JSON: {error}") from None
