"""What is refused before it is looked at: too long an address, too many headers, too many requests."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from autolog.server.errors import ApiError
from autolog.server.http import peers
from autolog.server.limits import Limits

__all__ = ["Buckets", "Gate"]

_BURST = 10.0
"""Seconds' worth of requests that may come at once."""
_MOST = 20_000
_FREE = ("/healthz", "/readyz", "/metrics")
"""What watches a server asks without being counted."""
_DELIVERY = ("/journals", "/uploads/", "/console/")


class Buckets:
    """A token bucket for each of many senders.

    Args:
        rate: tokens a second that flow into each; 0: no limit.
        clock: tells seconds.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._empty_until: dict[str, float] = {}
        """When a bucket would be full again, which says how full it is now; those that are full are not kept."""

    def take(self, key: str) -> float:
        """Take a token of ``key``'s bucket.

        Returns:
            0, or the seconds after which there will be one; none was taken then.
        """
        if not self._rate:
            return 0.0
        now, cost = self._clock(), 1 / self._rate
        full_at = max(now, self._empty_until.get(key, 0.0)) + cost
        if full_at - now > max(_BURST, cost):
            return full_at - now - max(_BURST, cost)
        if len(self._empty_until) >= _MOST:
            self._empty_until = {known: at for known, at in self._empty_until.items() if at > now}
        self._empty_until[key] = full_at
        return 0.0


class Gate:
    """An ASGI middleware.

    Args:
        app: what is behind it.
        limits: of the server.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self._peers = Buckets(limits.peer_rate)
        self._users = Buckets(limits.user_rate)
        self._deliveries = Buckets(limits.ingest_rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "http" and scope["path"] not in _FREE:
            try:
                self._check(Request(scope))
            except ApiError as error:
                await error.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, request: Request) -> None:
        """Whether a request is looked at.

        Raises:
            ApiError: 400, 414, 429 or 431.
        """
        scope, limits = request.scope, self._limits
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > limits.address:
            raise ApiError(414, "address_too_long", f"the address is longer than {limits.address} bytes; send a body")
        if b"%00" in scope["query_string"]:
            raise ApiError(400, "parameter", "a query cannot hold the character U+0000")
        if sum(len(name) + len(value) for name, value in scope["headers"]) > limits.headers:
            raise ApiError(431, "headers_too_long", f"the headers are longer than {limits.headers} bytes")
        network = peers.network_of(peers.address_of(request))
        if request.method in ("POST", "PUT", "GET") and _delivers(scope["path"]):
            wait = self._deliveries.take(network)
        else:
            wait = self._peers.take(network) or self._users.take(_sender(request.headers) or network)
        if wait:
            error = ApiError(429, "rate", "more requests than this server answers to one sender; wait a little")
            error.headers["Retry-After"] = str(max(1, math.ceil(wait)))
            raise error


def _delivers(path: str) -> bool:
    return path.startswith("/api/v1/projects/") and any(part in path for part in _DELIVERY)


def _sender(headers: Headers) -> str:
    """What tells one user from another, without asking the database: the token or session as it was sent."""
    sent = headers.get("authorization") or headers.get("cookie") or ""
    return hashlib.sha256(sent.encode("latin-1")).hexdigest() if sent else ""
