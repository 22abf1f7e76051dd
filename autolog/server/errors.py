"""What goes wrong in a request, as a client can read it: a status, a word for programs, a sentence for people."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

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
    return error.response()


_CODES = {404: "not_found", 405: "method_not_allowed"}


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  the same
    code = _CODES.get(error.status_code, "bad_request")
    answer = ApiError(error.status_code, code, error.detail).response()
    answer.headers.update(error.headers or {})
    return answer


handlers: dict[Any, Any] = {ApiError: _api_error, HTTPException: _http_error}
"""For Starlette's ``exception_handlers``."""
