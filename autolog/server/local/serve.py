"""A process that shows a local runs directory: the same application and API as a server's, without users and intake."""

from __future__ import annotations

import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import uvicorn
from starlette.applications import Starlette

from autolog.server import errors
from autolog.server.http import pages
from autolog.server.http.endpoint import Endpoint, routes
from autolog.server.local import cache, door
from autolog.server.local.own_runs import OwnRuns
from autolog.server.local.watch import Watch
from autolog.server.runs import editing, export, files, live, reading, series
from autolog.server.service import Service, service
from autolog.store import layout
from autolog.store.layout import Place

__all__ = ["ENDPOINTS", "application", "serve"]

ENDPOINTS = [
    Endpoint("GET", "/api/v1/session", door.session, "Who is here."),
    *reading.ENDPOINTS,
    *series.ENDPOINTS,
    *files.ENDPOINTS,
    *(each for each in editing.ENDPOINTS if each.method == "PATCH"),
    *export.ENDPOINTS,
    *live.ENDPOINTS,
]


def application(shown: Service, key: str, port: int) -> door.Door:
    """The ASGI application over a service; whoever has the key is let in."""
    app = Starlette(routes=[*routes(ENDPOINTS), *pages.ROUTES], exception_handlers=errors.handlers)
    app.state.service = shown
    app.state.key = key
    return door.Door(app, key, port)


class _Server(uvicorn.Server):
    """Ends streams of news before it waits for requests to end."""

    def __init__(self, config: uvicorn.Config, shown: Service, begun: Callable[[], None]) -> None:
        super().__init__(config)
        self._shown = shown
        self._begun = begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._begun()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._shown.news.close()
        await super().shutdown(sockets)


def _leave(*_: object) -> None:
    sys.exit(0)


def serve(root: Path, port: int, begun: Callable[[str], None]) -> None:
    """Show a runs directory until Ctrl-C or SIGTERM.

    Args:
        root: the runs directory; it may be empty or not there yet.
        port: where to listen on 127.0.0.1; 0: any that is free.
        begun: called with the address to open, once the server answers.

    Raises:
        OSError: the port is taken.
    """
    listener = socket.create_server(("127.0.0.1", port))
    port = listener.getsockname()[1]
    key = secrets.token_urlsafe(24)
    engine = cache.database(root)
    cache.enter(engine, key)
    shown = msgspec.structs.replace(service(root, engine), storage=OwnRuns(root))
    listed = {place[0] for place, _ in layout.run_places(root)}
    cache.list_projects(engine, sorted(listed), only=True)

    def list_project(place: Place) -> None:
        if place[0] not in listed:
            listed.add(place[0])
            cache.list_projects(engine, [place[0]])

    shown.indexer.listeners.insert(0, list_project)
    watch = Watch(root, shown.indexer.changed, shown.news.tell)
    config = uvicorn.Config(
        application(shown, key, port), log_level="warning", access_log=False, server_header=False, lifespan="off",
        timeout_graceful_shutdown=2, h11_max_incomplete_event_size=64 << 10,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}/?key={key}"
    signal.signal(signal.SIGTERM, _leave)  # uvicorn hands the signal on when it has ended
    try:
        shown.indexer.start()
        watch.start()
        _Server(config, shown, lambda: threading.Thread(target=begun, args=(address,), daemon=True).start()).run(
            sockets=[listener]
        )
    finally:
        watch.close()
        shown.indexer.close()
        cache.leave(engine, key)
        engine.dispose()
