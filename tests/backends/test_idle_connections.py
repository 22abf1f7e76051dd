"""Servers and balancers close connections that were idle: the next request finds out, and is no failure."""

import contextlib
import socket
import ssl
import struct
import threading

import pytest

from autolog import config, events, journal
from autolog.backends.http_connection import Connection, Unreachable

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Impatient:
    """Answers one request of each connection, and closes it when the next one begins: it was idle for too long.

    Args:
        how: ``end`` (closed), ``reset``.
        certificate: speak TLS, with this file.
        answers: how many requests of each connection are answered.
    """

    def __init__(self, how: str, certificate=None, answers: int = 1) -> None:
        self._how, self._answers = how, answers
        self._context = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._client: socket.socket | None = None
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        if self._client is not None:
            with contextlib.suppress(OSError):  # it may be closed
                self._client.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # the test is over
                return
            self.connections += 1
            with contextlib.suppress(OSError), client:
                self._serve(self._context.wrap_socket(client, server_side=True) if self._context else client)

    def _serve(self, client: socket.socket) -> None:
        self._client = client
        client.settimeout(30)
        with client:
            for _ in range(self._answers):
                _read_request(client)
                client.sendall(_ANSWER)
            client.recv(1)
            if self._how == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _read_request(client: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        data = client.recv(1 << 16)
        if not data:
            raise ConnectionResetError
        head += data
    head, _, body = head.partition(b"\r\n\r\n")
    size = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < size:
        body += client.recv(1 << 16)


@pytest.mark.parametrize("size", [10, 8 << 20])
@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize("speaks", ["http", "https"])
def test_a_connection_that_is_closed_under_a_request_is_replaced(certificate, speaks, how, size):
    impatient = Impatient(how, certificate if speaks == "https" else None)
    try:
        connection = Connection(config.Settings(url=impatient.url, token="word", ca_bundle=str(certificate)))
        for _ in range(3):
            assert connection.call("POST", "/", data=b"x" * size) == {}
        assert impatient.connections == 3
    finally:
        impatient.close()


def test_a_server_that_answers_nobody_is_a_failure_all_the_same():
    impatient = Impatient("end", answers=0)
    try:
        with pytest.raises(Unreachable):
            Connection(config.Settings(url=impatient.url)).call("GET", "/")
        assert impatient.connections == 2  # tried once more, and no more than that
    finally:
        impatient.close()


def test_a_run_whose_connection_is_closed_between_its_samples(lab, server, shared_proxy):
    """Each sample is sent over a new connection, at once: no failure, no pause."""
    shared_proxy.mode = "idle"
    lab.environment |= {
        "AUTOLOG_BACKEND": "local,http", "AUTOLOG_URL": shared_proxy.url, "AUTOLOG_TOKEN": server.admin,
        "AUTOLOG_SAMPLE_INTERVAL": "0.5", "AUTOLOG_EXIT_WAIT": "20",
    }  # fmt: skip
    training = lab.start("import autolog, time\nautolog.log_metric('n', 1)\ntime.sleep(600)")
    lab.until(lambda: shared_proxy.connections > 5)
    training.terminate()
    training.communicate()
    lab.settle(begun=True)
    assert lab.records(events.Health) == []
    assert lab.delivery().done
    for path in journal.journals(lab.only()):
        assert (server.data / "lab" / lab.only().name / path.name).read_bytes() == path.read_bytes()
