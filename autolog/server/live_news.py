"""What has changed, numbered: who was away for a moment is told what they missed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec

from autolog.store.layout import Place

__all__ = ["News"]

_KEPT = 10_000
"""News that can be asked for again; who was away for longer is told to look at everything."""
_BEAT = 15.0
"""Seconds after which a silent stream says that it is alive: proxies cut silent ones."""


class _Item(NamedTuple):
    number: int
    place: Place


class News:
    """What has changed, numbered; told to every open stream of this process."""

    def __init__(self) -> None:
        self._items: deque[_Item] = deque(maxlen=_KEPT)
        self._number = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[asyncio.Event] = set()
        self._closed = False

    def tell(self, place: Place) -> None:
        """A run's rows are new; called from the index's thread."""
        loop = self._loop
        self._number += 1
        self._items.append(_Item(self._number, place))
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """The server ends: so do the streams."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        for waiting in self._waiting:
            waiting.set()

    async def stream(self, project: str, since: int | None, only: str | None = None) -> AsyncIterator[bytes]:
        """Events of a project, or of one run of it, from after number ``since`` on; without it from now on."""
        self._loop = asyncio.get_running_loop()
        news = asyncio.Event()
        self._waiting.add(news)
        try:
            oldest = self._items[0].number if self._items else self._number + 1
            if since is not None and (since > self._number or since < oldest - 1):
                yield _event("all", self._number, {})
                since = None
            last = self._number if since is None else since
            yield b": welcome\n\n"
            while not self._closed:
                news.clear()
                found = [item for item in list(self._items) if item.number > last]
                for run in dict.fromkeys(item.place[1] for item in found if item.place[0] == project and only in (None, item.place[1])):
                    yield _event("run", found[-1].number, {"run": run})
                last = found[-1].number if found else last
                try:
                    await asyncio.wait_for(news.wait(), _BEAT)
                except TimeoutError:
                    yield b": alive\n\n"
                except asyncio.TimeoutError:
                    yield b": alive\n\n"
        finally:
            self._waiting.discard(news)


def _event(kind: str, number: int, data: dict[str, str]) -> bytes:
    return f"id: {number}\nevent: {kind}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n"
