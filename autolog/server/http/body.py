"""The body of a request, unpacked, within limits.

A small body that unpacks to a huge one is refused early, and one that trickles in for ever is ended.
"""

from __future__ import annotations

import contextlib
import math
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import anyio
from starlette.requests import ClientDisconnect, Request

from autolog.server.errors import ApiError

__all__ = ["ENCODINGS", "read"]

ENCODINGS = ("identity", "gzip", "zstd")
_PIECE = 1 << 16
_WINDOW = 1 << 27
_AT_ONCE = 8 << 20
"""Bytes for which room is made because a body says that it needs it."""
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
    rate = request.app.state.service.limits.body_rate if rate is None else rate
    unpacked = _Unpacked(_UNPACKERS[encoding](), limit)
    try:
        await _receive(request, rate, unpacked.take)
        return unpacked.whole()
    except TimeoutError:
        raise ApiError(408, "slow", "the body comes too slowly; send smaller pieces") from None
    except _TooLarge:
        if not unpacked.ended:
            await _drain(request, rate, limit)
        raise ApiError(413, "too_large", f"the body is larger than {limit} bytes; send less", limit=limit) from None
    except ClientDisconnect:
        raise ApiError(400, "cut_off", "the connection ended before the whole body had come") from None
    except _Damaged as error:
        if not unpacked.ended:
            await _drain(request, rate, limit)
        raise ApiError(400, "damaged", f"the body is no {encoding}: {error}") from None


class _Unpacked:
    """What has come so far, unpacked."""

    def __init__(self, unpacker: Any, limit: int) -> None:
        self.ended = False
        """Nothing more comes."""
        self._begun = False
        self._unpacker = unpacker
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def take(self, piece: bytes, *, more: bool) -> None:
        """A piece has come, with more to follow or not."""
        self.ended = not more
        only, self._begun = not more and not self._begun, self._begun or bool(piece)
        for part in self._unpacker.only(piece, self._limit) if only else self._unpacker.feed(piece):
            self._size += len(part)
            if self._size > self._limit:
                raise _TooLarge
            self._parts.append(part)

    def whole(self) -> bytes:
        """All of it, once it has ended."""
        self._unpacker.finish()
        return b"".join(self._parts)


async def _receive(request: Request, rate: float, take: Callable[..., None]) -> None:
    """Hand over the pieces of a body as they come.

    Raises:
        TimeoutError: they come too slowly.
        ClientDisconnect: no more will come.
    """
    begun, received = anyio.current_time(), 0
    with anyio.move_on_at(begun + (_GRACE if rate else math.inf)) as scope:
        while True:
            message = await request.receive()
            if message["type"] != "http.request":
                raise ClientDisconnect
            piece, more = message.get("body", b""), message.get("more_body", False)
            take(piece, more=more)
            if not more:
                return
            received += len(piece)
            if rate:
                scope.deadline = begun + _GRACE + received / rate
    raise TimeoutError


async def _drain(request: Request, rate: float, most: int) -> None:
    """Take what still comes, within bounds: a client that is cut off while it sends never reads the answer."""
    size = 0

    def drop(piece: bytes, *, more: bool) -> None:  # noqa: ARG001  as all who take
        nonlocal size
        size += len(piece)
        if size > most:
            raise _TooLarge

    with contextlib.suppress(ClientDisconnect, TimeoutError, _TooLarge):
        await _receive(request, rate, drop)


class _TooLarge(Exception):  # noqa: N818  private
    """More than the limit has come."""


class _Damaged(Exception):  # noqa: N818  private
    """A packed body cannot be unpacked."""


class _Identity:
    def feed(self, piece: bytes) -> Iterable[bytes]:
        return (piece,)

    def only(self, piece: bytes, limit: int) -> Iterable[bytes]:  # noqa: ARG002  as those that unpack
        return (piece,)

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

    def only(self, piece: bytes, limit: int) -> Iterable[bytes]:  # noqa: ARG002  what is too much ends the iteration
        return self.feed(piece)

    def finish(self) -> None:
        if self._fed and not self._inner.eof:
            raise _Damaged("it ends too early")


class _Zstd:
    """zstandard's object has no bound on what one call gives: it is fed so little that a call stays small."""

    def __init__(self) -> None:
        import zstandard

        self._whole = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
        self._size_of = zstandard.frame_content_size
        self._error = zstandard.ZstdError
        self._inner: Any = None
        self._fed = False

    def only(self, piece: bytes, limit: int) -> Iterable[bytes]:
        """The whole of a body. Nearly all say how much they unpack to, and are done in one go."""
        try:
            size = self._size_of(piece) if piece else -1
            if not 0 < size <= min(limit, _AT_ONCE):
                return self.feed(piece)
            return (self._whole.decompress(piece, max_output_size=size, allow_extra_data=False),)
        except self._error as error:
            raise _Damaged(str(error)) from None

    def feed(self, piece: bytes) -> Iterator[bytes]:
        self._fed = self._fed or bool(piece)
        self._inner = self._inner or self._whole.decompressobj()
        try:
            for at in range(0, len(piece), 256):
                yield self._inner.decompress(piece[at : at + 256])
        except self._error as error:
            raise _Damaged(str(error)) from None

    def finish(self) -> None:
        if self._fed and not self._inner.eof:
            raise _Damaged("it ends too early")


_UNPACKERS: dict[str, Callable[[], Any]] = {"identity": _Identity, "gzip": _Gzip, "zstd": _Zstd}
