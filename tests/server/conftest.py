"""Fixtures of the server's tests."""

from tests.servers import eventually, own_server, server, shared_server

__all__ = ["eventually", "own_server", "server", "shared_server"]
