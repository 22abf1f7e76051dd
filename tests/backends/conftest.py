"""Fixtures of the backends' tests: real trainings, a real server, and a network that fails."""

from collections.abc import Iterator

import pytest

from tests.behind_tls import certificate, tls
from tests.fault_proxy import FaultProxy
from tests.forward_proxy import ForwardProxy
from tests.labs import lab
from tests.servers import Server, elsewhere, eventually, own_server, server, shared_server, storage_kind
from tests.stores import bucket, postgres

__all__ = [
    "bucket", "certificate", "elsewhere", "eventually", "forward_proxy", "lab", "own_server", "postgres", "proxy",
    "server", "shared_proxy", "shared_server", "storage_kind", "tls",
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


@pytest.fixture
def forward_proxy() -> Iterator[ForwardProxy]:
    """A proxy that passes on what it is asked for, and keeps what that was."""
    proxy = ForwardProxy()
    yield proxy
    proxy.close()
