"""The body of a request, unpacked, within limits.

A small body that unpacks to a huge one is refused early, and one that trickles in for ever is ended.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
from starlette.requests import ClientDisconnect, Request

from autolog.server.errors import ApiError

__all__ = ["ENCODINGS", "read"]

ENCODINGS = ("identity", "gzip", "zstd")
_PIECE = 1 << 16
_GRACE = 30.0
"""Seconds that any body may take."""


async def read(request: Request, limit: int, rate: float | None = None) -> bytes:
    """The body, unpacked.

    Args:
        request: with ``Content-Encoding`` ``gzip``, ``zstd`` or none.
        limit: the most bytes it may have, unpacked.
        rate: bytes a second that it must come with after half a minute; default: as the server's limits say.

    Raises:
        ApiError: 400 for a damaged or cut-off body, 408 for one that takes too long, 413 beyond the limit, 415 for
            another encoding.
    """
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in ENCODINGS:
        raise ApiError(415, "encoding", f"Content-Encoding {encoding!r} is not known; send {', '.join(ENCODINGS)}")
    stream = _in_time(request.stream(), request.app.state.service.limits.body_rate if rate is None else rate)
    try:
        return await _unpacked(stream, encoding, limit)
    except TimeoutError:
        raise ApiError(408, "slow", "the body comes too slowly; send smaller pieces") from None
    except _TooLarge:
        await _drain(stream, limit)
        raise ApiError(413, "too_large", f"the body is larger than {limit} bytes; send less", limit=limit) from None
    except ClientDisconnect:
        raise ApiError(400, "cut_off", "the connection ended before the whole body had come") from None
    except _Damaged as error:
        await _drain(stream, limit)
        raise ApiError(400, "damaged", f"the body is no {encoding}: {error}") from None


async def _unpacked(stream: AsyncIterator[bytes], encoding: str, limit: int) -> bytes:
    unpack = _UNPACKERS[encoding]()
    parts: list[bytes] = []
    size = 0
    async for piece in stream:
        for part in unpack.feed(piece):
            size += len(part)
            if size > limit:
                raise _TooLarge
            parts.append(part)
    unpack.finish()
    return b"".join(parts)


async def _in_time(stream: AsyncIterator[bytes], rate: float) -> AsyncIterator[bytes]:
    """The pieces of a stream.

    Raises:
        TimeoutError: they come too slowly.
    """
    begun = anyio.current_time()
    received = 0
    while True:
        until = begun + _GRACE + (received / rate if rate else math.inf)
        with anyio.move_on_at(until) as scope:
            piece = await anext(stream, None)
        if scope.cancelled_caught:
            raise TimeoutError
        if piece is None:
            return
        received += len(piece)
        yield piece


async def _drain(stream: AsyncIterator[bytes], most: int) -> None:
    """Take what still comes, within bounds: a client that is cut off while it sends never reads the answer."""
    size = 0
    try:
        async for piece in stream:
            size += len(piece)
            if size > most:
                return
    except (ClientDisconnect, TimeoutError):
        return


class _TooLarge(Exception):  # noqa: N818  private
    """More than the limit has come."""


class _Damaged(Exception):  # noqa: N818  private
    """A packed body cannot be unpacked."""


class _Identity:
    def feed(self, piece: bytes) -> Iterator[bytes]:
        yield piece

    def finish(self) -> None:
        """Nothing is left."""


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self._fed = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        self._fed = self._fed or bool(piece)
        try:
            while piece:
                yield self._inner.decompress(piece, _PIECE)
                piece = self._inner.unconsumed_tail
        except zlib.error as error:
            raise _Damaged(str(error)) from None

    def finish(self) -> None:
        if self._fed and not self._inner.eof:
            raise _Damaged("it ends too early")


class _Zstd:
    """zstandard's object has no bound on what one call gives: it is fed so little that a call stays small."""

    def __init__(self) -> None:
        import zstandard

        self._inner = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
        self._error = zstandard.ZstdError
        self._fed = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        self._fed = self._fed or bool(piece)
        try:
            for at in range(0, len(piece), 256):
                yield self._inner.decompress(piece[at : at + 256])
        except self._error as error:
            raise _Damaged(str(error)) from None

    def finish(self) -> None:
        if self._fed and not self._inner.eof:
            raise _Damaged("it ends too early")


_UNPACKERS: dict[str, Callable[[], Any]] = {"identity": _Identity, "gzip": _Gzip, "zstd": _Zstd}
