"""Fixtures of the server's tests."""

import pytest

from tests.servers import elsewhere, eventually, own_server, server, shared_server, storage_kind
from tests.stores import bucket, database_url, postgres

__all__ = [
    "bucket", "database_url", "elsewhere", "eventually", "own_server", "postgres", "pytest_generate_tests", "server",
    "shared_server", "storage_kind",
]  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    kinds = getattr(metafunc.module, "STORAGES", ["local"])
    if "storage_kind" in metafunc.fixturenames and kinds != ["local"]:
        metafunc.parametrize("storage_kind", kinds, indirect=True, scope="module")
