"""Fixtures of the backends' tests: real trainings, a real server, and a network that fails."""

from collections.abc import Iterator

import pytest

from tests.fault_proxy import FaultProxy
from tests.labs import lab
from tests.servers import Server, eventually, own_server

__all__ = ["eventually", "lab", "own_server", "proxy"]


@pytest.fixture
def proxy(own_server: Server) -> Iterator[FaultProxy]:
    """A proxy before the server, which passes everything on until its mode is changed."""
    proxy = FaultProxy(own_server.port)
    yield proxy
    proxy.close()
