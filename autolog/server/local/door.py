"""Who comes in: only whoever has the secret of the printed address, from a browser that was sent to this machine.

Other users of the machine reach its ports too, and so does any page in the browser, by a name of its own that leads to
127.0.0.1 (DNS rebinding). So the name that was asked for must be this machine's, the secret of the address becomes a
cookie that no script reads, and what changes something must prove that it comes from our page.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from autolog.server.errors import ApiError
from autolog.server.http.endpoint import answer
from autolog.server.http.pages import HEADERS

__all__ = ["Door", "csrf_of", "session"]

_NAMES = ("127.0.0.1", "localhost", "[::1]")
_OPEN = ("/static/", "/healthz")
_ASK = """<!doctype html><html lang="en"><meta charset="utf-8"><title>autolog</title>
<h1>autolog ui</h1>
<p>Open the address that <code>autolog ui</code> printed in its terminal: it holds the key.</p></html>"""


def csrf_of(key: str) -> str:
    """What the page proves its changes by; it says nothing of the key."""
    return hashlib.sha256(b"csrf " + key.encode()).hexdigest()


class Door:
    """Lets those in who have the key, as the server's only user.

    Args:
        app: what is behind the door.
        key: the secret of the printed address; also the token of the user for whom requests go on.
        port: where the server listens: cookies do not know ports apart, so their name does.
    """

    def __init__(self, app: ASGIApp, key: str, port: int) -> None:
        self.app = app
        self.key = key
        self.cookie = f"autolog_ui_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"there is no {scope['type']} here")
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
        token = (b"authorization", f"Bearer {self.key}".encode())
        await self.app({**scope, "headers": [*headers, token]}, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        """Why a request does not come in; ``None``: it does."""
        request = Request(scope)
        host = request.headers.get("host", "")
        if not _is_own(host):
            return ApiError(
                403, "host", f"this is autolog ui on this machine only: http://127.0.0.1, not {host[:80]!r}"
            ).response()
        given = request.query_params.get("key")
        if given is not None and self._fits(given):
            return self._welcome(request)
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if scope["path"].startswith(_OPEN) or (scheme.lower() == "bearer" and self._fits(bearer.strip())):
            return None
        if not self._fits(request.cookies.get(self.cookie, "")):
            return _unknown(scope)
        sent = request.headers.get("x-csrf-token", "")
        if request.method not in ("GET", "HEAD") and not _same(sent, csrf_of(self.key)):
            return ApiError(
                403, "csrf", "changes need the header X-CSRF-Token; GET /api/v1/session tells it"
            ).response()
        return None

    def _fits(self, given: str) -> bool:
        return _same(given, self.key)

    def _welcome(self, request: Request) -> Response:
        """The key becomes a cookie, and disappears from the address."""
        rest = [(name, value) for name, value in request.query_params.multi_items() if name != "key"]
        path = "/" + request.url.path.lstrip("/\\")  # two slashes would lead to another host
        answer = RedirectResponse(path + ("?" + urlencode(rest) if rest else ""), 303)
        answer.set_cookie(self.cookie, self.key, httponly=True, samesite="lax", path="/")
        answer.headers.update(HEADERS | {"Cache-Control": "no-store"})
        return answer


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), known.encode())


def _is_own(host: str) -> bool:
    """Whether a Host header names this machine; at any port, as ``ssh -L`` leads here from another one."""
    name, _, port = host.rpartition(":") if not host.endswith("]") and ":" in host else (host, "", "")
    return name.lower() in _NAMES and (not port or port.isdigit())


def _unknown(scope: Scope) -> Response:
    if scope["path"].startswith("/api/"):
        return ApiError(401, "unauthorized", "open the address that `autolog ui` printed: it holds the key").response()
    return HTMLResponse(_ASK, 401, headers={**HEADERS, "Cache-Control": "no-store"})


async def session(request: Request) -> Response:
    """Who is here, for the page, which asks every server the same."""
    told: dict[str, Any] = {
        "user": None, "csrf": csrf_of(request.app.state.key), "share": None, "everywhere": "admin", "roles": {},
        "local": True,
    }  # fmt: skip
    return answer(told)
