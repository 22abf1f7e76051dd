"""Routes of the audit log: of one project for its admins, of everything for the server's."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from autolog.server.accounts import access, auditing
from autolog.server.accounts.shapes import AuditPage
from autolog.server.addressing import administered_project
from autolog.server.errors import ApiError
from autolog.server.http.endpoint import Endpoint, Query, answer
from autolog.server.http.requests import asking, in_thread, number, service_of

__all__ = ["ENDPOINTS", "of_project", "of_server"]

_MOST = 1000


async def of_server(request: Request) -> Response:
    access.administrator(await asking(request))
    return await _page(request, None)


async def of_project(request: Request) -> Response:
    _, project, _ = await administered_project(request)
    return await _page(request, project)


async def _page(request: Request, project: str | None) -> Response:
    engine, limit = service_of(request).engine, number(request, "limit", 100)
    cursor = request.query_params.get("cursor", "")
    if cursor and not (cursor.isascii() and cursor.isalnum()):
        raise ApiError(400, "cursor", "this cursor is not one that the server has given")
    if not 1 <= limit <= _MOST:
        raise ApiError(400, "parameter", f"limit must be 1 to {_MOST}", name="limit")

    def page() -> AuditPage:
        with engine.connect() as connection:
            return auditing.page(connection, project, limit=limit, cursor=cursor)

    return answer(await in_thread(page))


_QUERY = (Query("limit", int, f"at most so many, 1 to {_MOST}"), Query("cursor", str, "of the page before"))
ENDPOINTS = [
    Endpoint(
        "GET", "/api/v1/audit", of_server, "Who did what; for admins of the server.", gives=AuditPage, query=_QUERY,
        errors=(400,),
    ),
    Endpoint(
        "GET", "/api/v1/projects/{project}/audit", of_project, "Who did what in a project; for its admins.",
        gives=AuditPage, query=_QUERY, errors=(400, 422),
    ),
]  # fmt: skip
