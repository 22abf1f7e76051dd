"""What has changed, numbered: who was away for a moment is told what they missed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import msgspec
from starlette.concurrency import run_in_threadpool

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
    """What has changed, numbered by project; told to every open stream of this process.

    Args:
        current: the number of a project's last news, where others count too. Without it, this process counts, from a
            number that no process before it has come to.
    """

    def __init__(self, current: Callable[[str], int] | None = None) -> None:
        self._items: deque[_Item] = deque()
        self._current = current
        self._base = int(time.time() * 1000)
        self._numbers: dict[str, int] = {}
        self._floors: dict[str, int] = {}
        """By project: everything after this number is among the items."""
        self._gaps = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[asyncio.Event] = set()
        self._closed = False

    def tell(self, place: Place, number: int | None = None) -> None:
        """A run's rows are new; called from the index's thread, or with its number from the one that listens."""
        project = place[0]
        if number is None:
            number = self._numbers.get(project, self._base) + 1
        self._numbers[project] = number
        self._floors.setdefault(project, number - 1)
        self._items.append(_Item(number, place))
        while len(self._items) > _KEPT:
            gone = self._items.popleft()
            self._floors[gone.place[0]] = gone.number
        self._wake_soon()

    def missed(self) -> None:
        """Nobody knows what happened so far: streams are told to look at everything."""
        self._items.clear()
        self._floors.clear()
        self._gaps += 1
        self._wake_soon()

    def close(self) -> None:
        """The server ends: so do the streams."""
        self._closed = True
        self._wake()

    def _wake_soon(self) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for waiting in self._waiting:
            waiting.set()

    async def stream(self, project: str, since: int | None, only: str | None = None) -> AsyncIterator[bytes]:
        """Events of a project, or of one run of it, from after number ``since`` on; without it from now on."""
        self._loop = asyncio.get_running_loop()
        news = asyncio.Event()
        self._waiting.add(news)
        try:
            gaps = self._gaps
            last = self._numbers.get(project, self._base)
            if self._current is not None:
                last = await run_in_threadpool(self._current, project)
            if since is not None and self._floors.get(project, last) <= since <= last:
                last = since
            elif since is not None:
                yield _event("all", last, {})
            yield b": welcome\n\n"
            while not self._closed:
                news.clear()
                if gaps != self._gaps:
                    gaps = self._gaps
                    yield _event("all", last, {})
                found = [item for item in list(self._items) if item.place[0] == project and item.number > last]
                for run in dict.fromkeys(item.place[1] for item in found if only in (None, item.place[1])):
                    yield _event("run", found[-1].number, {"run": run})
                last = found[-1].number if found else last
                try:
                    await asyncio.wait_for(news.wait(), _BEAT)
                except (TimeoutError, asyncio.TimeoutError):
                    yield b": alive\n\n"
            yield b"retry: 2000\n\n"  # the server ends: another one, or its successor, is there soon
        finally:
            self._waiting.discard(news)


def _event(kind: str, number: int, data: dict[str, str]) -> bytes:
    return f"id: {number}\nevent: {kind}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n"
