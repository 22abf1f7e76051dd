"""The OpenAPI document, made from the endpoints: what a client in another language is written from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from autolog.server.accounts.sessions import COOKIE
from autolog.server.http.endpoint import Endpoint, Query, answer
from autolog.version import VERSION

__all__ = ["document", "serve"]

_WORDS = {
    400: "The request is not well formed.", 401: "There is no valid token.", 403: "The role is too low.",
    404: "It does not exist, or not for you.", 408: "The body comes too slowly.",
    409: "It stands otherwise than the request says: other bytes are there, some before are missing, it is there.",
    410: "The run was deleted.", 413: "Too large.", 414: "The address is too long.",
    415: "The body's encoding is not known.", 416: "There is no such range.", 422: "A name or value cannot be used.",
    429: "Too often; see Retry-After.", 431: "The headers are too long.", 503: "Not now; see Retry-After.",
    507: "The server's disk, or what the project may hold of it, is full.",
}  # fmt: skip
_ABOUT = """\
Everything that autolog itself sends and reads. Errors are `{"error": {"code", "message", …}}`: the code is for
programs, the message for people. Every request needs `Authorization: Bearer TOKEN`, but where a project is public; or
the cookie of a session, and then `X-CSRF-Token` wherever it is no GET."""
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}
_PATTERNS = {
    "run": r"^\d{8}-\d{6}-\d{3}-[0-9a-f]{8}$",
    "journal": r"^(journal|system)(\.[A-Za-z0-9_-]{1,64})?\.jsonl$",
}


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The document of these endpoints."""
    types = {each.gives for each in endpoints} | {each.takes for each in endpoints}
    structs = [kind for kind in types if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    structs.sort(key=lambda kind: kind.__name__)
    _, components = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        paths.setdefault(each.path.replace(":path", ""), {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": "autolog", "version": VERSION, "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": {**components, "Error": _ERROR},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
        "security": [{"token": []}, {"session": []}],
    }


def _operation(each: Endpoint) -> dict[str, Any]:
    statuses = (400, 414, 429, 431, *each.errors)
    statuses = statuses if each.open else (*statuses, 401, 403, 404)
    statuses = (*statuses, 408, 413, 415, 422) if each.takes is not None else statuses
    told: dict[str, Any] = {
        "operationId": each.function.__module__.rpartition(".")[2] + "_" + each.function.__name__,
        "summary": each.about,
        "parameters": [_path_parameter(name) for name in re.findall(r"{(\w+)", each.path)]
        + [_query_parameter(query) for query in each.query],
        "responses": {
            "200": {"description": "Done.", "content": _content(each.gives)},
            **{str(status): _error(status) for status in sorted(set(statuses))},
        },
    }
    if each.open:
        told["security"] = []
    if each.takes is not None:
        told["requestBody"] = {"required": True, "content": _content(each.takes)}
    return told


def _content(kind: Any) -> dict[str, Any]:
    if kind is bytes:
        return {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    if isinstance(kind, str):  # no schema: bytes of that type
        return {each.strip(): {} for each in kind.split(",")}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}}
    return {"application/json": {"schema": msgspec.json.schema(kind)}}


def _path_parameter(name: str) -> dict[str, Any]:
    schema = {"type": "string"} | ({"pattern": _PATTERNS[name]} if name in _PATTERNS else {})
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameter(query: Query) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": {int: "integer", bool: "boolean"}.get(query.kind, "string")}
    if query.kind is int:
        schema["minimum"] = 0
    if query.repeated:
        schema = {"type": "array", "items": schema}
    return {
        "name": query.name, "in": "query", "required": query.required, "description": query.about, "schema": schema,
    }  # fmt: skip


def _error(status: int) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {"description": _WORDS[status], "content": content}


async def serve(request: Request) -> Response:
    """The document of the server that is asked."""
    return answer(request.app.state.openapi)
