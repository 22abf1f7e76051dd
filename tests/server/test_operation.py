"""What those who run a server see and do: counts, the log, readiness, the end of the process."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from tests.servers import RUN, Server
from tests.waiting import PATIENCE

HEADER = b'{"type":"run","time":1.0,"id":"%s","name":"calm-otter-01","project":"lab"}\n' % RUN.encode()
LINE = b'{"type":"metrics","time":2.0,"values":{"loss":0.5},"step":1}\n'
SAMPLE = re.compile(r'([a-zA-Z_:][\w:]*)(?:\{((?:\w+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)')


def samples(text):
    """``{(name, labels): value}`` of Prometheus' text format, every line of which must be right."""
    kinds, found = {}, {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            assert len(line.split(" ", 3)) == 4
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds
            kinds[name] = kind
        else:
            name, labels, value = SAMPLE.fullmatch(line).groups()
            assert name in kinds or re.sub(r"_(bucket|sum|count)$", "", name) in kinds
            assert (name, labels) not in found
            found[name, labels] = float(value)
    return found


def test_metrics_count_what_is_done(server, eventually):
    before = samples(server.ask("GET", "/metrics", token="").body.decode())
    server.append(HEADER + LINE)
    server.append(LINE, 10_000)  # a gap
    server.ask("GET", "/api/v1/me")
    answer = server.ask("GET", "/metrics", token="")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    after = samples(answer.body.decode())

    def grown(name, labels=None):
        return after[name, labels] - before.get((name, labels), 0)

    route = 'method="POST",route="/api/v1/projects/{project}/runs/{run}/journals/{journal}"'
    assert grown("autolog_journal_bytes_total") == len(HEADER + LINE)
    assert grown("autolog_journal_records_total") == 2
    assert grown("autolog_http_requests_total", f'{route},status="200"') == 1
    assert grown("autolog_http_requests_total", f'{route},status="409"') == 1
    assert grown("autolog_http_request_seconds_count", route) == 2
    assert grown("autolog_http_request_seconds_bucket", f'{route},le="+Inf"') == 2
    assert grown("autolog_refused_total", 'code="gap"') == 1
    assert grown("autolog_http_received_bytes_total") == len(HEADER + LINE + LINE)
    bounds = [value for (name, labels), value in after.items() if name.endswith("_bucket") and route in labels]
    assert bounds == sorted(bounds)
    assert 10 << 20 < after["process_resident_memory_bytes", None] < 1 << 30
    assert after["autolog_disk_free_bytes", None] > 0
    assert after["autolog_http_active_requests", None] == 1  # this one

    def caught_up():
        now = samples(server.ask("GET", "/metrics", token="").body.decode())
        return now["autolog_index_waiting", None] == 0 and now.get(("autolog_runs", 'status="lost"'), 0) >= 1

    eventually(caught_up)


def test_metrics_are_for_those_who_watch(server):
    watcher = server.token("watcher")
    assert server.ask("GET", "/metrics", token="", X_Forwarded_For="203.0.113.9").status == 401
    assert server.ask("GET", "/metrics", token=watcher, X_Forwarded_For="203.0.113.9").code == "forbidden"
    assert server.ask("GET", "/metrics", X_Forwarded_For="203.0.113.9").status == 200  # the admin's
    assert server.ask("GET", "/metrics", token="").status == 200


class Log:
    """What a server writes to stderr, read as it comes: it must never wait for us."""

    def __init__(self, server):
        self.lines = []
        self._thread = threading.Thread(target=lambda: self.lines.extend(server.process.stderr))
        self._thread.start()

    def close(self):
        self._thread.join()


def test_the_log_is_json_and_tells_no_secrets(tmp_path, eventually):
    server = Server(tmp_path / "server")
    server.options = ("--log-level", "info")
    server.start()
    log = Log(server)
    token = server.token("bob")
    server.ask("GET", "/api/v1/projects/lab/runs?where=params.password%3D%3D'hunter2'", token=server.admin)
    server.ask("GET", "/api/v1/projects/lab/nonsense/hunter2", token=token, X_Request_Id="abc-1")
    server.append(HEADER + LINE)  # where all is well, only debug tells of deliveries
    missing = server.ask("GET", server.address, token=token)
    process, server.process = server.process, None
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    log.close()
    process.stderr.close()
    told = [json.loads(line) for line in log.lines]
    assert [(one["method"], one["route"], one["status"]) for one in told if one["message"] == "request"] == [
        ("GET", "/api/v1/projects/{project}/runs", 200),
        ("GET", "other", 404),
        ("GET", "/api/v1/projects/{project}/runs/{run}", 404),
    ]
    listed, other, last = told[:3]
    assert (listed["level"], listed["user"], listed["project"]) == ("info", "admin", "lab")
    assert other["request"] == "abc-1"
    assert (last["user"], last["run"], last["code"]) == ("bob", RUN, "not_found")
    assert last["request"] == missing.headers["x-request-id"]
    assert last["ms"] > 0
    assert told[-1]["message"] == "the server has ended"
    whole = "".join(log.lines)
    assert not any(secret in whole for secret in ("hunter2", token, server.admin, "password"))


def test_an_error_of_the_server_is_in_its_log_under_the_id_that_the_client_got(tmp_path):
    server = Server(tmp_path / "server")
    server.start()
    log = Log(server)
    server.append(HEADER)
    (server.run / "journal.1.jsonl").mkdir()  # nothing of ours makes such a thing
    answer = server.ask("GET", server.address)
    process, server.process = server.process, None
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    log.close()
    process.stderr.close()
    assert (answer.status, answer.code) == (500, "internal")
    (told,) = [one for one in map(json.loads, log.lines) if one["message"].startswith("the server failed")]
    assert told["request"] == answer.json["error"]["request"] == answer.headers["x-request-id"]
    assert "IsADirectoryError" in told["exception"]


def send_until_refused(server, number, sent):
    """Append line after line as a client that keeps its connection; ``sent`` gets the size that was acknowledged."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    path = f"{server.address}/journals/journal.w{number}.jsonl"
    size, body = 0, HEADER
    try:
        while True:
            connection.request("POST", f"{path}?offset={size}", body, {"Authorization": f"Bearer {server.admin}"})
            answer = connection.getresponse()
            data = answer.read()
            if answer.status != 200:
                return
            size = sent[number] = json.loads(data)["size"]
            body = LINE
    except (OSError, http.client.HTTPException):
        return
    finally:
        connection.close()


def test_sigterm_finishes_what_was_accepted(own_server):
    sent: dict[int, int] = {}
    threads = [threading.Thread(target=send_until_refused, args=(own_server, n, sent)) for n in range(8)]
    for thread in threads:
        thread.start()
    while len(sent) < 8 or min(sent.values()) < len(HEADER) + 5 * len(LINE):
        time.sleep(0.01)
    process, own_server.process = own_server.process, None
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told
    for thread in threads:
        thread.join()
    for number, size in sent.items():
        data = (own_server.run / f"journal.w{number}.jsonl").read_bytes()
        assert len(data) in (size, size + len(LINE))  # the last answer may have been lost on its way
        assert data == HEADER + LINE * ((len(data) - len(HEADER)) // len(LINE))


def test_a_request_that_has_begun_is_finished_and_the_stream_of_news_ends(own_server):
    stream = socket.create_connection(("127.0.0.1", own_server.port), 30)
    own_server.append(HEADER)
    head = f"Host: x\r\nAuthorization: Bearer {own_server.admin}\r\n"
    stream.sendall(f"GET /api/v1/projects/lab/live HTTP/1.1\r\n{head}\r\n".encode())
    seen = b""
    while b": welcome" not in seen:
        seen += stream.recv(4096)
    slow = socket.create_connection(("127.0.0.1", own_server.port), 30)
    address = f"{own_server.address}/journals/journal.jsonl?offset={len(HEADER)}"
    slow.sendall(f"POST {address} HTTP/1.1\r\n{head}Content-Length: {len(LINE)}\r\n\r\n".encode() + LINE[:10])
    while samples(own_server.ask("GET", "/metrics").body.decode())["autolog_http_active_requests", None] < 3:
        time.sleep(0.01)
    process, own_server.process = own_server.process, None
    process.send_signal(signal.SIGTERM)
    while part := stream.recv(4096):  # to its end, which the server makes
        seen += part
    assert b"retry: 2000" in seen
    slow.sendall(LINE[10:])
    answer = b""
    while part := slow.recv(4096):
        answer += part
    assert b" 200 OK" in answer
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told
    assert (own_server.run / "journal.jsonl").read_bytes() == HEADER + LINE
    stream.close()
    slow.close()


def test_readiness_goes_first_and_a_second_signal_ends_at_once(tmp_path):
    server = Server(tmp_path / "server")
    server.options = ("--drain", "600")
    server.start()
    while server.ask("GET", "/readyz").status != 200:
        time.sleep(0.01)
    server.process.send_signal(signal.SIGTERM)
    while (ready := server.ask("GET", "/readyz")).status == 200:
        time.sleep(0.01)
    assert (ready.status, ready.code) == (503, "stopping")
    assert server.append(HEADER).status == 200  # it goes on taking what comes
    server.process.send_signal(signal.SIGTERM)
    server.process.communicate(timeout=PATIENCE)
    assert server.process.returncode == 128 + signal.SIGTERM
    server.process = None
    assert (server.data / "lab" / RUN / "journal.jsonl").read_bytes() == HEADER


@pytest.mark.parametrize(("words", "told"), [(["--log-level", "loud"], "loud"), (["--log-format", "xml"], "text")])
def test_wrong_options_are_told(tmp_path, words, told):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AUTOLOG")}
    done = subprocess.run(
        [sys.executable, "-m", "autolog.cli", "server", "start", "--data", str(tmp_path / "d"), *words],
        env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--log-level or --log-format" in done.stderr
    assert not (tmp_path / "d").exists()
