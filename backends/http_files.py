"""The files of a run on their way to a server: assets before the records that name them, consoles as they grow."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autolog import events
from autolog.backends.http_connection import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from autolog.plugins import Chunk, Report

__all__ = ["Files"]

_PIECE, _SMALLEST = 8 << 20, 64 << 10
"""Bytes of a file in one request: fewer after a failure, for networks that break and proxies that take less."""
_TAIL = 64 << 10
"""Bytes before its end that a console may still rewrite."""
_EVERY = 5.0
"""Seconds between two looks at what grows."""
_NOT_SENT = ("journal", "system", "delivery.json", "metrics.parquet", ".")
"""Names at the top of a run's directory that begin so: journals go their own way, the rest is made anew."""


class Files:
    """What the server has of a run's directory.

    Args:
        call: sends a request about the run.
        directory: the run's.
        report: takes what cannot be sent.
    """

    def __init__(self, call: Callable[..., dict[str, Any]], directory: Path, report: Report) -> None:
        self._call = call
        self._directory = directory
        self._report = report
        self._piece = _PIECE
        self._sent: dict[str, tuple[int, int]] = {}
        """By path: size and modification time of what the server has."""
        self._consoles: dict[str, int] = {}
        self._looked = 0.0

    def send_named(self, chunk: Chunk) -> None:
        """The files that the chunk's records name. One that is gone, or has changed since, is lost: that is told."""
        if b'"asset"' not in chunk.data:
            return
        for record in chunk.records():
            if isinstance(record, events.Asset) and record.path and record.hash:
                path = self._directory / record.path
                if path.is_file():
                    self._send(path, record.hash.removeprefix("sha256:"))
                else:
                    self._report.lost("asset", "the file is gone", where=record.path)

    def send_growing(self) -> None:
        """Consoles, and source files that are new; looked at every few seconds."""
        if time.monotonic() - self._looked < _EVERY:
            return
        self._looked = time.monotonic()
        self._send_consoles()
        for path in sorted((self._directory / "source").rglob("*")):
            self._send_file(path)

    def send_all(self) -> None:
        """Everything that is in the directory and goes to a server."""
        self._send_consoles()
        for path in self._everything():
            self._send_file(path)

    def _everything(self) -> Iterator[Path]:
        for path in sorted(self._directory.rglob("*")):
            top = path.relative_to(self._directory).parts[0]
            if not top.startswith(_NOT_SENT) and not top.startswith("console") and not path.name.startswith("."):
                yield path

    def _send_consoles(self) -> None:
        for path in sorted(self._directory.glob("console*.log")):
            modified = path.stat().st_mtime_ns
            if self._sent.get(path.name, (0, 0))[1] != modified:
                # Should this fail, the server may have another console than we think: it gets all of it then.
                sent, self._consoles[path.name] = self._consoles.get(path.name, 0), 0
                self._consoles[path.name] = self._send_console(path, max(0, sent - _TAIL))
                self._sent[path.name] = (self._consoles[path.name], modified)

    def _send_console(self, path: Path, begin: int) -> int:
        """Replace the console from ``begin`` on; its size."""
        with path.open("rb") as file:
            file.seek(begin)
            while True:
                data = file.read(_PIECE)
                self._call("PUT", f"console/{path.name}", {"offset": begin}, data)
                begin += len(data)
                if len(data) < _PIECE:
                    return begin

    def _send_file(self, path: Path) -> None:
        if path.is_file() and not path.is_symlink():
            status = path.stat()
            name = path.relative_to(self._directory).as_posix()
            if self._sent.get(name) != (status.st_size, status.st_mtime_ns):
                self._send(path, _digest(path))

    def _send(self, path: Path, digest: str) -> None:
        """Send a file from where the server has it; in pieces. What the server will never take is lost."""
        status = path.stat()
        name = path.relative_to(self._directory).as_posix()
        query: dict[str, Any] = {"sha256": digest}
        try:
            told = self._call("GET", f"uploads/{name}", query)
            query["size"] = status.st_size
            with path.open("rb") as file:
                while not told["complete"]:
                    file.seek(told["size"])
                    told = self._send_piece(name, {**query, "offset": told["size"]}, file.read(self._piece))
        except Refused as error:
            if error.status not in (400, 422):
                raise
            changed = error.code in ("hash", "too_long")
            reason = "it has changed since it was recorded" if changed else f"refused by the server: {error}"
            self._report.lost("asset", reason, where=name)
        self._sent[name] = (status.st_size, status.st_mtime_ns)

    def _send_piece(self, name: str, query: dict[str, Any], data: bytes) -> dict[str, Any]:
        """Send a piece of a file; what the server has of it now."""
        whole = self._piece
        self._piece = max(_SMALLEST, whole // 2)  # should it fail
        try:
            told = self._call("PUT", f"uploads/{name}", query, data)
        except Refused as error:
            if error.code == "gap":
                return {"complete": False, "size": int(error.size or 0)}
            if error.status != 413 or whole == _SMALLEST or error.code == "quota":
                raise
            return {"complete": False, "size": query["offset"]}
        self._piece = min(_PIECE, 2 * whole)
        return told


def _digest(path: Path) -> str:
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            hasher.update(piece)
    return hasher.hexdigest()
