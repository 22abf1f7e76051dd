"""A small forward proxy, as companies have them: ``http:`` by whole addresses, tunnels for ``https:``."""

import base64
import contextlib
import http.client
import http.server
import select
import socket
import threading
from urllib.parse import urlsplit

from tests.waiting import PATIENCE

__all__ = ["ForwardProxy"]


class ForwardProxy:
    """Listens on a port of its own. It alone knows where names under ``.invalid`` are: on this machine.

    Args:
        user: ``name:password`` that it asks for; empty: nothing.

    Attributes:
        passed: the requests it has passed on, such as ``GET http://lab/…`` and ``CONNECT lab:443``.
        refused: those without the right user.
    """

    def __init__(self, user: str = "") -> None:
        self.user = user
        self.passed: list[str] = []
        self.refused: list[str] = []
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{self.user + '@' if self.user else ''}127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    owner: ForwardProxy
    protocol_version = "HTTP/1.1"

    def _may(self) -> bool:
        wanted = "Basic " + base64.b64encode(self.owner.user.encode()).decode()
        word = f"{self.command} {self.path}"
        if self.owner.user and self.headers.get("Proxy-Authorization") != wanted:
            self.owner.refused.append(word)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(407, "Proxy Authentication Required")
            self.send_header("Proxy-Authenticate", "Basic")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False
        self.owner.passed.append(word)
        return True

    def _forward(self) -> None:
        if not self._may():
            return
        address = urlsplit(self.path)
        assert address.hostname, "a request to a proxy has the whole address"
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
        server = http.client.HTTPConnection(_known(address.hostname), address.port, timeout=PATIENCE)
        with contextlib.closing(server):
            server.request(self.command, address.path + ("?" + address.query) * bool(address.query), body, headers)
            answer = server.getresponse()
            told = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    do_GET = do_POST = do_PUT = _forward

    def do_CONNECT(self) -> None:
        if not self._may():
            return
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((_known(host), int(port)), timeout=PATIENCE) as server:
            self.send_response(200, "Connection established")
            self.end_headers()
            self.close_connection = True
            ends = {self.connection: server, server: self.connection}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    try:
                        data = end.recv(1 << 16)
                    except ConnectionResetError:
                        return
                    if not data:
                        return
                    ends[end].sendall(data)

    def log_message(self, *_: object) -> None:
        """The test's output is for others."""


def _known(host: str) -> str:
    return "127.0.0.1" if host.endswith(".invalid") else host
