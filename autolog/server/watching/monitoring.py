"""``/metrics``: what Prometheus asks, for those who watch the server."""

from __future__ import annotations

import shutil
import time

import psutil
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from autolog.server import tables
from autolog.server.accounts import access
from autolog.server.errors import ApiError
from autolog.server.http.endpoint import Endpoint
from autolog.server.http.requests import asking, in_thread, service_of
from autolog.server.service import Service
from autolog.server.watching.metering import Family, exposition
from autolog.version import VERSION

__all__ = ["ENDPOINTS", "metrics"]

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_LOCAL = ("127.0.0.1", "::1", "::ffff:127.0.0.1")


async def metrics(request: Request) -> Response:
    """Counts and gauges. Who asks from the server's own machine, and not through a proxy, needs no token."""
    direct = not any(name in request.headers for name in _FORWARDED)
    if not (direct and request.client is not None and request.client.host in _LOCAL):
        who = access.known(await asking(request))
        if who.everywhere is None:
            raise ApiError(403, "forbidden", "this token is not for watching the server: one of an admin is")
    service = service_of(request)
    counted = service.meter.families()
    gauges = await in_thread(_gauges, service)
    return Response(exposition([*counted, *gauges]), media_type="text/plain; version=0.0.4")


def _gauges(service: Service) -> list[Family]:
    runs = tables.INDEX["runs"].c
    with service.engine.connect() as connection:
        statuses = connection.execute(sa.select(runs.status, sa.func.count()).group_by(runs.status)).all()
    waiting, oldest = service.indexer.lag()
    process = psutil.Process()
    with process.oneshot():
        cpu, memory, begun = process.cpu_times(), process.memory_info().rss, process.create_time()
        descriptors = process.num_fds()
    return [
        Family(
            "autolog_runs", "gauge", "Runs in the index, by status.",
            [("", {"status": status}, float(count)) for status, count in sorted(statuses)],
        ),
        _gauge("autolog_index_ready", "Whether the index has caught up with what was there at the start.",
               service.indexer.ready.is_set()),
        _gauge("autolog_index_waiting", "Runs with news that are not in the index yet.", waiting),
        _gauge("autolog_index_lag_seconds", "For how long the oldest of these has waited.", oldest),
        _gauge("autolog_disk_free_bytes", "Free space where the data directory is.",
               shutil.disk_usage(service.data).free),
        Family("autolog_build_info", "gauge", "The server's version.", [("", {"version": VERSION}, 1.0)]),
        _gauge("process_resident_memory_bytes", "Resident memory.", memory),
        Family("process_cpu_seconds_total", "counter", "Processor time, user and system.",
               [("", {}, cpu.user + cpu.system)]),
        _gauge("process_open_fds", "Open file descriptors.", descriptors),
        _gauge("process_start_time_seconds", "When the process began, in seconds since 1970.", begun),
        _gauge("autolog_scrape_time_seconds", "The server's clock.", time.time()),
    ]  # fmt: skip


def _gauge(name: str, about: str, value: float) -> Family:
    return Family(name, "gauge", about, [("", {}, float(value))])


ENDPOINTS = [
    Endpoint("GET", "/metrics", metrics, "Counts and gauges, as Prometheus reads them.", gives="text/plain"),
]
