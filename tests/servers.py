"""A real server process for tests: started on a free port, killed, started again on the same data and port."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import pytest
import sqlalchemy as sa

from autolog.server import database, tables
from autolog.server.accounts import access
from autolog.server.storage.contract import Storage
from autolog.server.storage.storing import storage_of
from tests.waiting import PATIENCE, until

RUN = "20261122-111134-537-9f3c2a81"


class Answer(NamedTuple):
    """What the server said."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of an error."""
        code: str = self.json["error"]["code"]
        return code


class Server:
    """One server, over a data directory of its own, or over a database and a bucket that others may use too.

    Args:
        folder: where its data directory is made.
        elsewhere: variables that say where its database and files are.
        beside: another server over the same ones.
    """

    def __init__(
        self, folder: Path, elsewhere: Mapping[str, str] | None = None, beside: "Server | None" = None
    ) -> None:  # fmt: skip
        self.data = folder / "data"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("AUTOLOG")}
        self.environment |= elsewhere or {}
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        self.project = "lab"
        self.options: tuple[str, ...] = ()
        """More of ``autolog server start``."""
        engine = database.connect(self.data, self.environment.get("AUTOLOG_SERVER_DATABASE", ""))
        if beside is not None:
            self.admin: str = beside.admin
            self.engine: sa.Engine = engine
            return
        database.migrate(engine)
        with engine.begin() as connection:
            connection.execute(sa.insert(tables.users).values(name="admin", admin=True, created_at=time.time()))
            self.admin = access.issue_token(connection, "admin", "admin")
        self.engine = engine

    def command(self, *words: str) -> str:
        """``autolog server …``; what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "autolog.cli", "server", *words, "--data", str(self.data)],
            env=self.environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def token(self, user: str, role: access.Role = "writer", *, member: bool = False, **options: Any) -> str:
        """A token of a user, who is made where there is none; with ``member`` of the project."""
        with self.engine.begin() as connection:
            known = sa.select(tables.users.c.name).where(tables.users.c.name == user)
            if connection.execute(known).first() is None:
                connection.execute(sa.insert(tables.users).values(name=user, admin=False, created_at=time.time()))
            if member:
                values = {"project": self.project, "user_name": user, "role": role}
                connection.execute(sa.insert(tables.members).values(**values))
            return access.issue_token(connection, user, role, **options)

    @property
    def run(self) -> Path:
        """Where the run of the test lies."""
        return self.data / self.project / RUN

    @property
    def address(self) -> str:
        """The path of the run of the test."""
        return f"/api/v1/projects/{self.project}/runs/{RUN}"

    def start(self) -> None:
        """Start it, on the port it had before if it had one."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "autolog.cli", "server", "start", "--data", str(self.data), "--port",
             str(self.port), "--log-level", "warning", *self.options],
            env=self.environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert "http://127.0.0.1:" in line, line + self.process.stderr.read()
        self.port = int(line.strip().rpartition(":")[2])

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it by a signal, and wait until it is gone."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.communicate(timeout=PATIENCE)
            self.process = None

    def close(self) -> None:
        """End it, and what the test itself has open."""
        self.end()
        self.engine.dispose()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, token: str | None = None, **headers: str
    ) -> Answer:
        """One request, by the admin unless a token is given (``""``: by nobody)."""
        token = self.admin if token is None else token
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            named["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=named)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return Answer(answer.status, answer.read(), dict(answer.headers))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), dict(error.headers))

    def send(self, method: str, path: str, body: Any, **options: Any) -> Answer:
        """As :meth:`ask`, with a body of JSON."""
        return self.ask(method, path, json.dumps(body).encode(), **options)

    def stored(self, path: str) -> bytes | None:
        """What the server has of a file of the test's run, as its storage tells it; none: it has none."""
        with self.storage() as storage:
            found = storage.open((self.project, RUN), path)
            return None if found is None else b"".join(found.read(0, found.size))

    @contextmanager
    def storage(self) -> Iterator[Storage]:
        """Its storage, as the commands of ``autolog server`` open it."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                if name.startswith("AWS_"):
                    patch.setenv(name, value)
            storage = storage_of(self.data, self.engine, self.environment.get("AUTOLOG_SERVER_ASSETS", ""))
        try:
            yield storage
        finally:
            storage.close()

    def append(self, data: bytes, offset: int = 0, **options: Any) -> Answer:
        """Lines of the main journal of the test's run."""
        return self.ask("POST", f"{self.address}/journals/journal.jsonl?offset={offset}", data, **options)


def heard(stream: IO[bytes]) -> bytes:
    """The next line of a stream of news, signs of life left out."""
    while (line := stream.readline()) == b": alive\n":
        stream.readline()
    return line


@pytest.fixture(scope="module")
def storage_kind(request: pytest.FixtureRequest) -> str:
    """``local``, or ``remote``: PostgreSQL and S3. A module that wants both says ``STORAGES = ["local", "remote"]``."""
    return getattr(request, "param", "local")


@pytest.fixture(scope="module")
def elsewhere(storage_kind: str, request: pytest.FixtureRequest) -> Callable[[], dict[str, str]]:
    """``elsewhere()``: variables for a server whose runs are in a database and below a prefix of their own."""

    def made() -> dict[str, str]:
        if storage_kind == "local":
            return {}
        url, bucket = request.getfixturevalue("postgres").create(), request.getfixturevalue("bucket")
        assets = f"s3://{bucket.name}/{url.rpartition('/')[2]}"
        return {"AUTOLOG_SERVER_DATABASE": url, "AUTOLOG_SERVER_ASSETS": assets, **bucket.environment()}

    return made


@pytest.fixture
def own_server(tmp_path: Path, elsewhere: Callable[[], dict[str, str]]) -> Iterator[Server]:
    """A running server that the test may kill."""
    server = Server(tmp_path / "server", elsewhere())
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def shared_server(
    tmp_path_factory: pytest.TempPathFactory, elsewhere: Callable[[], dict[str, str]]
) -> Iterator[Server]:  # fmt: skip
    server = Server(tmp_path_factory.mktemp("server"), elsewhere())
    server.start()
    yield server
    server.close()


@pytest.fixture
def server(shared_server: Server, request: pytest.FixtureRequest) -> Server:
    """A running server that the tests of a file share; each has a project of its own."""
    digest = hashlib.sha256(request.node.nodeid.encode()).hexdigest()
    shared_server.project = f"lab-{digest[:12]}"
    return shared_server


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """``eventually(condition)``: wait for something that has to happen."""
    return until
