"""Fixtures of the chaos tests: real trainings, a server on one machine or over PostgreSQL and S3."""

from tests.labs import lab
from tests.servers import elsewhere, own_server, storage_kind
from tests.stores import bucket, postgres

__all__ = ["bucket", "elsewhere", "lab", "own_server", "postgres", "storage_kind"]
