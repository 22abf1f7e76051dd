"""Facts that take time to find out (git, packages, host): gathered here, so that a run starts in milliseconds."""

from __future__ import annotations

import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

from autolog import events

if TYPE_CHECKING:
    from collections.abc import Callable

    from autolog.config import Settings

__all__ = ["Gatherer"]

_PATIENCE = 10.0
"""Seconds that a run which is over still waits for a fact (git on a slow disk)."""


class Gatherer:
    """Gathers the facts in a thread: git on a hanging file system must not stop the watch.

    Args:
        settings: those of the run; facts named in ``disable`` are left out.
        cwd: the working directory of the training process when its run began.
        append: takes the records.
        say: takes ``kind, where, detail`` of what failed.
    """

    def __init__(
        self,
        settings: Settings,
        cwd: str,
        append: Callable[[events.Record], None],
        say: Callable[[str, str, str], None],
    ) -> None:
        self._settings = settings
        self._cwd = cwd
        self._append = append
        self._say = say
        self._thread = threading.Thread(target=self._gather, name="facts", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self) -> None:
        """Wait for what is still on its way, for a few seconds."""
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            self._say("notice", "facts", "facts were still being gathered when the run was over")

    def _gather(self) -> None:
        for name, gather in _sources(self._cwd).items():
            if name in self._settings.disable:
                continue
            try:
                for fact, value in gather().items():
                    self._append(events.Fact(time=time.time(), name=fact, value=value))
            except Exception:
                self._say("error", f"capture.{name}", traceback.format_exc())


def _sources(cwd: str) -> dict[str, Callable[[], dict[str, Any]]]:
    """By name as it is switched off: what gives facts by their names."""
    return {}
