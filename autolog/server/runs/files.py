"""Reading the files of runs: assets, source, consoles. What users have stored is shown, never run."""

from __future__ import annotations

import mimetypes

from starlette.requests import Request
from starlette.responses import Response

from autolog.server import names
from autolog.server.addressing import readable_run
from autolog.server.errors import ApiError
from autolog.server.http.endpoint import Endpoint, Query, answer
from autolog.server.http.requests import in_thread, number
from autolog.server.http.sending import send
from autolog.server.shapes import Text
from autolog.server.storage.contract import Stored

__all__ = ["ENDPOINTS", "console", "file"]

_TAIL = 64 << 10


async def console(request: Request) -> Response:
    service, project, name = await readable_run(request)
    rank = number(request, "rank", 0)
    path, most = f"console.{rank}.log" if rank else "console.log", number(request, "bytes", _TAIL)

    def tail() -> Text:
        stored = service.storage.open((project, name), path)
        return Text(text="", offset=0, size=0) if stored is None else _tail(stored, most)

    return answer(await in_thread(tail))


def _tail(stored: Stored, most: int) -> Text:
    begin = max(0, stored.size - most)
    data = b"".join(stored.read(begin, stored.size))
    return Text(text=data.decode("utf-8", "replace"), offset=begin, size=stored.size)


async def file(request: Request) -> Response:
    """A file of a run, by its path; parts of it by ``Range``."""
    service, project, name = await readable_run(request)
    path = names.check_file(request.path_params["path"])
    stored = await in_thread(service.storage.open, (project, name), path)
    if stored is None:
        raise ApiError(404, "not_found", f"the run has no file {path[:200]!r}")
    framed = _type(path) == "text/html" and request.query_params.get("frame") == "1"
    shown = "inline" if framed or _is_shown(path) else "attachment"
    headers = _FRAMED if framed else _HARMLESS
    saved_as = request.query_params.get("name", path).rpartition("/")[2][:200] or "file"
    return send(request, stored, saved_as, _type(path), shown=shown, headers=headers)


_HARMLESS = {
    "Content-Security-Policy": "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, max-age=3600",
}
"""What users have stored is shown, never run."""
_FRAMED = _HARMLESS | {
    "Content-Security-Policy": (
        "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "img-src data: blob:; font-src data:; media-src data: blob:; frame-ancestors 'self'"
    ),
}
"""HTML that users have stored, in a frame of ours: figures need their own scripts. It has no origin, so no session, no
storage and no reach to the page around it, and it loads and sends nothing."""
_SHOWN = ("image/", "audio/", "video/", "text/plain", "application/json", "application/pdf")


def _type(path: str) -> str:
    if path.endswith((".py", ".log", ".md", ".toml", ".yaml", ".yml", ".cfg", ".txt")):
        return "text/plain"
    return mimetypes.guess_type(path)[0] or "application/octet-stream"


def _is_shown(path: str) -> bool:
    return _type(path).startswith(_SHOWN)


_RUN = "/api/v1/projects/{project}/runs/{run}"
ENDPOINTS = [
    Endpoint(
        "GET", f"{_RUN}/console", console, "The end of the console.", gives=Text, errors=(400, 422),
        query=(Query("rank", int, "of a job"), Query("bytes", int, "at most so many")),
    ),
    Endpoint(
        "GET", f"{_RUN}/files/{{path:path}}", file, "A file of a run.", gives="*/*", errors=(416, 422),
        query=(
            Query("name", str, "what it is called when it is saved"),
            Query("frame", int, "1: HTML as it stands in a frame of the web page, with its own scripts"),
        ),
    ),
]  # fmt: skip
