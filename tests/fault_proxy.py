"""A TCP proxy that does what bad networks and overloaded servers do: refuse, reset, hang, slow down, cut off."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time

from tests.waiting import until

__all__ = ["FaultProxy"]

_ANSWERS = {
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops",
    "429": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "html": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlogin",
}


_IDLE = 5
"""Times 50 ms after which a connection is closed that nothing has moved over."""


class FaultProxy:
    """Listens on a port of its own and passes connections on to a target.

    Attributes:
        mode: what new connections meet: ``pass``, ``refuse`` (nobody listens), ``reset``, ``hang`` (accepted, never
            answered), ``slow``, ``cut`` (the request is cut off in its body), ``cut_answer`` (the server does its
            work, its answer is lost), ``idle`` (closed once nothing has moved for a moment), ``500``, ``429``,
            ``html`` (somebody else answers).
        connections: how many have come.
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self._mode = "pass"
        self._refusing = False
        self.connections = 0
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._listen)
        self._workers: list[threading.Thread] = []
        self._thread.start()

    @property
    def mode(self) -> str:
        return self._mode

    @mode.setter
    def mode(self, mode: str) -> None:
        """From now on, also for who connects in the next moment."""
        self._mode = mode
        until(lambda: self._refusing == (mode == "refuse"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        for worker in self._workers:
            worker.join()

    def _listen(self) -> None:
        while not self._closing.is_set():
            if (refusing := self._mode == "refuse") != self._refusing:
                self._listener.close()
                if not refusing:
                    self._listener = socket.create_server(("127.0.0.1", self.port))
                    self._listener.settimeout(0.05)
                self._refusing = refusing
            if refusing:
                self._closing.wait(0.05)
                continue
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.connections += 1
            worker = threading.Thread(target=self._serve, args=(client, self.mode))
            self._workers.append(worker)
            worker.start()
        self._listener.close()

    def _serve(self, client: socket.socket, mode: str) -> None:
        with client, contextlib.suppress(OSError):
            if mode in ("reset", "refuse"):  # the latter as it is just about to listen no more
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif mode == "hang":
                while not self._closing.wait(0.05) and self.mode == "hang":
                    pass
            elif mode in _ANSWERS:
                client.settimeout(5)
                client.recv(1 << 20)
                client.sendall(_ANSWERS[mode])
            else:
                self._pass(client, mode)

    def _pass(self, client: socket.socket, mode: str) -> None:
        with socket.create_connection(("127.0.0.1", self.target), timeout=5) as server:
            limit = 600 if mode == "cut" else None
            up = threading.Thread(target=self._pump, args=(client, server, limit, mode))
            up.start()
            self._pump(server, client, 0 if mode == "cut_answer" else None, mode)
            up.join()

    def _pump(self, source: socket.socket, target: socket.socket, limit: int | None, mode: str) -> None:
        """Copy until the source ends; with a limit: after so many bytes both ends are closed."""
        passed = silent = 0
        source.settimeout(0.05)
        try:
            while not self._closing.is_set():
                try:
                    data = source.recv(4096)
                except TimeoutError:
                    silent += 1
                    if mode == "idle" and silent > _IDLE and passed:
                        break
                    continue
                silent = 0
                if not data:
                    break
                if mode == "slow":
                    time.sleep(0.05)
                if limit is not None and passed + len(data) > limit:
                    target.sendall(data[: limit - passed])
                    break
                target.sendall(data)
                passed += len(data)
        except OSError:
            pass
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
