"""Requests to one server, and what its answers mean: done, later, never, or why not now."""

from __future__ import annotations

import contextlib
import email.utils
import gzip
import ssl
import time
from typing import TYPE_CHECKING, Any

import requests

from autolog.backends.http_pace import Body, Pace
from autolog.backends.http_trouble import TIMEOUT, causes, why
from autolog.plugins import Later, Rejected
from autolog.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from autolog.config import Settings

__all__ = ["Connection", "Refused", "Unreachable", "pack", "retry_after"]

_PACKED_FROM = 1 << 10
_MOVED = (301, 302, 303, 307, 308)
_paces: dict[tuple[str, float], Pace] = {}
"""Of each server: what this process sends there, of several runs maybe, shares one rate."""


class Refused(Exception):  # noqa: N818  it says what happened
    """The server does not take something: the message is the server's."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(f"the server answered {status}: {error.get('message') or error}")
        self.status = status
        self.code = str(error.get("code", ""))
        self.size = error.get("size")


class Unreachable(Exception):  # noqa: N818  the same
    """There is no answer; the message says why, in words that stay the same as long as the reason does."""


class Connection:
    """One server.

    Args:
        settings: its address, token, certificates, and how fast to send.

    Raises:
        ValueError: the setting ``url`` is missing.
    """

    def __init__(self, settings: Settings) -> None:
        if not settings.url:
            raise ValueError("the backend http needs the setting `url`, the server's address")
        self.url = settings.url.rstrip("/")
        self._given = settings.token
        self._token = ""
        self._pace = _paces.setdefault((self.url, settings.bandwidth), Pace(settings.bandwidth))
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"autolog/{VERSION}"
        # As a function, which a ~/.netrc that knows the host does not replace.
        self._session.auth = self._authorize
        self._verify: str | bool = settings.ca_bundle or True
        self._renew()

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _renew(self) -> bool:
        """Take the token that is given, or where that was refused or there is none, the one that is stored now.

        Returns:
            Whether it is another one: `autolog login` may have stored it since.
        """
        from autolog.credentials import token_for

        refused = self._token
        if self._given and self._given != refused:
            self._token = self._given
        else:
            self._token = token_for(self.url) or self._given
        return self._token != refused

    def call(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        data: bytes = b"",
        headers: dict[str, str] | None = None,
        *,
        moving: Callable[[int], None] = lambda _: None,
    ) -> dict[str, Any]:
        """One request.

        Args:
            method: ``GET``, ``POST`` or ``PUT``. Each may be sent twice.
            path: below the server's address.
            query: the query.
            data: the body.
            headers: more than the usual ones.
            moving: called with the number of bytes of the body that have left.

        Returns:
            The answer, which is JSON.

        Raises:
            Refused: the server does not take it.
            Later: it asks for a pause.
            Rejected: it will never take anything of this run.
            Unreachable: there is no answer.
        """

        def send() -> requests.Response:
            return self._session.request(
                method, f"{self.url}{path}", params=query, data=Body(data, self._pace, moving) if data else None,
                headers=headers, timeout=TIMEOUT, allow_redirects=False, verify=self._trusted(),
            )  # fmt: skip

        try:
            try:
                answer = send()
            except requests.ConnectionError as error:
                if not _was_idle(error):
                    raise
                answer = send()  # a kept connection that the other end had closed
            if answer.status_code == 401 and self._renew():
                answer = send()
        except requests.RequestException as error:
            raise Unreachable(why(self.url, error)) from error
        return self._read(answer)

    def _trusted(self) -> str | bool | None:
        """The setting, or ``None``: as the variables REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE say."""
        return self._verify if isinstance(self._verify, str) else None

    def _read(self, answer: requests.Response) -> dict[str, Any]:
        status = answer.status_code
        if status == 200:
            with contextlib.suppress(ValueError):
                told = answer.json()
                if isinstance(told, dict):
                    return told
            raise Refused(status, _foreign(answer))
        if status in _MOVED:
            where = answer.headers.get("Location", "nowhere")
            raise Refused(status, {"message": f"it sends on to {where}: should the setting `url` begin like that?"})
        if status == 407:
            raise Unreachable("the proxy on the way asks for a name and a password: do they stand in HTTP_PROXY?")
        error = _error_of(answer)
        if status in (429, 503) and (seconds := retry_after(answer.headers.get("Retry-After", ""))) is not None:
            raise Later(seconds, f"the server asks for a pause ({status}: {error.get('message')})")
        if status == 410 and error.get("code"):
            raise Rejected(f"the server takes nothing more of this run: {error.get('message')}")
        if status == 401:
            said = str(error.get("message")).replace("autolog login URL", f"autolog login {self.url}")
            hint = "" if self.url in said else f"; `autolog login {self.url}` stores a new token"
            error["message"] = said + hint
        raise Refused(status, error)


def _was_idle(error: requests.ConnectionError) -> bool:
    """Whether the other end closed the connection before it said anything, as it does with one that was idle."""
    if isinstance(error, (requests.exceptions.ProxyError, requests.Timeout)):
        return False
    closed = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
    return any(isinstance(part, closed) for part in causes(error))


def retry_after(text: str) -> float | None:
    """Seconds that a ``Retry-After`` asks for: a number, or a date; ``None`` where it says nothing."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError):
        return None
    return max(0.0, when - time.time())


def _error_of(answer: requests.Response) -> dict[str, Any]:
    try:
        told = answer.json()["error"]
    except (ValueError, KeyError, TypeError):  # not of autolog: a proxy, or another service under that address
        return _foreign(answer)
    return told if isinstance(told, dict) else {"message": str(told)}


def _foreign(answer: requests.Response) -> dict[str, Any]:
    return {"message": f"{answer.reason or 'no reason'}, and no word of autolog's: is this an autolog server?"}


def pack(data: bytes) -> tuple[bytes, dict[str, str]]:
    """Bytes as they travel, and the headers that say so: zstd where it is installed, else gzip."""
    if len(data) < _PACKED_FROM:
        return data, {}
    try:
        import zstandard
    except ImportError:
        return gzip.compress(data, 1, mtime=0), {"Content-Encoding": "gzip"}
    return zstandard.ZstdCompressor(level=3).compress(data), {"Content-Encoding": "zstd"}
