"""Fixtures of the server's tests."""

from tests.servers import eventually, own_server, server, shared_server
from tests.stores import bucket, database_url, postgres

__all__ = ["bucket", "database_url", "eventually", "own_server", "postgres", "server", "shared_server"]
