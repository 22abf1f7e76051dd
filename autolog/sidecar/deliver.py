"""Send the journals to the backends: in order, at least once, each backend at its own pace.

One thread a backend, so that one that fails or hangs holds up neither another nor the watch. After each acknowledged
chunk the offset is kept in ``delivery.json``; whoever goes on later (a resumed run, ``autolog sync``) starts there.
"""

from __future__ import annotations

import random
import threading
import time
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from autolog.journal import journals
from autolog.plugins import Backend, Chunk, Later, RunEnd, RunHeader
from autolog.sidecar.progress import FILE, State, states

if TYPE_CHECKING:
    from collections.abc import Callable

    from autolog.config import Settings

__all__ = ["Delivery", "load", "next_chunk"]

_CHUNK = 1 << 20
_LINGER = 12
"""Times the setting ``exit_wait`` for which delivery is still tried after the end of the run: a minute by default."""
_LONGEST_PAUSE = 30.0
_LONGEST_ASKED = 300.0
"""Seconds that a backend may ask for: one that asks for a day is asked again all the same."""


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
        raise LookupError(f"there is no backend {name!r}") from error
    return _checked(module.create(settings), name)


def _checked(backend: Any, name: str) -> Backend:
    if not isinstance(backend, Backend):
        raise TypeError(f"the backend {name!r} must have name, open(), send() and close()")
    return backend


class Delivery:
    """Delivery of one run to all its backends but ``local``, which is the directory itself.

    Args:
        settings: those of the run.
        header: the run.
        say: takes ``kind, where, detail`` of what is worth knowing.
    """

    def __init__(self, settings: Settings, header: RunHeader, say: Callable[[str, str, str], None]) -> None:
        self._directory = Path(header.directory)
        self._linger = _LINGER * settings.exit_wait
        self._lock = threading.Lock()
        self._states = states(self._directory)
        self._say = say
        self._outlets = [_Outlet(self, name, settings, header) for name in settings.backend if name != "local"]

    def start(self) -> None:
        """Begin to send."""
        for outlet in self._outlets:
            outlet.start()

    def wake(self) -> None:
        """There is something new to send."""
        for outlet in self._outlets:
            outlet.news.set()

    def close(self, end: RunEnd) -> None:
        """The run is over: wait until all is delivered, at most twelve times ``exit_wait``, and say what remains."""
        until = time.monotonic() + self._linger
        for outlet in self._outlets:
            outlet.end = end
            outlet.news.set()
        for outlet in self._outlets:
            outlet.join(max(0.0, until - time.monotonic()))
            if outlet.is_alive():
                self._say("notice", f"deliver.{outlet.name}", "not everything was delivered: `autolog sync` goes on")

    def state(self, name: str) -> State:
        """The state kept for a backend, made where there is none."""
        return self._states.setdefault(name, State())

    def keep(self) -> None:
        """Write ``delivery.json``; it is whole at any moment. Not into a directory that is gone."""
        with self._lock:
            if not self._directory.is_dir():
                return
            temporary = self._directory / f".{FILE}.tmp"
            temporary.write_bytes(msgspec.json.encode(self._states))
            temporary.replace(self._directory / FILE)

    def failed(self, name: str, error: Exception) -> None:
        """A try has failed: kept in the state, and written on the run when it is another failure than the last."""
        text = f"{type(error).__name__}: {error}"
        if text != self.state(name).error:
            self.state(name).error = text
            self.keep()
            self._say("error", f"deliver.{name}", text)


class _Outlet(threading.Thread):
    """One backend's thread. A daemon: one that hangs in a backend does not keep the sidecar alive."""

    def __init__(self, delivery: Delivery, name: str, settings: Settings, header: RunHeader) -> None:
        super().__init__(name=name, daemon=True)
        self.news = threading.Event()
        self.end: RunEnd | None = None
        self._delivery = delivery
        self._settings = settings
        self._header = header
        self._directory = Path(header.directory)
        self._backend: Backend | None = None

    def run(self) -> None:
        pause = 0.5
        while True:
            try:
                if self._advance():
                    return
            except Exception as error:
                self._delivery.failed(self.name, error)
                asked = min(error.seconds, _LONGEST_ASKED) if isinstance(error, Later) else 0.0
                # Jitter: many runs that wait for one server must not come back in step.
                time.sleep(asked + pause * random.uniform(0.5, 1.0))  # noqa: S311  no secret
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause = 0.5
            self.news.wait(5.0)
            self.news.clear()

    def _advance(self) -> bool:
        """Send what there is. Returns whether that was all, for good."""
        end = self.end  # before looking for what there is: nothing is written after it
        if self._backend is None:
            backend = load(self.name, self._settings)
            backend.open(self._header)
            self._backend = backend
        state = self._delivery.state(self.name)
        for path in journals(self._directory):
            while chunk := next_chunk(path, state.journals.get(path.name, 0)):
                self._backend.send(chunk)
                state.journals[path.name] = chunk.offset + len(chunk.data)
                state.error = ""
                self._delivery.keep()
        if end is None:
            return False
        self._backend.close(end)
        state.done = True
        self._delivery.keep()
        return True


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
