"""Taking files of runs: assets and sources by their hash, in pieces that can be resumed; consoles as they grow."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from autolog.server import names
from autolog.server.addressing import begin_project, delivered_run
from autolog.server.errors import ApiError
from autolog.server.http import body
from autolog.server.http.endpoint import Endpoint, Query, answer
from autolog.server.http.requests import in_thread, number
from autolog.server.intake.admission import admit
from autolog.server.service import Service
from autolog.server.shapes import Appended, Upload
from autolog.server.storage.contract import Wanted
from autolog.store.layout import Place

__all__ = ["ENDPOINTS", "console", "put", "state"]

_HASH = re.compile(r"[0-9a-f]{64}")
_CONSOLE = re.compile(r"console(?:\.[\w\-]{1,64})?\.log")


async def state(request: Request) -> Response:
    """Whether a file is here, or how much of it."""
    service, project, run = await delivered_run(request)
    path, digest = _wanted(request)
    return answer(await in_thread(service.storage.received, (project, run), path, digest))


async def put(request: Request) -> Response:
    """Take a piece of a file at an offset; with the last one the file is checked against its hash and appears."""
    service, project, run = await delivered_run(request)
    path, digest = _wanted(request)
    offset, size = number(request, "offset", 0), number(request, "size")
    data = await body.read(request, service.limits.file)
    if offset + len(data) > size:
        raise ApiError(400, "too_long", f"the file is said to have {size} bytes; this piece ends beyond", size=size)
    if offset == 0:
        await begin_project(request)
    wanted = Wanted(path, digest, size)
    return answer(await in_thread(_put, service, (project, run), wanted, offset, data))


def _put(service: Service, place: Place, wanted: Wanted, offset: int, data: bytes) -> Upload:
    admit(service, place, len(data), begins=True)
    return service.storage.receive(place, wanted, offset, data)


def _wanted(request: Request) -> tuple[str, str]:
    path = names.check_file(request.path_params["path"])
    digest = request.query_params.get("sha256", "")
    if not _HASH.fullmatch(digest):
        raise ApiError(400, "parameter", "the query needs sha256=, the hash of the whole file", name="sha256")
    if path.startswith("assets/") and digest not in path.rpartition("/")[2]:
        raise ApiError(422, "file_path", "an asset is stored under its hash")
    return path, digest


async def console(request: Request) -> Response:
    """Take the end of a console from an offset on; what was there from that offset on is replaced."""
    service, project, run = await delivered_run(request)
    name = request.path_params["name"]
    if not _CONSOLE.fullmatch(name):
        raise ApiError(422, "console_name", f"{name[:80]!r} is no console, such as console.log or console.1.log")
    offset = number(request, "offset")
    data = await body.read(request, service.limits.file)
    if offset == 0:
        await begin_project(request)
    return answer(Appended(size=await in_thread(_overwrite, service, (project, run), name, offset, data)))


def _overwrite(service: Service, place: Place, name: str, offset: int, data: bytes) -> int:
    admit(service, place, len(data), begins=True)
    size = service.storage.overwrite(place, name, offset, data)
    service.indexer.changed(place)  # nothing for the index, but pages that follow the console hear of it
    return size


_RUN = "/api/v1/projects/{project}/runs/{run}"
_HASHED = Query("sha256", str, "hash of the whole file, hexadecimal", required=True)
_SIZE = Query("size", int, "bytes of the whole file", required=True)
ENDPOINTS = [
    Endpoint(
        "GET", f"{_RUN}/uploads/{{path:path}}", state, "How much of a file is here.", gives=Upload, query=(_HASHED,),
        errors=(400, 422),
    ),
    Endpoint(
        "PUT", f"{_RUN}/uploads/{{path:path}}", put, "Take a piece of a file.", takes=bytes, gives=Upload,
        query=(_HASHED, _SIZE, Query("offset", int, "where the piece begins")), errors=(409, 410, 422, 503, 507),
    ),
    Endpoint(
        "PUT", f"{_RUN}/console/{{name}}", console, "Replace the end of a console.", takes=bytes, gives=Appended,
        query=(Query("offset", int, "from where on", required=True),), errors=(409, 410, 422, 503, 507),
    ),
]  # fmt: skip
