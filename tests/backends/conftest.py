"""Fixtures of the backends' tests: real trainings, a real server, and a network that fails."""

from collections.abc import Iterator

import pytest

from tests.fault_proxy import FaultProxy
from tests.labs import lab
from tests.servers import Server, elsewhere, eventually, own_server, server, shared_server, storage_kind
from tests.stores import bucket, postgres

__all__ = [
    "bucket", "elsewhere", "eventually", "lab", "own_server", "postgres", "proxy", "server", "shared_proxy",
    "shared_server", "storage_kind",
]  # fmt: skip


@pytest.fixture
def proxy(own_server: Server) -> Iterator[FaultProxy]:
    """A proxy before the server, which passes everything on until its mode is changed."""
    proxy = FaultProxy(own_server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def shared_proxy(server: Server) -> Iterator[FaultProxy]:
    """The same before a server that is shared."""
    proxy = FaultProxy(server.port)
    yield proxy
    proxy.close()
