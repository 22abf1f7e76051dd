"""A stored file as an answer, whole or a part of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from autolog.server.errors import ApiError
from autolog.server.storage.contract import Stored

__all__ = ["disposition", "send"]

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


def send(request: Request, stored: Stored, name: str, kind: str, *, shown: str, headers: Mapping[str, str]) -> Response:
    """Answer with a file.

    Args:
        request: may ask for a part by ``Range``; of several parts the whole is sent.
        stored: the file.
        name: what it is called when it is saved.
        kind: its media type.
        shown: ``inline`` or ``attachment``.
        headers: more of them.

    Raises:
        ApiError: 416: it has no such part.
    """
    if stored.path is not None:
        return FileResponse(
            stored.path, media_type=kind, headers=headers, filename=name, content_disposition_type=shown
        )  # fmt: skip
    known = {
        **headers, "ETag": f'"{stored.etag}"', "Accept-Ranges": "bytes",
        "Content-Disposition": disposition(shown, name),
    }  # fmt: skip
    begin, end = 0, stored.size
    part = _part(request, stored)
    if part is not None:
        begin, end = part
        known["Content-Range"] = f"bytes {begin}-{end - 1}/{stored.size}"
    known["Content-Length"] = str(end - begin)
    return StreamingResponse(stored.read(begin, end), 200 if part is None else 206, known, kind)


def disposition(shown: str, name: str) -> str:
    """The header ``Content-Disposition`` for a file of any name."""
    plain = re.sub(r"[^ !#-\[\]-~]", "_", name)
    return f"{shown}; filename=\"{plain}\"; filename*=utf-8''{quote(name)}"


def _part(request: Request, stored: Stored) -> tuple[int, int] | None:
    asked = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    same = request.headers.get("if-range", f'"{stored.etag}"') == f'"{stored.etag}"'
    if asked is None or not same or not any(asked.groups()):
        return None
    first, last = asked.groups()
    if first:
        begin, end = int(first), min(int(last) + 1 if last else stored.size, stored.size)
    else:
        begin, end = max(0, stored.size - int(last)), stored.size
    if begin >= end:
        error = ApiError(416, "range", f"the file has {stored.size} bytes", size=stored.size)
        error.headers["Content-Range"] = f"bytes */{stored.size}"
        raise error
    return begin, end
