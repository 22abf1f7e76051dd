"""A PostgreSQL of the tests' own, and an S3 API: real processes on free ports, ended by their handles."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.waiting import PATIENCE, until

__all__ = ["Bucket", "Postgres", "bucket", "database_url", "postgres"]


def _binaries() -> Path | None:
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve().parent] if on_path else []
    found += sorted(
        (path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")),
        key=lambda folder: float(folder.parent.name),
    )
    return found[-1] if found else None


def _absent(what: str) -> None:
    """Skip; in CI nothing of this may be left out."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not installed, and CI tests all")
    pytest.skip(f"{what} is not installed")


class Postgres:
    """A cluster in a directory of its own, with fsync on. It compares texts as English does, unless it is told else."""

    def __init__(self, binaries: Path) -> None:
        self.binaries = binaries
        self.folder = Path(tempfile.mkdtemp(prefix="autolog-postgres-"))
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None
        # Root may not run it.
        self._user: dict[str, Any] = (
            {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        )
        if self._user:
            shutil.chown(self.folder, "postgres", "postgres")
        words = ["initdb", "-D", "data", "-U", "autolog", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8",
                 "--locale-provider=icu", "--icu-locale=en-US", "--no-instructions"]  # fmt: skip
        done = subprocess.run(
            [str(binaries / words[0]), *words[1:]], cwd=self.folder, capture_output=True, text=True, check=False,
            **self._user,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.folder), "fsync": "on",
                    "shared_buffers": "64MB", "log_min_messages": "warning"}  # fmt: skip
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.binaries / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), *words],
                cwd=self.folder, stdout=log, stderr=log, **self._user,
            )  # fmt: skip
        until(self._answers)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def end(self, number: int = signal.SIGINT) -> None:
        """End it: SIGINT ends its sessions; SIGQUIT is as good as a crash."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(PATIENCE)
            self.process = None

    def url(self, name: str) -> str:
        return f"postgresql://autolog:secret@127.0.0.1:{self.port}/{name}"

    def ask(self, statement: str, name: str = "postgres") -> list[tuple[object, ...]]:
        """One statement, outside of a transaction."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def create(self) -> str:
        """A new database; its URL."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self.ask(f"CREATE DATABASE {name}")
        return self.url(name)


class Bucket:
    """An S3 API (moto's server) with one bucket."""

    name = "autolog"

    def __init__(self) -> None:
        self.port = _free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until(self._answers)
        request = urllib.request.Request(f"{self.url}/{self.name}", method="PUT", headers=_SIGNED)
        urllib.request.urlopen(request, timeout=PATIENCE).close()

    def _answers(self) -> bool:
        assert self.process.poll() is None, "the S3 API has ended"
        try:
            urllib.request.urlopen(f"{self.url}/moto-api/", timeout=PATIENCE).close()
        except urllib.error.URLError:
            return False
        return True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self, url: str = "") -> dict[str, str]:
        """What a process needs to reach it; or a proxy before it."""
        return {
            "AWS_ENDPOINT_URL": url or self.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }  # fmt: skip

    def end(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)


_CREDENTIAL = "test/20260101/us-east-1/s3/aws4_request"
_SIGNED = {"Authorization": f"AWS4-HMAC-SHA256 Credential={_CREDENTIAL}, SignedHeaders=host, Signature=0"}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """PostgreSQL; tests that end it start it again."""
    binaries = _binaries()
    if binaries is None:
        _absent("PostgreSQL")
        return
    cluster = Postgres(binaries)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.end(signal.SIGQUIT)  # nothing of it is needed any more
        shutil.rmtree(cluster.folder)


@pytest.fixture
def database_url(postgres: Postgres) -> str:
    """The URL of an empty database."""
    return postgres.create()


@pytest.fixture(scope="session")
def bucket() -> Iterator[Bucket]:
    """A bucket; tests use a prefix each."""
    if shutil.which("moto_server", path=str(Path(sys.executable).parent)) is None:
        _absent("moto")
    made = Bucket()
    try:
        yield made
    finally:
        made.end()
