"""Two servers over one PostgreSQL and one bucket: the same runs, whoever is asked, and whoever is killed."""

from __future__ import annotations

import hashlib
import http.client
import itertools
import json
import signal
import threading
import urllib.error
import urllib.request

import pytest
import sqlalchemy as sa

from autolog.server.storage import tables as storage_tables
from tests.balancer import Balancer
from tests.fault_proxy import FaultProxy
from tests.servers import RUN, Server
from tests.waiting import PATIENCE

STORAGES = ["remote"]
HEADER = {"type": "run", "time": 1.0, "name": "calm-otter-01", "project": "lab"}


def line(**record):
    return json.dumps(record).encode() + b"\n"


def points(first, number):
    return b"".join(
        line(type="metrics", time=2.0 + step, values={"loss": 1 / (1 + step)}, step=step)
        for step in range(first, first + number)
    )


@pytest.fixture(scope="module")
def servers(tmp_path_factory, elsewhere):
    """Two servers that have nothing in common but the database and the bucket."""
    variables, folder = elsewhere(), tmp_path_factory.mktemp("servers")
    first = Server(folder / "first", variables)
    second = Server(folder / "second", variables, beside=first)
    for server in (first, second):
        # Nobody reads what it says while it cannot reach the database.
        server.options = ("--log-level", "error", "--compact-after", "0.2")
        server.start()
    yield first, second
    for server in (first, second):
        server.close()


@pytest.fixture
def pair(servers, request):
    """The two; each test has a project of its own."""
    for server in servers:
        server.project = f"lab-{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]}"
        server.base = f"/api/v1/projects/{server.project}"
        if server.process is None:
            server.start()
    return servers


@pytest.fixture
def balancer(pair):
    made = Balancer([server.port for server in pair])
    yield made
    made.close()


def run_id(number):
    return f"20261122-111134-537-{number:08x}"


class Sender(threading.Thread):
    """Appends to a journal without end, as a client does: what was not answered is sent again."""

    def __init__(self, url, server, run, journal, header):
        super().__init__()
        self.base = f"{url}{server.base}/runs/{run}/journals/{journal}"
        self.token, self.place = server.admin, (run, journal)
        self.sent = header
        self.acknowledged = 0
        self.answers = 0
        self.problem = None
        self.stop = threading.Event()

    def run(self):
        try:
            for number in itertools.count():
                if self.stop.is_set():
                    return
                self.sent += points(20 * number, 20)
                while not self.take(self.sent[self.acknowledged :]) and not self.stop.is_set():
                    pass
        except Exception as problem:
            self.problem = problem

    def take(self, data):
        request = urllib.request.Request(
            f"{self.base}?offset={self.acknowledged}", data=data, headers={"Authorization": f"Bearer {self.token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                size = json.loads(answer.read())["size"]
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise AssertionError(error.read()) from error
            return False
        except (OSError, http.client.HTTPException):  # the server is gone
            return False
        assert size == len(self.sent)
        self.acknowledged = size
        self.answers += 1
        return True

    def is_all_in(self, stored):
        """Whether all that was acknowledged is stored, and nothing but what was sent."""
        data = b"".join(stored.read(0, stored.size))
        return stored.size == len(data) >= self.acknowledged and self.sent.startswith(data)


def test_a_run_that_has_ended_moves_into_the_bucket_and_is_read_there(pair, bucket, eventually):
    """As Parquet by other programs, and as journals by both servers."""
    from pyarrow import dataset, fs

    first, second = pair
    body = line(**HEADER, id=RUN) + points(0, 50) + line(type="end", time=100.0, status="completed", exit_code=0)
    assert first.append(body).status == 200
    chunks, streams = storage_tables.chunks, storage_tables.streams
    mine = chunks.c.stream.in_(sa.select(streams.c.stream).where(streams.c.project == first.project))

    def packed():
        with first.engine.connect() as connection:
            return not connection.execute(sa.select(sa.func.count()).select_from(chunks).where(mine)).scalar()

    eventually(packed)
    at = f"{first.environment['AUTOLOG_SERVER_ASSETS'].removeprefix('s3://')}/parquet/project={first.project}"
    reach = fs.S3FileSystem(access_key="test", secret_key="test", endpoint_override=bucket.url, region="us-east-1")
    table = dataset.dataset(at, filesystem=reach, format="parquet", partitioning="hive", exclude_invalid_files=True)
    read = table.to_table(columns=["step", "value"]).to_pydict()
    assert read == {"step": list(range(50)), "value": [1 / (1 + step) for step in range(50)]}
    for server in pair:
        (series,) = server.ask("GET", f"{server.address}/series?metric=loss").json["series"]
        assert (series["steps"], series["values"]) == (read["step"], read["value"])
        assert server.append(body).json == {"size": len(body)}
    assert second.stored("journal.jsonl") == body
    assert second.append(points(50, 1), len(body)).status == 200  # a run that is resumed
    for server in pair:
        (series,) = server.ask("GET", f"{server.address}/series?metric=loss").json["series"]
        assert len(series["steps"]) == 51


def test_killing_either_loses_nothing_that_was_acknowledged(pair, balancer, eventually):
    senders = [
        Sender(balancer.url, pair[0], run_id(n), name, line(**HEADER, id=run_id(n), role=role, rank=rank))
        for n in range(2)
        for name, role, rank in [("journal.jsonl", "main", 0), ("journal.1.jsonl", "rank", 1)]
    ]
    for sender in senders:
        sender.start()
    try:
        for killed in pair:
            before = [sender.answers for sender in senders]
            eventually(lambda before=before: all(s.answers > b + 3 for s, b in zip(senders, before, strict=True)))
            killed.end(signal.SIGKILL)
            before = [sender.answers for sender in senders]
            eventually(lambda before=before: all(s.answers > b + 3 for s, b in zip(senders, before, strict=True)))
            killed.start()
    finally:
        for sender in senders:
            sender.stop.set()
        for sender in senders:
            sender.join()
    assert [sender.problem for sender in senders] == [None] * len(senders)
    assert min(balancer.passed) > 5
    with pair[1].storage() as storage:
        for sender in senders:
            run, journal = sender.place
            assert sender.is_all_in(storage.open((pair[1].project, run), journal))
    expected = senders[0].sent[: senders[0].acknowledged].count(b"\n") - 1

    def told(server):
        told = server.ask("GET", f"{server.base}/runs?sort=id&columns=metrics.loss,metrics.loss.count").json
        return told if told["runs"] and told["runs"][0]["values"]["metrics.loss.count"] >= expected else None

    # The index of the last appends may be made between two questions.
    eventually(lambda: (known := told(pair[0])) is not None and known == told(pair[1]))
    for path in (f"runs/{run_id(0)}/series?metric=loss&points=100", "columns", f"runs/{run_id(1)}/journals"):
        assert pair[0].ask("GET", f"{pair[0].base}/{path}").status == 200
        eventually(lambda path=path: len({server.ask("GET", f"{server.base}/{path}").body for server in pair}) == 1)
    first, second = (server.ask("GET", f"{server.base}/runs/{run_id(1)}").json for server in pair)
    del first["duration"], second["duration"]
    assert first == second


def test_a_database_that_crashes_loses_nothing_that_was_acknowledged(pair, balancer, postgres, eventually):
    senders = [
        Sender(balancer.url, pair[0], run_id(n), "journal.jsonl", line(**HEADER, id=run_id(n))) for n in range(4)
    ]
    for sender in senders:
        sender.start()
    try:
        eventually(lambda: all(sender.answers > 5 for sender in senders))
        postgres.end(signal.SIGQUIT)
        refused = pair[0].append(points(0, 1), 10_000)
        assert (refused.status, refused.code) == (503, "database")
        assert refused.headers["retry-after"]
        assert pair[0].ask("GET", "/healthz", token="").status == 200
        assert pair[0].ask("GET", "/readyz", token="").status == 503
        postgres.start()
        before = [sender.answers for sender in senders]
        eventually(lambda: all(s.answers > b + 3 for s, b in zip(senders, before, strict=True)))
    finally:
        if postgres.process is None:
            postgres.start()
        for sender in senders:
            sender.stop.set()
        for sender in senders:
            sender.join()
    assert [sender.problem for sender in senders] == [None] * len(senders)
    for server in pair:
        server.engine.dispose()  # the test's own connections of before
    with pair[0].storage() as storage:
        for sender in senders:
            assert sender.is_all_in(storage.open((pair[0].project, sender.place[0]), "journal.jsonl"))


def test_what_one_server_takes_the_other_goes_on_with(pair):
    first, second = pair
    header = line(**HEADER, id=RUN)
    assert first.append(header + points(0, 5)).status == 200
    assert second.append(points(5, 5), len(header + points(0, 5))).status == 200
    assert first.append(points(0, 10), len(header)).json == {"size": len(header + points(0, 10))}
    for server in pair:
        (series,) = server.ask("GET", f"{server.address}/series?metric=loss").json["series"]
        assert series["steps"] == list(range(10))

    content = bytes(range(256)) * 40_000  # 10 MB: the whole is an upload in parts
    digest = hashlib.sha256(content).hexdigest()
    path = f"/uploads/assets/{digest}.bin?sha256={digest}"
    half = len(content) // 2
    for server, offset, piece in [(first, 0, content[:half]), (second, half, content[half:])]:
        assert server.ask("GET", server.address + path).json == {"complete": False, "size": offset}
        answer = server.ask("PUT", f"{server.address}{path}&size={len(content)}&offset={offset}", piece)
        assert answer.json["size"] == offset + len(piece)
    for server in pair:
        assert server.ask("GET", server.address + path).json == {"complete": True, "size": len(content)}
        assert server.ask("GET", f"{server.address}/files/assets/{digest}.bin").body == content
        part = server.ask("GET", f"{server.address}/files/assets/{digest}.bin", Range="bytes=300-305")
        assert (part.status, part.body) == (206, content[300:306])
        assert part.headers["content-range"] == f"bytes 300-305/{len(content)}"
        last = server.ask("GET", f"{server.address}/files/assets/{digest}.bin", Range="bytes=-4")
        assert (last.status, last.body) == (206, content[-4:])
        beyond = server.ask("GET", f"{server.address}/files/assets/{digest}.bin", Range=f"bytes={len(content)}-")
        assert beyond.status == 416

    console = f"{first.address}/console/console.log?offset="
    assert first.ask("PUT", console + "0", b"one\n50%").json == {"size": 7}
    assert second.ask("PUT", console + "4", b"100%\n").json == {"size": 9}
    assert first.ask("GET", f"{first.address}/console").json["text"] == "one\n100%\n"


def test_news_of_one_server_are_told_by_the_other(pair, eventually):
    first, second = pair
    assert first.append(line(**HEADER, id=RUN)).status == 200
    eventually(lambda: second.ask("GET", f"{second.base}/runs").json["total"] == 1)

    def listen(server, since=""):
        request = urllib.request.Request(
            f"{server.url}{server.base}/live?since={since}", headers={"Authorization": f"Bearer {server.admin}"}
        )
        return urllib.request.urlopen(request, timeout=PATIENCE)

    def event(stream):
        """The next one, as its number, kind and data."""
        found = {}
        while chunk := stream.readline().strip():
            name, _, text = chunk.partition(b": ")
            found[name] = text
        # After the database was away, a server says once that anything may have changed.
        known = found.get(b"event") == b"run"
        return (int(found[b"id"]), found[b"event"], found[b"data"]) if known else event(stream)

    with listen(second) as stream:
        assert stream.readline() == b": welcome\n"
        stream.readline()
        first.append(points(0, 3), len(line(**HEADER, id=RUN)))
        number, kind, data = event(stream)
        assert (kind, json.loads(data)) == (b"run", {"run": RUN})
    other = run_id(7)
    path = f"{first.base}/runs/{other}/journals/journal.jsonl?offset=0"
    assert first.ask("POST", path, line(**HEADER, id=other)).status == 200
    eventually(lambda: second.ask("GET", f"{second.base}/runs").json["total"] == 2)
    with listen(first, number) as stream:  # a number means the same on both
        stream.readline(), stream.readline()
        heard = set()
        while other not in heard:
            _, kind, data = event(stream)
            assert kind == b"run"
            heard.add(json.loads(data)["run"])


def test_a_run_that_was_taken_away_is_gone_everywhere(pair):
    first, second = pair
    first.append(line(**HEADER, id=RUN) + points(0, 3))
    for server in pair:
        assert server.ask("GET", server.address).json["metrics"]["loss"]["count"] == 3
    assert first.ask("DELETE", first.address).status == 200
    assert second.ask("GET", second.address).status == 404
    assert second.ask("GET", f"{second.base}/runs").json["total"] == 0
    assert second.ask("POST", f"{second.address}/restore").status == 200
    for server in pair:
        assert server.ask("GET", server.address).json["metrics"]["loss"]["count"] == 3


def test_the_index_of_a_server_that_is_gone_is_brought_up_to_date_by_the_other(pair, eventually):
    """What was taken by a server that was killed before it indexed it."""
    first, second = pair
    with first.storage() as storage:  # as a server does, which is then killed
        storage.append((first.project, RUN), "journal.jsonl", 0, line(**HEADER, id=RUN) + points(0, 3))
        assert (first.project, RUN) in storage.behind()
    eventually(lambda: second.ask("GET", f"{second.base}/runs").json["total"] == 1)
    with first.storage() as storage:
        eventually(lambda: (first.project, RUN) not in storage.behind())


def test_without_the_bucket_files_are_refused_and_journals_are_taken(tmp_path, elsewhere, bucket):
    variables = elsewhere()
    proxy = FaultProxy(bucket.port)
    server = Server(tmp_path / "server", variables | bucket.environment(proxy.url))
    server.start()
    try:
        content = b"weights"
        digest = hashlib.sha256(content).hexdigest()
        path = f"{server.address}/uploads/assets/{digest}.bin?sha256={digest}&size={len(content)}"
        proxy.mode = "refuse"
        refused = server.ask("PUT", path, content)
        assert (refused.status, refused.code) == (503, "storage")
        assert refused.headers["retry-after"]
        assert server.ask("GET", "/healthz", token="").status == 200
        assert server.ask("GET", "/readyz", token="").status == 503
        assert server.append(line(**HEADER, id=RUN)).status == 200
        proxy.mode = "pass"
        assert server.ask("GET", path.partition("&size")[0]).json == {"complete": False, "size": 0}
        assert server.ask("GET", f"{server.address}/files/assets/{digest}.bin").status == 404
        assert server.ask("PUT", path, content).json == {"complete": True, "size": len(content)}
        assert server.ask("GET", "/readyz", token="").status == 200
        assert server.stored(f"assets/{digest}.bin") == content
    finally:
        server.close()
        proxy.close()
