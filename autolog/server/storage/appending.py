"""Files of the data directory, which is a runs directory: written at an offset, on disk once that is acknowledged.

Appending is idempotent: bytes that are there already are compared and not written again, so that a client may send
again whatever it is not sure of. Two servers over one directory (a restart, a supervisor's mistake) keep out of each
other's way by a lock on the file.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from autolog.journal import journals
from autolog.server.errors import ApiError

__all__ = ["append", "append_all", "extend", "make", "overwrite", "run_directory", "sizes", "sync", "sync_folder"]


def run_directory(root: Path, project: str, run: str) -> Path:
    """``<root>/<project>/<run>``; the names have been checked."""
    return root / project / run


def sizes(directory: Path) -> dict[str, int]:
    """How many bytes of each journal are there; empty for a run that is not known yet."""
    return {path.name: path.stat().st_size for path in journals(directory)} if directory.is_dir() else {}


def append(path: Path, offset: int, data: bytes) -> int:
    """Put ``data`` at ``offset`` of a file that only grows, and on disk.

    Args:
        path: the file; made, with its folders, where it is missing.
        offset: where the first byte belongs.
        data: what is to be there.

    Returns:
        The file's size now. Everything before it is on disk.

    Raises:
        ApiError: 409 ``gap``: bytes before the offset are missing; 409 ``conflict``: other bytes are there; 507: the
            disk is full. Nothing is changed then.
    """
    (result,) = append_all([(path, offset, data)])
    if isinstance(result, Exception):
        raise result
    return result


def append_all(wanted: Sequence[tuple[Path, int, bytes]]) -> list[int | Exception]:
    """:func:`append` several times. All is written before the first of it is waited for: the disk does it together.

    Returns:
        For each what :func:`append` would have returned or raised.
    """
    results: list[int | Exception] = []
    files: list[int | None] = []
    new: set[Path] = set()
    try:
        for path, offset, data in wanted:
            file, result = _put(path, offset, data, new)
            files.append(file)
            results.append(result)
        for index, file in enumerate(files):
            if file is not None:  # also where all was there: its first sender may have gone before it was acknowledged
                results[index] = _synced(file, results[index])
        for folder in new:
            sync_folder(folder)
    finally:
        for file in files:
            if file is not None:
                os.close(file)
    return results


def _put(path: Path, offset: int, data: bytes, new: set[Path]) -> tuple[int | None, int | Exception]:
    """Write, under the file's lock: the open file, which is to be put on disk and closed, and its size.

    Args:
        path: the file.
        offset: where the first byte belongs.
        data: what is to be there.
        new: takes the folders of files that begin.
    """
    try:
        file = _opened(path, offset, new)
    except ApiError as error:
        return None, error
    except OSError as error:
        return None, _storage_error(error)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        size = _grown(file, path, offset, data)
        fcntl.flock(file, fcntl.LOCK_UN)
    except (ApiError, OSError) as error:
        os.close(file)
        return None, error if isinstance(error, ApiError) else _storage_error(error)
    return file, size


def _grown(file: int, path: Path, offset: int, data: bytes) -> int:
    """Write what is not there yet to a file that is locked; its size now."""
    size = os.fstat(file).st_size
    if offset > size:
        raise _gap(path, size)
    known = data[: size - offset]
    if known and known != _read(file, offset, len(known)):
        raise ApiError(409, "conflict", f"{path.name} holds other bytes from {offset} on", size=size)
    _write(file, data[len(known) :], size)
    return max(size, offset + len(data))


def _opened(path: Path, offset: int, new: set[Path]) -> int:
    """A file that may be there or, where it begins, is made.

    Raises:
        ApiError: 409 ``gap``: what goes on where nothing has begun leaves no empty file behind.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    if not offset:  # also where it is there: who has made it may not have come to put its name on disk
        new.add(path.parent)
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        if offset:
            raise _gap(path, 0) from None
    make(path.parent)
    return os.open(path, flags | os.O_CREAT, 0o600)


def _synced(file: int, result: int | Exception) -> int | Exception:
    try:
        os.fdatasync(file)
    except OSError as error:
        return _storage_error(error)
    return result


def extend(path: Path, header: bytes, data: bytes) -> int:
    """Put ``data`` at the end of a file, whatever stands there, and on disk; after ``header`` where it is empty.

    Returns:
        The file's size now.

    Raises:
        ApiError: 507, as :func:`append`.
    """
    make(path.parent)
    with _open(path) as file:
        size = os.fstat(file).st_size
        added = data if size else header + data
        _write(file, added, size)
        os.fdatasync(file)
    return size + len(added)


def overwrite(path: Path, offset: int, data: bytes) -> int:
    """Make a file end with ``data`` from ``offset`` on, and put it on disk: a console rewrites its last lines.

    Returns:
        The file's size now.

    Raises:
        ApiError: 409 ``gap`` and 507, as :func:`append`.
    """
    _check_begun(path, offset)
    make(path.parent)
    with _open(path) as file:
        size = os.fstat(file).st_size
        if offset > size:
            raise _gap(path, size)
        _write(file, data, offset, size)
        os.ftruncate(file, offset + len(data))
        os.fdatasync(file)
    return offset + len(data)


def _check_begun(path: Path, offset: int) -> None:
    """What goes on where nothing has begun leaves no empty file behind.

    Raises:
        ApiError: 409 ``gap``.
    """
    if offset and not path.exists():
        raise _gap(path, 0)


def _gap(path: Path, size: int) -> ApiError:
    return ApiError(409, "gap", f"{path.name} has {size} bytes: send from there", size=size)


@contextmanager
def _open(path: Path) -> Iterator[int]:
    known = path.exists()
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
        if not known:
            sync_folder(path.parent)
    finally:
        os.close(file)


def _read(file: int, offset: int, length: int) -> bytes:
    parts = []
    while length and (part := os.pread(file, min(length, 1 << 20), offset)):
        parts.append(part)
        offset, length = offset + len(part), length - len(part)
    return b"".join(parts)


def _write(file: int, data: bytes, at: int, size: int | None = None) -> None:
    """Write all of it, or cut the file back to ``size``, which is ``at`` where nothing is written over."""
    view = memoryview(data)
    size = at if size is None else size
    try:
        while view:
            written = os.pwrite(file, view, at)
            view, at = view[written:], at + written
    except OSError as error:
        with contextlib.suppress(OSError):
            os.ftruncate(file, size)
        raise _storage_error(error) from None


def _storage_error(error: OSError) -> ApiError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ApiError(507, "disk_full", "the server's disk is full; nothing was taken, send it again later")
    return ApiError(503, "storage", f"the server cannot write now ({error.strerror}); send it again later")


def make(directory: Path) -> None:
    """Make a folder private to the server, with those above it, and put their names on disk."""
    if directory.is_dir():
        return
    missing = [directory, *directory.parents]
    missing = missing[: next(index for index, folder in enumerate(missing) if folder.is_dir())]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)


def sync(path: Path) -> None:
    """What was written to a file by others is on disk."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fdatasync(file)
    finally:
        os.close(file)


def sync_folder(folder: Path) -> None:
    """A new name is on disk once its folder is."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
