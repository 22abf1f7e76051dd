"""Files and folders by reference: sizes, hashes, manifests. Nothing is read whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from autolog.media.digest import Digest
from autolog.media.storage import chunks

__all__ = ["MANIFEST", "Entry", "fingerprint_path", "hashed", "location", "manifest", "walk"]

MANIFEST = "application/vnd.autolog.manifest+json"
_MOST_FILES = 100_000


class Entry(NamedTuple):
    """A file in a folder."""

    name: str
    """Relative to the folder, with ``/``."""
    path: Path
    size: int


def walk(
    folder: Path, leave_out: Iterable[Path] = (), failed: Callable[[OSError], None] | None = None
) -> Iterator[Entry]:
    """The files of a folder and of those inside it, sorted by name.

    Links to files are followed, links to folders are not; what is neither file nor folder is left out.

    Args:
        folder: an existing folder.
        leave_out: folders that are not entered, such as autolog's own.
        failed: told of every folder or file that cannot be read, which is then left out.

    Raises:
        OSError: something cannot be read, and nobody is to be told.
    """
    closed = {path.resolve() for path in leave_out}

    def looked(path: Path, item: os.DirEntry[str]) -> Iterator[Entry]:
        if item.is_dir(follow_symlinks=False):
            if not closed or path.resolve() not in closed:
                yield from inside(path)
        elif item.is_file():
            yield Entry(path.relative_to(folder).as_posix(), path, item.stat().st_size)

    def inside(directory: Path) -> Iterator[Entry]:
        try:
            items = sorted(os.scandir(directory), key=lambda item: item.name)
        except OSError as error:
            if failed is None:
                raise
            failed(error)
            return
        for item in items:
            yield from looked(Path(item.path), item)

    yield from inside(folder)


def hashed(path: Path) -> str:
    """``sha256:<hex>`` of a file's content, read piece by piece.

    Raises:
        OSError: it cannot be read.
    """
    import hashlib

    hasher = hashlib.sha256()
    for chunk in chunks(path):
        hasher.update(chunk)
    return f"sha256:{hasher.hexdigest()}"


def manifest(entries: Iterable[tuple[Entry, str | None]]) -> bytes:
    """The list of a folder's files with sizes and hashes, the same bytes for the same content anywhere."""
    files = [{"path": _text(entry.name), "size": entry.size, "hash": digest} for entry, digest in entries]
    return msgspec.json.encode({"version": 1, "files": files})


def _text(name: str) -> str:
    return name.encode(errors="backslashreplace").decode()


def location(path: Path) -> tuple[str, dict[str, Any]]:
    """Where a file or folder is: its URI with this host's name, and host and absolute path as metadata."""
    from urllib.parse import quote

    absolute = path.absolute()
    host = os.uname().nodename
    return f"file://{host}{quote(os.fsencode(absolute))}", {"host": host, "path": _text(str(absolute))}


def fingerprint_path(path: Path, digest: Digest) -> dict[str, Any]:
    """A file or folder for a data set's fingerprint: names and sizes always, content as far as the digest takes it.

    Args:
        path: an existing file or folder.
        digest: takes names, sizes and content.
    """
    uri, _ = location(path)
    if not path.is_dir():
        size = path.stat().st_size
        digest.note(str(size))
        _file(path, size, digest)
        return {"uri": uri, "size": size}
    count = size = 0
    for entry in walk(path):
        count += 1
        size += entry.size
        digest.note(f"{entry.name} {entry.size}")
        if count <= _MOST_FILES and entry.size <= digest.budget:
            _file(entry.path, entry.size, digest)
        else:
            digest.skip(entry.size)
    return {"uri": uri, "files": count, "size": size}


def _file(path: Path, size: int, digest: Digest) -> None:
    with path.open("rb", buffering=0) as file:

        def take(start: int, stop: int) -> bytes:
            return os.pread(file.fileno(), stop - start, start)

        digest.items(size, 1, take)
