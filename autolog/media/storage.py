"""Assets on disk: stored once by content, under a name that only ever holds the whole content."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

__all__ = ["Stored", "chunks", "store", "stored_path"]

_T = TypeVar("_T")
_CHUNK = 1 << 20
_EXTENSION = re.compile(r"(\.[a-z0-9]{1,12}){1,2}")


class Stored(NamedTuple):
    """Where an asset lies."""

    path: str
    """Relative to the run's directory, with ``/``."""
    hash: str
    """``sha256:<hex>``."""
    size: int


def stored_path(digest: str, extension: str) -> str:
    """``assets/ab/ab12….png``, relative to the run's directory. An odd extension is left out."""
    extension = extension.lower()
    return f"assets/{digest[:2]}/{digest}{extension if _EXTENSION.fullmatch(extension) else ''}"


def store(directory: Path, source: bytes | Path | BinaryIO, extension: str) -> Stored:
    """Put one content into ``<directory>/assets``. It is copied and hashed piece by piece, never read whole.

    A kill at any moment leaves either the whole file under its name, or none (and at most an ``assets/*.part``).

    Args:
        directory: the run's directory; created where it is missing.
        source: bytes, a file's path, or an open file (see :func:`chunks`).
        extension: with its dot, or empty.

    Returns:
        Where it lies. The hash is that of the bytes that were written, should the file change meanwhile.

    Raises:
        OSError: reading or writing failed; nothing is left behind.
    """
    import hashlib

    if isinstance(source, bytes):
        path = stored_path(digest := hashlib.sha256(source).hexdigest(), extension)
        if (directory / path).is_file() and (directory / path).stat().st_size == len(source):
            return Stored(path, f"sha256:{digest}", len(source))
    part = directory / "assets" / f".{os.getpid()}-{os.urandom(8).hex()}.part"
    hasher, size = hashlib.sha256(), 0
    try:
        with _in_folder(part, lambda: open(part, "xb", buffering=0, opener=_private)) as file:
            for chunk in chunks(source):
                hasher.update(chunk)
                size += len(chunk)
                _write_all(file, chunk)
        path = stored_path(hasher.hexdigest(), extension)
        place = directory / path
        _in_folder(place, lambda: part.replace(place))
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return Stored(path, f"sha256:{hasher.hexdigest()}", size)


def _in_folder(path: Path, work: Callable[[], _T]) -> _T:
    """Do something that needs the folder of ``path``, which is there already but for the first time."""
    try:
        return work()
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return work()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _write_all(file: io.FileIO, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[file.write(view) :]


def chunks(source: Any) -> Iterator[bytes]:
    """The content in pieces of at most 1 MiB.

    An open file that can seek is read from its beginning, wherever it stood, and put back there; another is read from
    where it is. A text file is taken as UTF-8.
    """
    if isinstance(source, bytes):
        yield from (source[at : at + _CHUNK] for at in range(0, len(source), _CHUNK))
        return
    if isinstance(source, Path):
        with source.open("rb", buffering=0) as file:
            while data := file.read(_CHUNK):
                yield data
        return
    position = source.tell() if getattr(source, "seekable", bool)() else None
    if position is not None:
        source.seek(0)
    try:
        while piece := source.read(_CHUNK):
            yield piece.encode(errors="backslashreplace") if isinstance(piece, str) else piece
    finally:
        if position is not None:
            source.seek(position)
