"""The web application's files: one page for every view, its scripts and styles; nothing comes from another host.

Addresses of static files carry a digest of all of them, so that a browser keeps them for good and a new version is
fetched at once, whole.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

__all__ = ["HEADERS", "ROUTES", "page", "static"]

_FOLDER = Path(__file__).parents[1] / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
    ".html": "text/html; charset=utf-8", "": "text/plain; charset=utf-8", ".md": "text/plain; charset=utf-8",
}  # fmt: skip
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
        "connect-src 'self'; font-src 'self'; frame-src 'self' blob:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""Of every page: scripts and styles are our own files, and nobody frames it."""


class _File(NamedTuple):
    """A file as it is sent."""

    data: bytes
    packed: bytes
    kind: str
    tag: str


@cache
def _files() -> dict[str, _File]:
    """All files, by path: a few hundred kilobytes."""
    found = {}
    for path in sorted(_FOLDER.rglob("*")):
        if path.is_file() and path.suffix in _TYPES:
            found[path.relative_to(_FOLDER).as_posix()] = _file(path.read_bytes(), _TYPES[path.suffix])
    return found


def _file(data: bytes, kind: str) -> _File:
    return _File(data, gzip.compress(data, mtime=0), kind, f'"{hashlib.sha256(data).hexdigest()[:32]}"')


@cache
def _version() -> str:
    tags = "".join(f"{path} {file.tag}\n" for path, file in _files().items())
    return hashlib.sha256(tags.encode()).hexdigest()[:16]


@cache
def _page() -> _File:
    """The page, with the addresses of this version's files; scripts are named ahead, so that none waits for another."""
    files = _files()
    modules = [path for path in files if path.endswith(".js") and path != "js/main.js"]
    ahead = "\n    ".join(f'<link rel="modulepreload" href="STATIC/{path}">' for path in modules)
    text = files["index.html"].data.decode().replace("<!-- modules -->", ahead)
    return _file(text.replace("STATIC", f"/static/{_version()}").encode(), _TYPES[".html"])


def _answer(request: Request, file: _File, caching: str) -> Response:
    headers = {**HEADERS, "Cache-Control": caching, "ETag": file.tag, "Vary": "Accept-Encoding"}
    known = request.headers.get("if-none-match", "")
    if file.tag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(file.packed, headers=headers, media_type=file.kind)
    return Response(file.data, headers=headers, media_type=file.kind)


async def page(request: Request) -> Response:
    """The web application; which view it shows, its script reads from the address."""
    return _answer(request, _page(), "no-cache")


async def static(request: Request) -> Response:
    """A file of the web application; one of an older version's address is told not to be kept."""
    file = _files().get(request.path_params["path"])
    if file is None or request.path_params["path"] == "index.html":
        raise HTTPException(404, "the web application has no such file")
    current = request.path_params["version"] == _version()
    return _answer(request, file, "public, max-age=31536000, immutable" if current else "no-cache")


ROUTES = [
    Route("/static/{version}/{path:path}", static),
    *(
        Route(path, page)
        for path in (
            "/", "/sign-in", "/share", "/invitation", "/account", "/users", "/projects/{project}",
            "/projects/{project}/{view:path}",
        )
    ),
]  # fmt: skip
"""For Starlette; they are no part of the API. GET and HEAD."""
