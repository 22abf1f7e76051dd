"""Send the journals to the backends: in order, at least once, each backend at its own pace.

One thread a backend, so that one that fails or hangs holds up neither another nor the watch. After each acknowledged
chunk the offset is kept in ``delivery.json``; whoever goes on later (a resumed run, ``autolog sync``) starts there. One
process at a time delivers a run: it holds a lock on a file of the run.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from autolog.journal import journals
from autolog.process import liveness
from autolog.sidecar import outlet, progress
from autolog.sidecar.progress import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from autolog.config import Settings
    from autolog.plugins import RunEnd, RunHeader

__all__ = ["LINGER", "LOCK", "Delivery"]

LOCK = ".delivery.lock"
LINGER = 12
"""Times the setting ``exit_wait`` for which a backend may stand still after the end of the run: a minute by default."""
_SILENT = 180.0
"""Seconds without a record after which a process on another machine is gone."""


class Delivery:
    """Delivery of one run to all its backends but ``local``, which is the directory itself.

    Args:
        settings: those of the run.
        header: the run.
        say: takes ``kind, where, detail`` of what is worth knowing.
        only: the backends that are meant; default: all.
        again: try also what a backend has refused for good.
    """

    def __init__(
        self,
        settings: Settings,
        header: RunHeader,
        say: Callable[[str, str, str], None],
        *,
        only: list[str] | None = None,
        again: bool = False,
    ) -> None:
        self.closed = False
        """Nothing is to be sent any more."""
        self._directory = Path(header.directory)
        self._settings = settings
        self._again = again
        self._lock = threading.Lock()
        self._file = -1
        self._states: dict[str, State] = {}
        self._say = say
        names = progress.remote(settings) if only is None else only
        self._outlets = [outlet.Outlet(self, name, settings, header) for name in names]

    def start(self) -> None:
        """Begin to send."""
        for each in self._outlets:
            each.start()

    def wake(self) -> None:
        """There is something new to send."""
        for each in self._outlets:
            each.news.set()

    def close(self, end: RunEnd | None, *, linger: float | None = None) -> bool:
        """The run is over: wait until all is delivered, as long as it moves, and say what remains.

        Args:
            end: the run's end; ``None`` where it goes on: then its backends are not closed.
            linger: seconds for which a backend may stand still; default: twelve times ``exit_wait``.

        Returns:
            Whether everything was delivered.
        """
        linger = LINGER * self._settings.exit_wait if linger is None else linger
        for each in self._outlets:
            each.finish(end)
        while any(each.is_alive() and each.moves(linger) for each in self._outlets):
            for each in self._outlets:
                each.join(0.02)
        left = [each for each in self._outlets if each.is_alive()]
        for each in left:
            self._say("notice", f"deliver.{each.name}", "not everything was delivered: `autolog sync` goes on")
        self.closed = True
        if not left:
            self.leave()
        names = [each.name for each in self._outlets]
        return not left and all(name in self._states and self._states[name].done for name in names)

    def enter(self) -> bool:
        """Whether this process delivers the run; ``False`` as long as another one does."""
        with self._lock:
            if self._file >= 0 or not self._directory.is_dir():
                return True
            file = os.open(self._directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                return False
            except OSError:  # a file system without locks: backends bear being sent the same twice
                pass
            self._file = file
            self._states = progress.states(self._directory)
            return True

    def await_turn(self, seconds: float) -> bool:
        """Wait at most so long until this process is the one to deliver; whether it is."""
        until = time.monotonic() + seconds
        while not self.enter():
            if time.monotonic() > until:
                return False
            time.sleep(0.1)
        return True

    def leave(self) -> None:
        """Let another process deliver the run."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def state(self, name: str) -> State:
        """The state kept for a backend, made where there is none for where it sends to now."""
        where = progress.target(name, self._settings)
        with self._lock:
            known = self._states.get(name)
            if known is None or known.target not in ("", where):
                known = self._states[name] = State(spool=known is not None and known.spool)
            known.target = where
            if self._again:
                known.refused = ""
            return known

    def keep(self) -> None:
        """Write ``delivery.json``."""
        with self._lock:
            if not self.closed:
                progress.keep(self._directory, self._states)

    def failed(self, name: str, text: str) -> None:
        """A try has failed: kept in the state, and written on the run when it is another failure than the last."""
        if text != self.state(name).error:
            self.state(name).error = text
            self.keep()
            self._say("error", f"deliver.{name}", text)

    def spent(self) -> bool:
        """Whether the directory was only a spool, every backend has everything, and nobody writes there any more."""
        if not self._states or not self._directory.is_dir():
            return False
        whole = all(
            state.done and state.spool and not (state.refused or state.lost or state.changed or state.lost_assets)
            for state in self._states.values()
        )
        if not whole or progress.undelivered(self._directory, list(self._states)):
            return False
        return not any(_writes(path) for path in journals(self._directory))

    def remove(self) -> None:
        """Take the run's directory away; see :meth:`spent`. What says so goes last: a kill may come in between."""
        for path in self._directory.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != progress.FILE:
                path.unlink(missing_ok=True)
        shutil.rmtree(self._directory, ignore_errors=True)


def _writes(path: Path) -> bool:
    """Whether a process of the run that may outlive the main one still has this journal."""
    for start in outlet.headers(path):
        if start.role in ("rank", "worker") or (start.role == "sidecar" and start.pid != os.getpid()):
            seen = liveness(start)
            return seen == "alive" or (seen == "unseen" and time.time() - path.stat().st_mtime < _SILENT)
    return False
