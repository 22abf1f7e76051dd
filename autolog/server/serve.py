"""A server process: uvicorn around the application, which says where it listens and ends gracefully."""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from types import FrameType

import uvicorn

from autolog.server.app import application
from autolog.server.database import is_postgres
from autolog.server.index.news_feed import Feed
from autolog.server.service import Service
from autolog.server.upkeep.compaction import Compactor
from autolog.server.upkeep.housekeeping import Housekeeper

__all__ = ["serve"]

_GRACE = 10
"""Seconds that requests in progress have after SIGTERM: what was accepted is written."""


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, service: Service, drain: float) -> None:
        super().__init__(config)
        self.service = service
        self.drain = drain
        self.stop_at = math.inf

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]  # uvicorn's socket
        await super().startup(sockets)  # type: ignore[arg-type]  # the same
        for listener in self.servers:
            for socket in listener.sockets:
                host, port = socket.getsockname()[:2]
                sys.stderr.write(f"autolog server: http://{host}:{port}\n")
        sys.stderr.flush()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  uvicorn's
        """The first signal ends the server gracefully, with exit code 0; the second at once."""
        if self.service.stopping.is_set():
            os._exit(128 + sig)
        self.service.stopping.set()  # /readyz says so from now on
        self.stop_at = time.monotonic() + self.drain

    async def on_tick(self, counter: int) -> bool:
        """Whether it is time to end."""
        return await super().on_tick(counter) or time.monotonic() >= self.stop_at

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]  # the same
        self.service.news.close()
        await super().shutdown(sockets)  # type: ignore[arg-type]  # the same


def serve(service: Service, host: str, port: int, *, compact_after: float = 60.0, drain: float = 0.0) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Args:
        service: the server.
        host: address to listen on.
        port: port to listen on; 0: any that is free.
        compact_after: seconds for which a run that has ended must have been quiet to be compacted.
        drain: seconds from SIGTERM, or Ctrl-C, to when no more connections are taken. Meanwhile ``/readyz`` tells a
            balancer to ask others.
    """
    housekeeper = Housekeeper(service)
    compactor = Compactor(service.engine, service.storage, service.data, compact_after)
    feed = Feed(service.engine, service.news) if is_postgres(service.engine) else None
    if feed is not None:
        feed.start()
    service.indexer.start()
    housekeeper.start()
    compactor.start()
    app = application(service)
    config = uvicorn.Config(
        app, host=host, port=port, log_config=None, access_log=False, server_header=False,
        proxy_headers=False,  # whose word is taken is told by `Service.trust_proxy`
        timeout_graceful_shutdown=_GRACE, h11_max_incomplete_event_size=64 << 10, lifespan="off",
    )  # fmt: skip
    try:
        _Server(config, service, drain).run()
    finally:
        app.state.taking.close()
        housekeeper.close()
        compactor.close()
        service.indexer.close()
        if feed is not None:
            feed.close()
        service.storage.close()
        logging.getLogger("autolog.server").info("the server has ended")
