"""Every request is counted, and told in the log: who asked for what, how it was answered, how long it took.

Neither what was sent nor the query is told, nor a path as it came: these may hold what is nobody's business.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autolog.server.errors import ApiError
from autolog.server.watching.metering import Meter
from autolog.server.watching.noting import collect, note

__all__ = ["Observed"]

_ID = re.compile(r"[\w.\-]{1,64}", re.ASCII)
_QUIET = ("/journals/", "/uploads/", "/console/", "/healthz", "/readyz", "/metrics")
"""Deliveries and those who watch ask so often that, where all is well, only the level debug tells of them."""
_log = logging.getLogger("autolog.server.http.requests")


class Observed:
    """An ASGI middleware.

    Args:
        app: what is observed.
        meter: counts.
        routes: how the functions of endpoints are called in the log: their paths.
    """

    def __init__(self, app: ASGIApp, meter: Meter, routes: Mapping[Any, str]) -> None:
        self._app = app
        self._meter = meter
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and watch."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        one = _Request(scope, receive, send, self._meter)
        self._meter.active += 1
        try:
            await self._app(scope, one.receive, one.send)
        except Exception:
            await one.fail()
        finally:
            self._meter.active -= 1
            one.close(self._routes.get(scope.get("endpoint"), "other"))


class _Request:
    def __init__(self, scope: Scope, receive: Receive, send: Send, meter: Meter) -> None:
        self._scope, self._receive, self._send, self._meter = scope, receive, send, meter
        given = Headers(scope=scope).get("x-request-id", "")
        self._id = given if _ID.fullmatch(given) else secrets.token_hex(8)
        self._facts = collect()
        self._began = time.perf_counter()
        self._answered = 0.0
        self._status = 0
        self._taken = self._given = 0
        self._stream = False

    async def receive(self) -> Message:
        """A part of the body."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._taken += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """A part of the answer."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = message.setdefault("headers", [])
            self._stream = any(name == b"content-type" and b"event-stream" in value for name, value in headers)
            message["headers"] = [*headers, (b"x-request-id", self._id.encode())]
            if self._stream:
                self._meter.streams += 1
                self._answered = time.perf_counter()
        else:
            self._given += len(message.get("body", b""))
        await self._send(message)

    async def fail(self) -> None:
        """An error of ours: the log has it, under the id that the client is told."""
        _log.exception("the server failed at a request", extra={"facts": {"request": self._id}})
        note(code="internal")
        if not self._status:
            told = "the server failed at this; its log says why, under this request's id"
            await ApiError(500, "internal", told, request=self._id).response()(self._scope, self._receive, self.send)

    def close(self, route: str) -> None:
        """It is over, one way or another."""
        meter, method = self._meter, self._scope["method"]
        seconds = (self._answered or time.perf_counter()) - self._began
        status = self._status or 500
        meter.requests[method, route, status] += 1
        meter.took(method, route, seconds)
        meter.bytes_in += self._taken
        meter.bytes_out += self._given
        meter.streams -= self._stream
        facts = self._facts
        if "code" in facts:
            meter.refused[facts["code"]] += 1
        quiet = status < 400 and any(part in self._scope["path"] for part in _QUIET)
        level = logging.ERROR if status >= 500 and status not in (503, 507) else logging.INFO
        level = logging.DEBUG if quiet else level
        if _log.isEnabledFor(level):
            names = self._scope.get("path_params", {})
            told = {name: names[name] for name in ("project", "run") if name in names}
            _log.log(level, "request", extra={"facts": {
                "request": self._id, "method": method, "route": route, "status": status,
                "ms": round(1000 * seconds, 1), "bytes_in": self._taken, "bytes_out": self._given, **told, **facts,
            }})  # fmt: skip
