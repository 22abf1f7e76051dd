"""Runs that trainings on this machine write: seen by the stamps of their journals, however many runs there are.

Runs that changed lately and new ones are looked at every second; all of them as rarely as it takes for that to cost
nothing worth mentioning (ten thousand runs are looked at in a fraction of a second, a few times a minute).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from autolog.store import layout
from autolog.store.layout import Place

__all__ = ["Watch"]

_REST = 1.0
"""Seconds between two looks at runs that changed lately."""
_SHARE = 50
"""All runs are looked at after so many times what that took."""
_LATELY = 600.0


class Watch(threading.Thread):
    """The thread. What was there when it is made is not told.

    Args:
        root: the runs directory.
        changed: hears of runs whose journals have grown, that are new, or gone.
        printed: hears of runs of which only the console has grown.
    """

    def __init__(self, root: Path, changed: Callable[[Place], None], printed: Callable[[Place], None]) -> None:
        super().__init__(name="autolog-watch", daemon=True)
        self._root = root
        self._changed = changed
        self._printed = printed
        self._end = threading.Event()
        self._stamps: dict[Place, str] = {}
        self._consoles: dict[Place, str] = {}
        self._lately: dict[Place, float] = {}
        """Runs that changed lately, and when."""
        self._folders: dict[str, int] = {}
        """Modification times of the projects' folders: a new run changes them."""
        self._due = 0.0
        self.look_at_all(told=False)

    def close(self) -> None:
        """End the thread."""
        self._end.set()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        """Until :meth:`close`."""
        while not self._end.wait(_REST):
            if time.monotonic() >= self._due:
                self.look_at_all()
            else:
                self._look_at_some()

    def look_at_all(self, *, told: bool = True) -> None:
        """Look at every run."""
        begun = time.monotonic()
        self._folders = self._folders_now()
        found = dict(layout.run_places(self._root))
        for place in [*found, *(self._stamps.keys() - found.keys())]:
            stamp = found.get(place, "")
            if stamp != self._stamps.get(place, ""):
                self._note(place, stamp, told=told)
        self._due = time.monotonic() + max(2.0, _SHARE * (time.monotonic() - begun))

    def _look_at_some(self) -> None:
        folders = self._folders_now()
        for project in folders:
            if folders[project] != self._folders.get(project):
                for run in _names(self._root / project):
                    if (project, run) not in self._stamps:
                        self._look_at((project, run))
        self._folders = folders
        now = time.monotonic()
        self._lately = {place: when for place, when in self._lately.items() if now - when < _LATELY}
        for place in list(self._lately):
            self._look_at(place)

    def _look_at(self, place: Place) -> None:
        directory = self._root / place[0] / place[1]
        stamp = layout.stamp_of(directory)
        console = _console(directory)
        if stamp != self._stamps.get(place, ""):
            self._note(place, stamp)
        elif console != self._consoles.get(place, console):
            self._lately[place] = time.monotonic()
            self._printed(place)
        self._consoles[place] = console

    def _note(self, place: Place, stamp: str, *, told: bool = True) -> None:
        if stamp:
            self._stamps[place] = stamp
        else:
            self._stamps.pop(place, None)
            self._consoles.pop(place, None)
        if told:
            self._lately[place] = time.monotonic()
            self._changed(place)

    def _folders_now(self) -> dict[str, int]:
        found = {}
        for name in _names(self._root):
            try:
                found[name] = (self._root / name).stat().st_mtime_ns
            except OSError:
                continue  # just removed
        return found


def _names(folder: Path) -> list[str]:
    """Folders in a folder that are not hidden."""
    try:
        with os.scandir(folder) as entries:
            return [e.name for e in entries if not e.name.startswith(".") and e.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _console(directory: Path) -> str:
    parts = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.startswith("console") and entry.name.endswith(".log"):
                    stat = entry.stat()
                    parts.append(f"{entry.name}:{stat.st_size}:{stat.st_mtime_ns}")
    except OSError:
        return ""
    return "|".join(sorted(parts))
