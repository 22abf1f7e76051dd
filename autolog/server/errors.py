"""What goes wrong in a request, as a client can read it: a status, a word for programs, a sentence for people."""

from __future__ import annotations

import logging
from typing import Any

import sqlalchemy as sa
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from autolog.server.watching.noting import note

__all__ = ["ApiError", "handlers"]


class ApiError(Exception):
    """A request that cannot be carried out. Nothing of it was.

    Args:
        status: the HTTP status.
        code: what a program tells cases apart by, such as ``gap``.
        message: what happened and what to do, for a person.
        **details: what a client needs to go on, such as ``size``.
    """

    def __init__(self, status: int, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers: dict[str, str] = {}

    def response(self) -> Response:
        """``{"error": {"code": …, "message": …, …}}``"""
        content = {"error": {"code": self.code, "message": self.message, **self.details}}
        return JSONResponse(content, self.status, headers=self.headers)


async def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101  registered for this class only
    note(code=error.code)
    return error.response()


_CODES = {404: "not_found", 405: "method_not_allowed"}


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  the same
    code = _CODES.get(error.status_code, "bad_request")
    answer = ApiError(error.status_code, code, error.detail).response()
    answer.headers.update(error.headers or {})
    return answer


_FULL = "53100"
"""PostgreSQL's word for a full disk."""


async def _database_error(_: Request, error: Exception) -> Response:
    """The database cannot be reached, hangs or is full: clients send again what was not acknowledged."""
    why = " ".join(str(getattr(error, "orig", None) or error).split())
    logging.getLogger("autolog.server").warning("the database cannot be used: %s", why[:300])
    if getattr(getattr(error, "orig", None), "sqlstate", None) == _FULL:
        return ApiError(
            507, "disk_full", "the database's disk is full; nothing was taken, send it again later"
        ).response()
    told = ApiError(503, "database", "the server's database cannot be used now; nothing was taken, send it again later")
    told.headers["Retry-After"] = "2"
    return told.response()


async def _data_error(_: Request, error: Exception) -> Response:  # noqa: ARG001  (Starlette's)
    return ApiError(
        422, "text", "a text or number of the request is none that a database holds, such as U+0000"
    ).response()


handlers: dict[Any, Any] = {
    ApiError: _api_error, HTTPException: _http_error, sa.exc.OperationalError: _database_error,
    sa.exc.InterfaceError: _database_error, sa.exc.TimeoutError: _database_error, sa.exc.DataError: _data_error,
}  # fmt: skip
"""For Starlette's ``exception_handlers``."""
