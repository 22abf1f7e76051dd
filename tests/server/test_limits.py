"""What a server refuses before it reads: too much at once, too often, too slowly, too deep; with words for programs."""

import json
import socket
import time

import anyio
import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from autolog.server.errors import ApiError
from autolog.server.http import body
from autolog.server.http.depth import is_deep
from autolog.server.http.gate import Buckets
from tests.servers import RUN, Server
from tests.waiting import PATIENCE

HEADER = b'{"type":"run","time":1.0,"id":"%s","name":"calm-otter-01","project":"lab"}\n' % RUN.encode()


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_a_bucket_lets_ten_seconds_worth_through_and_then_the_rate():
    clock = Clock()
    buckets = Buckets(2.0, clock)
    assert [buckets.take("a") for _ in range(20)] == [0.0] * 20
    assert buckets.take("a") == pytest.approx(0.5)
    assert buckets.take("b") == 0.0  # another sender's is full
    clock.now += 0.5
    assert buckets.take("a") == 0.0
    assert buckets.take("a") > 0
    clock.now += 1000
    assert [buckets.take("a") for _ in range(20)] == [0.0] * 20
    assert buckets.take("a") > 0  # and holds no more than that
    assert Buckets(0.0, clock).take("a") == 0.0


def test_a_rate_below_one_a_second_lets_one_through():
    buckets = Buckets(0.01, Clock())
    assert buckets.take("a") == 0.0
    assert buckets.take("a") == pytest.approx(100)


@pytest.fixture
def server_with(tmp_path):
    """``server_with(USER_RATE="1")``: a running server with these settings."""
    started = []

    def start(**settings):
        server = Server(tmp_path / "server")
        server.environment |= {f"AUTOLOG_SERVER_{name}": value for name, value in settings.items()}
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.close()


def test_a_user_who_asks_too_often_is_told_when_to_come_again(server_with):
    server = server_with(USER_RATE="0.005")  # one at once, the next after minutes
    answers = [server.ask("GET", "/api/v1/me") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 429, 429]
    assert answers[-1].code == "rate"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 200
    assert server.ask("GET", "/api/v1/me", token=server.token("other")).status == 200  # another user
    assert server.ask("GET", "/healthz", token="").status == 200  # whoever watches is not counted
    server.project = "mine"
    for _ in range(20):  # and those who deliver are counted apart
        assert server.append(HEADER).status == 200


def test_from_an_address_there_is_no_end_of_users(server_with):
    server = server_with(PEER_RATE="0.005")
    assert server.ask("GET", "/api/v1/me").status == 200
    refused = server.ask("GET", "/api/v1/me", token=server.token("other"))
    assert (refused.status, refused.code) == (429, "rate")
    assert server.ask("GET", "/healthz", token="").status == 200
    server.project = "mine"
    assert server.append(HEADER).status == 200


def test_long_addresses_and_headers(server):
    long = server.ask("GET", f"/api/v1/projects?x={'y' * 20_000}")
    assert (long.status, long.code) == (414, "address_too_long")
    headers = server.ask("GET", "/api/v1/projects", **{f"x_{n}": "y" * 1000 for n in range(40)})
    assert (headers.status, headers.code) == (431, "headers_too_long")


def test_no_text_holds_what_no_database_takes(server):
    assert server.append(HEADER).status == 200
    base = f"/api/v1/projects/{server.project}"
    query = server.ask("GET", f"{base}/runs?sort=params.%00")
    assert (query.status, query.code) == (400, "parameter")
    body = server.ask("POST", f"{base}/series", b'{"runs":["%s"],"metrics":["a\\u0000"]}' % RUN.encode())
    assert (body.status, body.code) == (422, "text")
    written = server.ask("POST", f"{base}/series", b'{"runs":["%s"],"metrics":["a\\\\u0000"]}' % RUN.encode())
    assert written.json == {"series": []}  # a backslash and digits


def test_a_query_has_bounds(server, eventually):
    assert server.append(HEADER).status == 200
    base = f"/api/v1/projects/{server.project}/runs?where="
    assert server.ask("GET", f"{base}{'x' * 10_001}").code == "query"
    assert server.ask("GET", base + "or%20".join(["name%20==%20'a'%20"] * 300)).code == "query"
    assert server.ask("GET", base + "not%20" * 2000 + "name").code == "query"
    assert server.ask("GET", base + "(" * 1000 + "name" + ")" * 1000).code == "query"


@pytest.mark.parametrize("value", [b"[" * 200 + b"]" * 200, b'{"a":' * 5000 + b"1" + b"}" * 5000, b"[" * 100_000])
def test_what_is_nested_beyond_reason_is_refused(server, value):
    answer = server.append(HEADER + b'{"type":"params","time":1.0,"values":{"a":' + value + b"}}\n")
    assert (answer.status, answer.code, answer.json["error"]["line"]) == (422, "too_deep", 2)
    assert not server.run.exists()


def test_a_clock_that_is_ahead_is_told_once_and_changes_nothing(server):
    ahead = HEADER.replace(b'"time":1.0', b'"host":"gpu7","time":%d.0' % (time.time() + 86400))
    for _ in range(2):
        assert server.append(ahead).status == 200
    assert (server.run / "journal.jsonl").read_bytes() == ahead
    (notice,) = server.ask("GET", server.address).json["health"]["notices"]
    assert (notice["where"], notice["count"]) == ("clock", 1)
    assert "the clock of gpu7 was 86" in notice["detail"]
    server.project += "-2"
    assert server.append(HEADER).status == 200  # what is old may have waited for long
    assert server.ask("GET", server.address).json["health"]["notices"] == []


def test_depth_is_that_of_brackets_outside_of_texts():
    assert not is_deep(json.dumps({"a": "[" * 500, "b": ['\\"[' * 100] * 100, "c": [[]] * 300}).encode())
    assert is_deep(b"[" * 101)
    assert not is_deep(b"[" * 100)


def test_a_body_that_trickles_is_ended(monkeypatch):
    """The rule itself with a grace of nothing: what comes by a real connection is told apart by the same clock."""
    monkeypatch.setattr(body, "_GRACE", 0.05)

    async def app(scope, receive, send):
        async def never():
            await anyio.sleep_forever()

        first = [{"type": "http.request", "body": b"x", "more_body": True}]

        async def slowly():
            return first.pop() if first else await never()

        try:
            await body.read(Request(scope, slowly), 1000, rate=1e9)
        except ApiError as error:
            await error.response()(scope, receive, send)

    answer = TestClient(app).post("/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (408, "slow")


def test_a_body_that_is_cut_off_leaves_nothing(server):
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        head = (
            f"POST {server.address}/journals/journal.jsonl?offset=0 HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {server.admin}\r\nContent-Length: 100000\r\n\r\n"
        )
        client.sendall(head.encode() + HEADER)
        client.shutdown(socket.SHUT_WR)
        client.settimeout(PATIENCE)
        while client.recv(1000):
            pass
    assert not server.run.exists()
    assert server.append(HEADER).status == 200


@pytest.mark.parametrize("junk", [b"\x16\x03\x01 hello", b"GET /\x00 HTTP/1.1\r\n\r\n"])
def test_what_is_no_http_is_refused(server, junk):
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.settimeout(PATIENCE)
        client.sendall(junk)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1000).split(b"\r\n")[0].split()[1:2] in ([b"400"], [])
    assert server.ask("GET", "/healthz", token="").status == 200
