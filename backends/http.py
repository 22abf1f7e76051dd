"""An autolog server: the same bytes of the same journals at the same offsets, and every file of the run.

Everything can be sent again: the server compares what it has. What it says it lacks is read from the run's directory,
so that a server that was restored from a backup catches up by itself. docs/http-api.md has the protocol.
"""

from __future__ import annotations

import gzip
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from autolog import events
from autolog.backends.http_files import Files
from autolog.plugins import Later
from autolog.version import VERSION

if TYPE_CHECKING:
    from autolog.config import Settings
    from autolog.plugins import Chunk, RunEnd, RunHeader

__all__ = ["Http", "Refused", "create"]

_TIMEOUT = (5.0, 30.0)
"""Seconds to connect, and between two bytes of an answer: a server that hangs is left."""
_PACKED_FROM = 1 << 10
_DAMAGED = "Autolog-Damaged-Lines"


class Refused(Exception):  # noqa: N818  it says what happened
    """The server does not take something: the message is the server's."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(f"the server answered {status}: {error.get('message') or error}")
        self.status = status
        self.code = str(error.get("code", ""))
        self.size = error.get("size")


class Http:
    """Sends one run to one server."""

    name = "http"

    def __init__(self, settings: Settings) -> None:
        if not settings.url:
            raise ValueError("the backend http needs the setting `url`, the server's address")
        self._url = settings.url.rstrip("/")
        self._bandwidth = settings.bandwidth
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"autolog/{VERSION}"
        token = settings.token or _stored_token(self._url)
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"
        self._run = ""
        self._directory = Path()
        self._files: Files | None = None

    def open(self, run: RunHeader) -> None:
        """Ask for the run: whether the server is there, and lets us write.

        Raises:
            Refused: it does not.
            requests.RequestException: it cannot be reached.
        """
        self._directory = Path(run.directory)
        self._run = f"{self._url}/api/v1/projects/{self._directory.parent.name}/runs/{self._directory.name}"
        self.call("GET", "journals")
        self._files = Files(self.call, self._directory)

    def send(self, chunk: Chunk) -> None:
        """Bring the server's journal to the end of the chunk, and before it the files that its records name.

        Raises:
            Refused: the server does not take it.
            Later: it asks for a pause.
            requests.RequestException: it cannot be reached.
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
            Refused, Later, requests.RequestException: see :meth:`send`.
        """
        del end  # it is in the journals
        assert self._files is not None  # noqa: S101  open() comes first
        self._files.send_all()

    def _append(self, journal: str, offset: int, data: bytes) -> None:
        headers = {}
        if damaged := _damaged_lines(data):
            headers[_DAMAGED] = str(damaged)
        if len(data) >= _PACKED_FROM:
            data, headers["Content-Encoding"] = gzip.compress(data, 1, mtime=0), "gzip"
        self.call("POST", f"journals/{journal}", {"offset": offset}, data, headers)

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

    def call(
        self, method: str, path: str, query: dict[str, Any] | None = None, data: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """One request about the run.

        Args:
            method: ``GET``, ``POST`` or ``PUT``.
            path: below the run's address.
            query: the query.
            data: the body.
            headers: more than the usual ones.

        Returns:
            The answer, which is JSON.

        Raises:
            Refused, Later, requests.RequestException: see :meth:`send`.
        """
        answer = self._session.request(
            method, f"{self._run}/{path}", params=query, data=data, headers=headers, timeout=_TIMEOUT,
            allow_redirects=False,
        )  # fmt: skip
        if self._bandwidth and data:
            time.sleep(len(data) / self._bandwidth)
        if answer.status_code in (429, 503) and answer.headers.get("Retry-After", "").isdigit():
            raise Later(int(answer.headers["Retry-After"]), f"the server asks for a pause ({answer.status_code})")
        if answer.status_code != 200:
            raise Refused(answer.status_code, _error_of(answer))
        told: dict[str, Any] = answer.json()
        return told


def _error_of(answer: requests.Response) -> dict[str, Any]:
    try:
        told = answer.json()["error"]
    except (ValueError, KeyError, TypeError):  # not of autolog: a proxy, or another service under that address
        return {"message": f"{answer.reason or 'no reason'}, and no word of autolog's: is this an autolog server?"}
    return told if isinstance(told, dict) else {"message": str(told)}


def _damaged_lines(data: bytes) -> int:
    """Lines that a full disk or a kill has torn: the server takes them only where we know of them."""
    return sum(1 for line in data.splitlines() if line and not _is_record(line))


def _is_record(line: bytes) -> bool:
    try:
        events.decode(line)
    except ValueError:  # msgspec's and Unicode's errors are
        return False
    return True


def _stored_token(url: str) -> str:
    from autolog.credentials import token_for

    return token_for(url)


def create(settings: Settings) -> Http:
    """Make the backend.

    Raises:
        ValueError: the setting ``url`` is missing.
    """
    return Http(settings)
