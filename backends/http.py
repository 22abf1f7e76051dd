"""An autolog server: the same bytes of the same journals at the same offsets, and every file of the run.

Everything can be sent again: the server compares what it has. What it says it lacks is read from the run's directory,
so that a server that was restored from a backup catches up by itself. docs/http-api.md has the protocol.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from autolog import events
from autolog.backends.http_connection import Connection, Refused, pack
from autolog.backends.http_files import Files
from autolog.plugins import Rejected, Report

if TYPE_CHECKING:
    from autolog.config import Settings
    from autolog.plugins import Chunk, RunEnd, RunHeader

__all__ = ["Http", "create"]

_DAMAGED = "Autolog-Damaged-Lines"
_TOO_MUCH = ("too_large", "line_too_long", "invalid_line")
"""What is wrong with lines themselves, and not with the run or with who sends it."""
_STAND_IN_FROM = 4096
"""Bytes of a line from which on a health record can stand in its place."""
_LINE = 1 << 20


class Http:
    """Sends one run to one server."""

    name = "http"

    def __init__(self, settings: Settings) -> None:
        self._connection = Connection(settings)
        self._run = ""
        self._directory = Path()
        self._report = Report()
        self._files: Files | None = None

    def open(self, run: RunHeader) -> None:
        """Ask for the run: whether the server is there, and lets us write.

        Raises:
            Rejected: it will never take this run.
            Refused, Later, Unreachable: not now; see :meth:`autolog.backends.http_connection.Connection.call`.
        """
        self._directory, self._report = Path(run.directory), run.report
        self._run = f"/api/v1/projects/{self._directory.parent.name}/runs/{self._directory.name}"
        try:
            self._call("GET", "journals")
        except Refused as error:
            if error.status in (400, 422) and error.code:  # such a name, now and always
                raise Rejected(str(error)) from None
            raise
        self._files = Files(self._call, self._directory, run.report)

    def send(self, chunk: Chunk) -> None:
        """Bring the server's journal to the end of the chunk, and before it the files that its records name.

        Raises:
            Rejected, Refused, Later, Unreachable: see :meth:`open`.
        """
        assert self._files is not None  # noqa: S101  open() comes first
        self._files.send_named(chunk)
        try:
            self._append(chunk.journal, chunk.offset, chunk.data)
        except Refused as error:
            if error.code != "gap" or error.size is None:
                raise
            self._fill(chunk.journal, int(error.size), chunk.offset + len(chunk.data))
        self._files.send_growing()

    def close(self, end: RunEnd) -> None:
        """Send what is left of the run's files.

        Raises:
            Rejected, Refused, Later, Unreachable: see :meth:`open`.
        """
        del end  # it is in the journals
        assert self._files is not None  # noqa: S101  open() comes first
        self._files.send_all()

    def _append(self, journal: str, offset: int, data: bytes) -> None:
        """Send lines; where they are too much, fewer at a time. A line that is refused by itself gets a stand-in."""
        try:
            self._post(journal, offset, data)
        except Refused as error:
            if error.code not in _TOO_MUCH and not (error.status == 413 and not error.code):
                raise
            middle = data.rfind(b"\n", 0, max(1, len(data) // 2)) + 1 or data.find(b"\n") + 1
            if middle < len(data):
                self._append(journal, offset, data[:middle])
                self._append(journal, offset + middle, data[middle:])
            elif len(data) >= _STAND_IN_FROM:
                self._post(journal, offset, _stand_in(data))
                self._report.lost("record", f"refused by the server: {error}")
            else:
                raise

    def _post(self, journal: str, offset: int, data: bytes) -> None:
        damaged = _damaged_lines(data)
        packed, headers = pack(data)
        if damaged:
            headers[_DAMAGED] = str(damaged)
        self._call("POST", f"journals/{journal}", {"offset": offset}, packed, headers)

    def _fill(self, journal: str, size: int, end: int) -> None:
        """The server has less than we were told once: read the rest from the directory."""
        with (self._directory / journal).open("rb") as file:
            file.seek(size)
            while size < end:
                data = file.read(min(1 << 20, end - size))
                while data and not data.endswith(b"\n") and size + len(data) < end:
                    data += file.readline()
                if not data:
                    raise OSError(f"{journal} has become shorter: {size} bytes, {end} were recorded")
                self._append(journal, size, data)
                size += len(data)

    def _call(
        self, method: str, path: str, query: dict[str, Any] | None = None, data: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """One request about the run; see :meth:`autolog.backends.http_connection.Connection.call`."""

        def moving(count: int) -> None:
            self._report.moving(f"{path}: {count} of {len(data)} bytes")

        return self._connection.call(method, f"{self._run}/{path}", query, data, headers, moving=moving)


def _stand_in(line: bytes) -> bytes:
    """As many bytes as a line that the server does not take, which say that it is missing.

    The same for the same line, so that it can be sent again. In lines of a megabyte: one might be too long again.
    """
    try:
        record = events.decode(line)
    except ValueError:
        record = None
    told = events.Health(
        time=record.time if record is not None else 0.0, kind="lost", where="server",
        detail=f"a record of {len(line)} bytes is on the training's machine only: the server takes none of that size",
    )  # fmt: skip
    first, rest = events.encode(told), len(line)
    lines = []
    while rest:
        size = rest if rest <= _LINE else min(_LINE, rest - 64)
        lines.append(first.ljust(size - 1) + b"\n")
        first, rest = b'{"type":"padding"}', rest - size
    return b"".join(lines)


def _damaged_lines(data: bytes) -> int:
    """Lines that a full disk or a kill has torn: the server takes them only where we know of them."""
    return sum(1 for line in data.splitlines() if line and not _is_record(line))


def _is_record(line: bytes) -> bool:
    try:
        events.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def create(settings: Settings) -> Http:
    """Make the backend.

    Raises:
        ValueError: the setting ``url`` is missing.
    """
    return Http(settings)
