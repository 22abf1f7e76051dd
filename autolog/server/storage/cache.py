"""Local copies of journals that are kept elsewhere, so that the readers of directories can read them.

Each process has a directory of its own, which begins empty and holds nothing that matters. A copy is brought up to date
by what its journals have grown by; the copies that nobody has read for longest make room.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from autolog.store.layout import Place

__all__ = ["Cache", "Source"]

_LOCK = ".lock"


class Source(NamedTuple):
    """A file as it is to be."""

    name: str
    identity: str
    """Another one: another file, of which nothing that is held is part."""
    size: int
    read: Callable[[int, int], Iterable[bytes]]
    changed: float | None = None
    """When, seconds since the epoch, so that the copy says so too."""


class _Copy:
    def __init__(self, home: Path, place: Place) -> None:
        self.home = home
        self.path = home / place[0] / place[1]
        self.lock = threading.Lock()
        self.readers = 0
        self.held: dict[str, tuple[str, int]] = {}
        """Of each file whose it is, and its size."""

    @property
    def size(self) -> int:
        return sum(size for _, size in list(self.held.values()))


class Cache:
    """Copies below a folder.

    Args:
        folder: where processes have their directories; what dead ones have left is removed.
        most: bytes that are kept while nobody reads them.
    """

    def __init__(self, folder: Path, most: int) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_abandoned(folder)
        self.root = Path(tempfile.mkdtemp(prefix="process-", dir=folder))
        self._alive = _lock(self.root)
        self._most = most
        self._lock = threading.Lock()
        self._copies: dict[Place, _Copy] = {}
        """Least recently read first."""
        self._made = 0

    @contextmanager
    def directory(self, place: Place, sources: Callable[[], Iterable[Source]]) -> Iterator[Path]:
        """A directory that holds what the sources are, for as long as the block runs.

        Args:
            place: the run, which the directory is named by.
            sources: tells its files as they are now.

        Raises:
            Exception: what ``sources`` or reading them raises.
        """
        copy = self._taken(place)
        try:
            with copy.lock:
                wanted = {source.name: source for source in sources()}
                for name in copy.held.keys() - wanted.keys():
                    (copy.path / name).unlink()
                    del copy.held[name]
                for source in wanted.values():
                    _bring(copy, source)
            yield copy.path
        finally:
            self._release(copy)

    def _taken(self, place: Place) -> _Copy:
        with self._lock:
            copy = self._copies.pop(place, None)
            if copy is None:
                self._made += 1
                copy = _Copy(self.root / str(self._made), place)
                copy.path.mkdir(parents=True)
            self._copies[place] = copy
            copy.readers += 1
            return copy

    def _release(self, copy: _Copy) -> None:
        with self._lock:
            copy.readers -= 1
            size = sum(each.size for each in self._copies.values())
            for place, each in list(self._copies.items()):
                if size <= self._most:
                    break
                if not each.readers:
                    size -= each.size
                    del self._copies[place]
                    shutil.rmtree(each.home, ignore_errors=True)

    def close(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.root, ignore_errors=True)
        os.close(self._alive)


def _bring(copy: _Copy, source: Source) -> None:
    identity, size = copy.held.get(source.name, ("", -1))
    path = copy.path / source.name
    if identity != source.identity:  # another file takes the place of the one that may just be read
        part = path.with_name(f".{source.name}")
        with part.open("wb") as file:
            file.writelines(source.read(0, source.size))
            size = file.tell()
        part.replace(path)
    elif size < source.size:
        with path.open("ab") as file:
            file.truncate(size)
            file.writelines(source.read(size, source.size))
            size = file.tell()
    if source.changed is not None:
        os.utime(path, (source.changed, source.changed))
    copy.held[source.name] = (source.identity, size)


def _lock(directory: Path) -> int:
    file = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def _remove_abandoned(folder: Path) -> None:
    for directory in folder.glob("process-*"):
        with suppress(OSError):  # its process lives, or has just removed it
            file = _lock(directory)
            shutil.rmtree(directory, ignore_errors=True)
            os.close(file)
