"""Work that threads do together: what has come while they were busy is done in one go.

A hop to a thread and back costs more than most of what is done there, and what is put on disk together costs less.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

__all__ = ["Gathered"]

_I = TypeVar("_I")
_O = TypeVar("_O")


class _Job(NamedTuple, Generic[_I, _O]):
    item: _I
    future: asyncio.Future[_O]
    loop: asyncio.AbstractEventLoop


class Gathered(Generic[_I, _O]):
    """Threads that work for an event loop. They begin with the first item.

    Args:
        work: does several items; a result, or an exception, for each.
        name: of the threads.
        threads: how many.
        most: items at once.
    """

    def __init__(
        self, work: Callable[[Sequence[_I]], Sequence[_O | Exception]], name: str, *, threads: int, most: int
    ) -> None:  # fmt: skip
        self._work = work
        self._name = name
        self._count = threads
        self._most = most
        self._waiting: queue.SimpleQueue[_Job[_I, _O] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    async def do(self, item: _I) -> _O:
        """Have one item done; what comes of it.

        Raises:
            Exception: what its work has raised.
        """
        if not self._threads:
            self._begin()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_O] = loop.create_future()
        self._waiting.put(_Job(item, future, loop))
        return await future

    def _begin(self) -> None:
        for number in range(self._count):
            thread = threading.Thread(target=self._run, name=f"{self._name}-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """End the threads, after what was given to them."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            jobs = self._more(first)
            try:
                results = self._work([job.item for job in jobs])
            except Exception as error:  # whoever waits is told, and the thread goes on
                results = [error] * len(jobs)
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                jobs[0].loop.call_soon_threadsafe(_settle, jobs, results)

    def _more(self, first: _Job[_I, _O]) -> list[_Job[_I, _O]]:
        """What waits, but for what the other threads may take."""
        jobs = [first]
        share = min(self._most, 1 + self._waiting.qsize() // self._count)
        while len(jobs) < share:
            try:
                job = self._waiting.get_nowait()
            except queue.Empty:
                break
            if job is None:  # the end, for one of the threads
                self._waiting.put(None)
                break
            jobs.append(job)
        return jobs


def _settle(jobs: list[_Job[_I, _O]], results: Sequence[_O | Exception]) -> None:
    for job, result in zip(jobs, results, strict=True):
        if job.future.done():  # who waited has gone
            continue
        if isinstance(result, Exception):
            job.future.set_exception(result)
        else:
            job.future.set_result(result)
