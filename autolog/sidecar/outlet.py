"""One backend's thread: send what there is, keep what was acknowledged, try again after failures."""

from __future__ import annotations

import random
import threading
import time
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from autolog import events
from autolog.journal import journals, read
from autolog.plugins import Backend, Chunk, Later, Rejected, Report, RunEnd, RunHeader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autolog.config import Settings
    from autolog.sidecar.deliver import Delivery
    from autolog.sidecar.progress import State

__all__ = ["Outlet", "headers", "load", "next_chunk"]

_CHUNK = 1 << 20
_PAUSE = 0.5
"""Seconds after a first failure; twice as many after each further one."""
_LONGEST_PAUSE = 30.0
_LONGEST_ASKED = 300.0
"""Seconds that a backend may ask for: one that asks for a day is asked again all the same."""
_KEPT_EVERY = 0.25
"""Seconds between two notes of what is being sent."""


def load(name: str, settings: Settings) -> Backend:
    """Make the backend ``name``: a built-in, or one registered with the entry-point group ``autolog.backends``.

    Either is a function ``create(settings)``.

    Raises:
        LookupError: there is none of that name.
    """
    for point in entry_points(group="autolog.backends"):
        if point.name == name:
            return _checked(point.load()(settings), name)
    try:
        module = import_module(f"autolog.backends.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"autolog.backends.{name}":
            raise
        raise LookupError(f"there is no backend {name!r}") from error
    return _checked(module.create(settings), name)


def _checked(backend: Any, name: str) -> Backend:
    if not isinstance(backend, Backend):
        raise TypeError(f"the backend {name!r} must have name, open(), send() and close()")
    return backend


class _End(NamedTuple):
    """That no more is coming: the run's end, or ``None`` where it goes on without this process."""

    run: RunEnd | None


class _Report(Report):
    """What one backend tells while it works; counted once the work is acknowledged."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._counts: list[tuple[str, str, str, int]] = []
        self._kept = 0.0

    def lost(self, what: Literal["record", "value", "asset"], reason: str, *, where: str = "", count: int = 1) -> None:
        self._counts.append((what, reason, where, count))

    def moving(self, doing: str) -> None:
        self._outlet.moved()
        if time.monotonic() - self._kept > _KEPT_EVERY:
            self._kept = time.monotonic()
            self._outlet.show(doing)

    def forget(self) -> None:
        self._counts.clear()

    def count(self, state: State) -> None:
        for what, reason, where, count in self._counts:
            if what == "asset":
                state.lost_assets[where or reason] = reason
            else:
                counts = state.lost if what == "record" else state.changed
                counts[reason] = counts.get(reason, 0) + count
        self._counts.clear()


class Outlet(threading.Thread):
    """One backend's thread. A daemon: one that hangs in a backend does not keep the process alive.

    Args:
        delivery: what it is part of.
        name: the backend's.
        settings: those of the run.
        header: the run.
    """

    def __init__(self, delivery: Delivery, name: str, settings: Settings, header: RunHeader) -> None:
        super().__init__(name=name, daemon=True)
        self.news = threading.Event()
        self._ending = threading.Event()
        self._end: _End | None = None
        self._enough: dict[str, int] | None = None
        """Where to stop in each journal, of a run that goes on."""
        self._moved = time.monotonic()
        self._delivery = delivery
        self._settings = settings
        self._report = _Report(self)
        self._header = msgspec.structs.replace(header, report=self._report)
        self._directory = Path(header.directory)
        self._backend: Backend | None = None

    def finish(self, end: RunEnd | None) -> None:
        """No more is coming: send the rest, at once if it is waiting to try again, and end."""
        if end is None and self._directory.is_dir():  # what comes later is the next one's: it may never stop coming
            self._enough = {path.name: path.stat().st_size for path in journals(self._directory)}
        self._end = _End(end)
        self.moved()
        self._ending.set()
        self.news.set()

    def moved(self) -> None:
        """Something has come through."""
        self._moved = time.monotonic()

    def moves(self, seconds: float) -> bool:
        """Whether something has come through within so many seconds."""
        return time.monotonic() - self._moved < seconds

    def show(self, doing: str) -> None:
        """Keep what is being sent, for who waits."""
        self._delivery.state(self.name).doing = doing
        self._delivery.keep()

    def run(self) -> None:
        while not self._delivery.enter():
            if self._delivery.closed:
                return
            time.sleep(0.2)
        pause = _PAUSE
        while not self._delivery.closed:
            before = self._moved
            try:
                if self._advance():
                    return
            except Rejected as error:
                self._refused(str(error))
                return
            except Exception as error:
                self._report.forget()
                self._delivery.failed(self.name, _told(error))
                asked = min(error.seconds, _LONGEST_ASKED) if isinstance(error, Later) else 0.0
                pause = self._rest(asked, _PAUSE if self._moved != before else pause)
                continue
            pause = _PAUSE
            self.news.wait(5.0)
            self.news.clear()

    def _rest(self, asked: float, pause: float) -> float:
        """Wait as long as was asked for, and then some; the pause after the next failure.

        The end of the run cuts a pause short that nobody asked for.
        """
        if asked:
            time.sleep(asked)
        # Jitter: many runs that wait for one server must not come back in step.
        seconds = pause * random.uniform(0.5, 1.0)  # noqa: S311  no secret
        if self._ending.is_set():
            time.sleep(seconds)
        elif self._ending.wait(seconds):
            return _PAUSE
        return min(2 * pause, _LONGEST_PAUSE)

    def _refused(self, reason: str) -> None:
        self._report.forget()
        self._delivery.failed(self.name, reason)
        self._delivery.state(self.name).refused = reason
        self._delivery.keep()

    def _advance(self) -> bool:
        """Send what there is. Returns whether that was all, for good."""
        end = self._end  # before looking for what there is: nothing is written after it
        state = self._delivery.state(self.name)
        if state.refused or not self._directory.is_dir():
            return True
        if self._backend is None:
            backend = load(self.name, self._settings)
            backend.open(self._header)
            self._backend = backend
        for path in journals(self._directory):
            while chunk := next_chunk(path, state.journals.get(path.name, 0)):
                if self._delivery.closed:
                    return True
                self._backend.send(chunk)
                state.done = False
                self._acknowledge(state, path.name, chunk.offset + len(chunk.data))
                if self._enough is not None and state.journals[path.name] >= self._enough.get(path.name, 0):
                    break
        if end is None:
            return False
        if end.run is not None:
            self._backend.close(end.run)
            state.done = True
            self._acknowledge(state)
        return True

    def _acknowledge(self, state: State, journal: str = "", size: int = 0) -> None:
        if journal:
            state.journals[journal] = size
        state.error = state.doing = ""
        self._report.count(state)
        self.moved()
        self._delivery.keep()


def _told(error: Exception) -> str:
    """An error for people. The name of its class says something only where the text says little."""
    text = str(error)
    return text if isinstance(error, (Later, LookupError)) and text else f"{type(error).__name__}: {text}"


def next_chunk(path: Path, offset: int) -> Chunk | None:
    """Whole lines from ``offset`` on, about a megabyte or one longer line; ``None`` where there is no whole line."""
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(_CHUNK)
        while data and b"\n" not in data:
            more = file.read(_CHUNK)
            if not more:
                return None
            data += more
    data = data[: data.rfind(b"\n") + 1]
    return Chunk(path.name, offset, data) if data else None


def headers(path: Path) -> Iterator[events.RunStart]:
    """Whose journal this is, by its first line."""
    try:
        first = next(read(path), None)
    except OSError:
        return
    if first is not None and isinstance(first[0], events.RunStart):
        yield first[0]
