"""The body of a request at a bounded rate: in small pieces, so that a slow network has time for each of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

__all__ = ["Body", "Pace"]

_PIECE = 1 << 14
"""Bytes for which a socket has the time-out of the connection: all at once, megabytes would never get through."""
_AHEAD = 0.1
"""Seconds that are not worth a pause."""


class Pace:
    """Bytes a second, for all requests that share it.

    Args:
        rate: the most bytes a second; 0: no bound.
        clock: seconds that only grow.
        sleep: waits so many of them.
    """

    def __init__(
        self, rate: float, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._rate = rate
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._free = 0.0
        """When everything that was sent so far is paid for."""

    def wait(self, size: int) -> None:
        """Before so many bytes are sent: wait until it is their time."""
        if not self._rate:
            return
        with self._lock:
            now = self._clock()
            begin = max(self._free, now)
            self._free = begin + size / self._rate
        if begin - now > _AHEAD:
            self._sleep(begin - now)


class Body:
    """Bytes as requests sends a file: piece by piece.

    Args:
        data: the bytes.
        pace: how fast.
        moving: called with the number of bytes that were handed over so far.
    """

    def __init__(self, data: bytes, pace: Pace, moving: Callable[[int], None]) -> None:
        self._data = data
        self._at = 0
        self._pace = pace
        self._moving = moving

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(_PIECE):
            yield piece

    def read(self, size: int = -1) -> bytes:
        """The next piece; never a large one."""
        size = _PIECE if size < 0 else min(size, _PIECE)
        piece = self._data[self._at : self._at + size]
        self._pace.wait(len(piece))
        self._at += len(piece)
        if piece:
            self._moving(self._at)
        return piece
