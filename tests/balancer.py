"""A balancer before several servers: each connection goes to the next one that is there."""

from __future__ import annotations

import contextlib
import socket
import threading

__all__ = ["Balancer"]


class Balancer:
    """Listens on a port of its own, and passes connections on in turn.

    Args:
        ports: of the servers, on 127.0.0.1.
    """

    def __init__(self, ports: list[int]) -> None:
        self.ports = ports
        self.passed = [0] * len(ports)
        """How many connections each server has had."""
        self._turn = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.settimeout(0.05)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        self._listener.close()

    def _listen(self) -> None:
        workers = []
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            workers.append(threading.Thread(target=self._serve, args=(client,)))
            workers[-1].start()
        for worker in workers:
            worker.join()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            server = self._next()
            if server is None:
                return
            with server:
                up = threading.Thread(target=_pump, args=(client, server, self._closing))
                up.start()
                _pump(server, client, self._closing)
                up.join()

    def _next(self) -> socket.socket | None:
        for _ in self.ports:
            with self._lock:
                turn = self._turn = (self._turn + 1) % len(self.ports)
            try:
                server = socket.create_connection(("127.0.0.1", self.ports[turn]), timeout=5)
            except OSError:
                continue
            self.passed[turn] += 1
            return server
        return None


def _pump(source: socket.socket, target: socket.socket, closing: threading.Event) -> None:
    source.settimeout(0.05)
    with contextlib.suppress(OSError):
        while not closing.is_set():
            try:
                data = source.recv(1 << 16)
            except TimeoutError:
                continue
            if not data:
                break
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR if end is target else socket.SHUT_RD)
