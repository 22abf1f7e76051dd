"""What Python prints, as a terminal would show it, in ``console.log``.

The very objects ``sys.stdout`` and ``sys.stderr`` get an attribute ``write`` that calls their own and then looks at
the text; everything else about them (``isatty``, ``fileno``, encoding, type, identity) is untouched. Not seen: what
goes around ``write`` (``sys.stdout.buffer``, ``os.write``, output of C++ code and child processes).

No thread, and nothing waits in memory: a line is in the file when the ``print`` that completes it returns. An
unfinished line or progress bar is rewritten in place, at most about twenty times a second after a burst; its last
state is written with the next line and at the end.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from autolog.capture.terminal import Screen
from autolog.guard import guard, report

if TYPE_CHECKING:
    from autolog.capture.redact import Redactor
    from autolog.patching import Undo

__all__ = ["attach", "detach", "install", "problems"]

_BUFFER = 1_000_000  # characters kept before a run begins
_INTERVAL = 0.05  # seconds between two rewrites of an unfinished line
_BURST = 20.0  # rewrites that may come at once
_MARK = "__autolog_console__"


class _Console:
    """The screen, and the file it is written to once a run has begun."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}
        self._paused: tuple[str, Redactor, Callable[[int, str], None] | None] | None = None
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()  # a signal handler may print while we are inside
        self._busy = False
        self._later: list[str] = []
        self._screen = Screen()
        self._buffered = 0
        self._lost = 0
        self._file = -1
        self._starts = [0]  # where each row of the screen begins in the file
        self._hidden = False  # inside a private key, which spans lines
        self._end = 0
        self._credit = _BURST
        self._last = 0.0
        self._redactor: Redactor | None = None
        self._on_lost: Callable[[int, str], None] | None = None
        self._path = ""

    def watch(self, text: object) -> None:
        """Take what has been printed; an error of ours ends here."""
        if isinstance(text, str):
            try:
                self.feed(text)
            except Exception as error:
                report("console", error)

    def feed(self, text: str) -> None:
        """Take what has been printed. In a forked child: nothing, the file is the parent's."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            if self._busy:  # printed by a signal handler, a destructor or our own warning, in the middle of this
                self._later.append(text)
                return
            self._busy = True
            try:
                self._take(text)
                while self._later:
                    self._take(self._later.pop(0))
            finally:
                self._busy = False

    def attach(self, path: str, redactor: Redactor, on_lost: Callable[[int, str], None] | None) -> None:
        if os.getpid() != self._pid:
            self._reset()
        with self._lock:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._path, self._redactor, self._on_lost = path, redactor, on_lost
            self._end = os.fstat(self._file).st_size  # a resumed run goes on
            self._starts = [self._end] * len(self._screen.rows)
            self._screen.touch(0)
            self._flush()
            self._tell("not kept before the run began")

    def pause(self) -> None:
        """Switched off: close the file, but know it, should the run still be there when this is switched on again."""
        path, redactor, on_lost = self._path, self._redactor, self._on_lost
        self.detach()
        self._reset()
        if redactor is not None:
            self._paused = (path, redactor, on_lost)

    def proceed(self) -> None:
        if self._paused is not None:
            paused, self._paused = self._paused, None
            self.attach(*paused)

    def detach(self) -> None:
        self._paused = None
        if os.getpid() != self._pid or self._file < 0:
            return
        with self._lock:
            self._flush()
            self._lost += len(self._screen.rows) - self._screen.changed
            self._tell("not written")
            os.close(self._file)
            self._reset()

    def _take(self, text: str) -> None:
        completed = self._screen.feed(text)
        if self._file < 0:
            self._buffered += len(text)
            if self._buffered > _BUFFER:
                self._shorten()
            return
        if completed or self._affordable():
            self._flush()
            surplus = self._screen.surplus()
            if surplus > 100:
                self._forget(surplus)

    def _affordable(self) -> bool:
        now = time.monotonic()
        self._credit = min(_BURST, self._credit + (now - self._last) / _INTERVAL)
        self._last = now
        if self._credit < 1:
            return False
        self._credit -= 1
        return True

    def _shorten(self) -> None:
        """Before a run, the latest output is kept."""
        self._buffered = 0
        rows = self._screen.rows
        for index in range(len(rows) - 1, -1, -1):
            self._buffered += len(rows[index]) + 1
            if self._buffered > _BUFFER * 3 // 4:
                self._lost += self._screen.drop(index)
                self._buffered = sum(map(len, self._screen.rows))
                return

    def _forget(self, count: int) -> None:
        """Rows the cursor cannot reach are final; those that could not be written are lost now."""
        written = min(count, self._screen.changed)
        self._lost += count - written
        self._screen.drop(count)
        place = self._starts[written]
        del self._starts[:count]
        if written < count:
            self._starts[0] = place
            self._tell("not written")

    def _flush(self) -> None:
        """Bring the file up to the screen; what cannot be written now is tried again with the next text."""
        first = self._screen.changed
        rows = self._screen.settle()
        if not rows:
            return
        lines = [self._masked(row).encode("utf-8", "replace") for row in rows[:-1]]
        lines.append(self._masked(rows[-1], unfinished=True).encode("utf-8", "replace"))
        start = self._starts[first]
        data = b"\n".join(lines)
        del self._starts[first:]
        place = start
        for line in lines:
            self._starts.append(place)
            place += len(line) + 1
        try:
            written = os.pwrite(self._file, data, start)
            if written == len(data) and start + written < self._end:
                os.ftruncate(self._file, start + written)
        except OSError:
            written = -1
        if written == len(data):
            self._end = start + written
        else:
            self._screen.touch(first)

    def _masked(self, row: str, *, unfinished: bool = False) -> str:
        if self._redactor is None or not self._redactor.enabled:
            return row
        if "PRIVATE KEY" in row and "-----BEGIN" in row:
            self._hidden = not unfinished and "-----END" not in row
            return self._redactor.text(row, "console")
        if self._hidden:
            if "-----END" in row:
                self._hidden = False
            return ""
        return self._redactor.text(row, "console")

    def _tell(self, detail: str) -> None:
        if self._lost and self._on_lost is not None:
            lost, self._lost = self._lost, 0
            self._on_lost(lost, f"console lines {detail}")


_console = _Console()


def install() -> Iterable[Undo]:
    """Watch ``sys.stdout`` and ``sys.stderr`` as they are now; until :func:`attach`, text is kept in memory.

    Returns:
        What takes the attributes off again; the file is written to its last state then. Installed again during the
        same run, the file is continued.
    """
    from autolog.capture.notebook import before_each_cell

    undos: dict[str, Undo] = {}

    def watch(_: object = None) -> None:
        for name in ("stdout", "stderr"):
            undo = _watch(name, getattr(sys, name))
            if undo is not None:
                undos[name] = undo

    def unwatch() -> None:
        while undos:
            undos.popitem()[1]()

    watch()
    # IPython puts a `write` of its own on the streams for each cell, and what it found before back after it.
    forget = before_each_cell(watch, "console")
    with guard("console"):
        _console.proceed()
    return [unwatch, forget, _switched_off]


def attach(path: str | os.PathLike[str], redactor: Redactor, on_lost: Callable[[int, str], None] | None = None) -> None:
    """A run has begun: write to ``path`` what was printed so far and everything from now on.

    Args:
        path: ``console.log`` of the run; an existing file is continued.
        redactor: masks each line; it counts under ``console``.
        on_lost: called with a number of lines and a reason where lines could not be kept.

    Raises:
        OSError: the file cannot be opened. Text is kept in memory then, as before.
    """
    _console.attach(os.fspath(path), redactor, on_lost)


def detach() -> None:
    """The run ends: the last state of the screen is written and the file closed. Later text waits for the next run."""
    _console.detach()


def problems() -> dict[str, str]:
    """Streams that could not be watched, and why, for ``autolog doctor``."""
    return dict(_console.problems)


def _switched_off() -> None:
    with guard("console"):
        _console.pause()


def _watch(name: str, stream: Any) -> Undo | None:
    """Give ``stream`` a ``write`` of its own around the one it has."""
    if stream is None:
        _console.problems[name] = "this process has none"
        return None
    if hasattr(stream.write, _MARK):
        return None  # both names are one object, or this is on already
    awake = True
    original = stream.write

    def write(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if awake:
            _console.watch(args[0] if args else kwargs.get("s"))
        return result

    own = _instance_attributes(stream)
    had = own.get("write") if own is not None else None
    write.__doc__ = getattr(original, "__doc__", None)
    setattr(write, _MARK, True)
    try:
        stream.write = write
    except (AttributeError, TypeError) as error:
        _console.problems[name] = f"{type(stream).__name__} takes no attributes: {error}"
        return None
    _console.problems.pop(name, None)

    def undo() -> None:
        nonlocal awake
        awake = False
        if (_instance_attributes(stream) or {}).get("write") is not write:
            return  # someone wrapped ours: it stays below theirs, asleep
        if had is None:
            del stream.write
        else:
            stream.write = had

    return undo


def _instance_attributes(stream: Any) -> dict[str, Any] | None:
    return getattr(stream, "__dict__", None)
