"""Runs in a local directory, which is a runs directory: ``autolog ls`` reads it too."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from autolog.journal import is_system
from autolog.server.errors import ApiError
from autolog.server.shapes import Upload
from autolog.server.storage import appending
from autolog.server.storage.contract import Append, Removed, Stored, Wanted
from autolog.store import layout
from autolog.store.layout import Place

__all__ = ["LocalStorage"]

_PARTS = ".uploads"
"""Folder of the data directory where files lie that are not whole yet."""
_REMOVED = ".removed"
"""Folder of the data directory where runs wait for their end, or for being brought back."""
_PUBLISHED = ".parquet"
"""Folder of the data directory for what other programs read in place."""
_PIECE = 1 << 20


class LocalStorage:
    """A :class:`~autolog.server.storage.Storage`; what it has returned from is on disk (``fdatasync``).

    Args:
        root: the data directory.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def _run(self, place: Place) -> Path:
        return appending.run_directory(self.root, *place)

    # -- journals

    def sizes(self, place: Place) -> dict[str, int]:
        return appending.sizes(self._run(place))

    def append(self, place: Place, name: str, offset: int, data: bytes) -> int:
        return appending.append(self._run(place) / name, offset, data)

    def append_all(self, wanted: Sequence[Append]) -> Sequence[int | Exception]:
        return appending.append_all([(self._run(one.place) / one.name, one.offset, one.data) for one in wanted])

    def extend(self, place: Place, name: str, header: bytes, data: bytes) -> int:
        return appending.extend(self._run(place) / name, header, data)

    def overwrite(self, place: Place, name: str, offset: int, data: bytes) -> int:
        return appending.overwrite(self._run(place) / name, offset, data)

    # -- files

    def received(self, place: Place, path: str, digest: str) -> Upload:
        whole, part = self._run(place) / path, self._part(place, digest)
        if whole.is_file() and _digest(whole) == digest:
            return Upload(complete=True, size=whole.stat().st_size)
        return Upload(complete=False, size=part.stat().st_size if part.is_file() else 0)

    def receive(self, place: Place, wanted: Wanted, offset: int, data: bytes) -> Upload:
        path, digest, size = wanted
        whole, part = self._run(place) / path, self._part(place, digest)
        if whole.is_file() and whole.stat().st_size == size and _digest(whole) == digest:
            return Upload(complete=True, size=size)
        received = appending.append(part, offset, data)
        if received < size:
            return Upload(complete=False, size=received)
        if _digest(part) != digest:
            part.unlink()
            raise ApiError(422, "hash", "the bytes that came have another hash; send the file again from its beginning")
        _move(part, whole)
        return Upload(complete=True, size=size)

    def _part(self, place: Place, digest: str) -> Path:
        return self.root / _PARTS / place[0] / place[1] / digest

    def open(self, place: Place, path: str) -> Stored | None:
        directory = self._run(place)
        file = directory / path
        if not file.is_file() or not file.resolve().is_relative_to(directory.resolve()):
            return None
        stat = file.stat()
        return Stored(stat.st_size, f"{stat.st_mtime_ns}-{stat.st_size}", lambda a, b: _pieces(file, a, b), file)

    def pack(self, place: Place) -> None:
        """A directory is cheap already."""

    def files(self, place: Place) -> list[tuple[str, int]]:
        directory = self._run(place)
        found = []
        for folder, folders, names in os.walk(directory):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                path = Path(folder) / name
                if not name.startswith(".") and not (path.parent == directory and _is_journal(name)):
                    found.append((path.relative_to(directory).as_posix(), path.stat().st_size))
        return sorted(found)

    # -- runs

    @contextmanager
    def directory(self, place: Place) -> Iterator[Path]:
        found = self._run(place)
        if not found.is_dir():
            raise FileNotFoundError(f"there is no run {place[1]} in {place[0]}")
        yield found

    def stamp(self, place: Place, connection: sa.Connection | None = None) -> str:  # noqa: ARG002  (the contract's)
        return layout.stamp_of(self._run(place))

    def places(self) -> Iterator[tuple[Place, str]]:
        return layout.run_places(self.root)

    def behind(self) -> list[Place]:
        return []

    def remove(self, place: Place) -> None:
        directory, folder = self._run(place), self.root / _REMOVED / place[0]
        if not directory.is_dir():
            raise ApiError(404, "not_found", f"there is no run {place[1]} in {place[0]}")
        appending.make(folder)
        directory.rename(folder / f"{place[1]}.{time.time():.6f}")
        appending.sync_folder(folder)
        appending.sync_folder(directory.parent)

    def restore(self, place: Place) -> None:
        directory = self._run(place)
        found = [one for one in self.removed() if one.place == place]
        if not found:
            raise ApiError(404, "not_found", f"no run {place[1]} was taken away lately")
        if directory.exists():
            raise ApiError(409, "conflict", f"the run {place[1]} is there")
        appending.make(directory.parent)
        lying = self._removed(found[-1])
        lying.rename(directory)
        appending.sync_folder(directory.parent)
        appending.sync_folder(lying.parent)

    def removed(self) -> list[Removed]:
        found = []
        for path in (self.root / _REMOVED).glob("*/*.*"):
            run, _, at = path.name.partition(".")
            found.append(Removed((path.parent.name, run), float(at)))
        return sorted(found, key=lambda one: one.at)

    def _removed(self, one: Removed) -> Path:
        return self.root / _REMOVED / one.place[0] / f"{one.place[1]}.{one.at:.6f}"

    def purge(self, removed: Removed) -> None:
        shutil.rmtree(self._removed(removed))
        shutil.rmtree(self.root / _PARTS / removed.place[0] / removed.place[1], ignore_errors=True)

    # -- the place itself

    def publish(self, key: str, source: Path) -> None:
        _copy(source, self.root / _PUBLISHED / key)

    def published(self, key: str) -> Path | None:
        path = self.root / _PUBLISHED / key
        return path if path.is_file() else None

    def unpublish(self, key: str) -> None:
        (self.root / _PUBLISHED / key).unlink(missing_ok=True)

    def check(self) -> None:
        if not os.access(self.root, os.W_OK):
            raise ApiError(503, "storage", "the data directory cannot be written")

    def close(self) -> None:
        return None


def _is_journal(name: str) -> bool:
    return name.endswith(".jsonl") and (name.startswith("journal") or is_system(name))


def _digest(path: Path) -> str:
    hasher = hashlib.sha256()
    for piece in _pieces(path, 0, path.stat().st_size):
        hasher.update(piece)
    return hasher.hexdigest()


def _pieces(path: Path, begin: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(begin)
        while begin < end and (piece := file.read(min(_PIECE, end - begin))):
            begin += len(piece)
            yield piece


def _move(part: Path, whole: Path) -> None:
    """Give a file that is on disk its name."""
    appending.make(whole.parent)
    part.replace(whole)
    appending.sync_folder(whole.parent)


def _copy(source: Path, target: Path) -> None:
    """A copy appears whole, and is on disk."""
    appending.make(target.parent)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copyfile(source, part)
        part.chmod(0o600)
        appending.sync(part)
        _move(part, target)
    finally:
        part.unlink(missing_ok=True)
