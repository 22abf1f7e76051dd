"""Requests that another site has made a browser send, with the cookie that the browser keeps for us: refused."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.requests import Request

from autolog.server.accounts.sessions import COOKIE, csrf_of
from autolog.server.errors import ApiError
from autolog.server.http import peers

__all__ = ["check_csrf", "check_site", "is_harmless"]


def is_harmless(request: Request) -> bool:
    """Whether a request only reads."""
    return request.method in ("GET", "HEAD")


def check_site(request: Request) -> None:
    """Refuse what a page of another site sends. Clients that are no browsers send nothing to know it by.

    Raises:
        ApiError: 403.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        ours = site in ("same-origin", "none")
    else:
        ours = origin is None or urlsplit(origin).netloc.lower() == peers.host_of(request).lower()
    if not ours:
        raise ApiError(403, "cross_site", "a page of another site cannot do this")


def check_csrf(request: Request) -> None:
    """Refuse what does not come from a page of ours: it knows what belongs to its session's cookie.

    Raises:
        ApiError: 403.
    """
    check_site(request)
    sent, expected = request.headers.get("x-csrf-token", ""), csrf_of(request.cookies[COOKIE])
    if not hmac.compare_digest(sent.encode("latin-1", "replace"), expected.encode()):
        raise ApiError(403, "csrf", "with a session this needs the header X-CSRF-Token; GET /api/v1/session tells it")
