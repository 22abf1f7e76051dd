"""Backups of a server that keeps runs in its data directory, taken while it runs; and bringing one back.

A backup is a folder of snapshots, each a whole data directory: ``20261124-235959/``. What has not changed since the
snapshot before is the same file on disk (a hard link), so that each costs only what is new. A snapshot appears when it
is whole. The database is copied first and the journals after it: the index is behind them then, and catches up when a
server starts; clients find out how far the server is, and send what it lacks.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from autolog.server.database import FILE
from autolog.version import VERSION

__all__ = ["BackupError", "Snapshot", "backup", "restore", "snapshots"]

ABOUT = "backup.json"
_LEFT_OUT = {".uploads", ".parquet", ".compacting", "cache", ABOUT}
"""Of a data directory: what is not whole yet is sent again, the rest is made anew."""
_UNFINISHED = ".unfinished-"
_PIECE = 1 << 20


class BackupError(Exception):
    """It cannot be done; the message says why and what to do."""


class Snapshot(msgspec.Struct, kw_only=True):
    """What ``backup.json`` of a snapshot says."""

    version: str = VERSION
    began: float
    ended: float = 0.0
    files: int = 0
    bytes: int = 0
    copied: int = 0
    """Bytes that the snapshot before did not have."""


def snapshots(folder: Path) -> list[Path]:
    """The whole snapshots in a folder of backups, oldest first."""
    return sorted(path.parent for path in folder.glob(f"[0-9]*/{ABOUT}"))


def backup(data: Path, folder: Path, keep: int = 0) -> tuple[Path, Snapshot]:
    """Take a snapshot of a data directory, whether a server runs on it or not.

    Args:
        data: the data directory.
        folder: where snapshots are; made where it is missing. On the same file system as the ones before.
        keep: delete all but the newest so many; 0: none.

    Returns:
        The snapshot and what it holds.

    Raises:
        BackupError: there is no server's data in ``data``, or the folder lies in it.
        OSError: something cannot be read or written; nothing new is there then.
    """
    if not (data / FILE).is_file():
        raise BackupError(f"{data} is no data directory of a server: it has no {FILE}")
    if folder.resolve().is_relative_to(data.resolve()):
        raise BackupError(f"{folder} is in the data directory: a backup belongs on another disk")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = snapshots(folder)
    about = Snapshot(began=time.time())
    unfinished = folder / f"{_UNFINISHED}{os.getpid()}"
    try:
        unfinished.mkdir(mode=0o700)
        _copy_database(data / FILE, unfinished / FILE)
        for path in _files(data):
            _take(data, path, unfinished, known[-1] if known else None, about)
        about.ended = time.time()
        (unfinished / ABOUT).write_bytes(msgspec.json.format(msgspec.json.encode(about)))
        os.sync()
        made = _free_name(folder, about.began)
        unfinished.rename(made)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    for old in snapshots(folder)[: -keep or None] if keep else []:
        shutil.rmtree(old)
    return made, about


def _free_name(folder: Path, began: float) -> Path:
    name = time.strftime("%Y%m%d-%H%M%S", time.gmtime(began))
    names = [name, *(f"{name}-{number}" for number in range(1, 1000))]
    return next(folder / each for each in names if not (folder / each).exists())


def _copy_database(source: Path, target: Path) -> None:
    """As it is at one moment, whoever writes meanwhile."""
    with (
        contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as read,
        contextlib.closing(sqlite3.connect(target)) as written,
    ):
        read.backup(written)
    target.chmod(0o600)


def _files(data: Path) -> Iterator[Path]:
    """Files relative to the data directory; those of deleted runs last, for a run may be deleted meanwhile."""
    tops = sorted((path for path in data.iterdir() if path.is_dir()), key=lambda path: path.name == ".removed")
    for top in tops:
        if top.name in _LEFT_OUT:
            continue
        for place, folders, names in os.walk(top):
            folders.sort()
            yield from (Path(place, name).relative_to(data) for name in sorted(names))


def _take(data: Path, path: Path, target: Path, before: Path | None, about: Snapshot) -> None:
    source, copy = data / path, target / path
    try:
        with source.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)  # no append or console is half done
            stat = os.fstat(file.fileno())
            growing = path.suffix == ".jsonl"
            if growing:  # a journal only grows: what it has now is read without the lock
                fcntl.flock(file, fcntl.LOCK_UN)
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            about.files += 1
            about.bytes += stat.st_size
            if before is not None and _link(before / path, copy, stat):
                return
            _copy(file.fileno(), copy, stat.st_size)
            os.utime(copy, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            about.copied += stat.st_size
    except FileNotFoundError:  # its run was deleted just now: it is among the deleted ones
        return


def _link(known: Path, copy: Path, stat: os.stat_result) -> bool:
    try:
        same = known.stat()
        if (same.st_size, same.st_mtime_ns) != (stat.st_size, stat.st_mtime_ns):
            return False
        os.link(known, copy)
    except OSError:  # a file system without links, or with too many of them
        return False
    return True


def _copy(file: int, copy: Path, size: int) -> None:
    with copy.open("xb") as written:
        os.chmod(copy, 0o600)  # noqa: PTH101  by path, as the others
        at = 0
        while at < size:
            piece = os.pread(file, min(_PIECE, size - at), at)
            if not piece:
                raise OSError(f"{copy.name} became shorter while it was copied")
            written.write(piece)
            at += len(piece)


def restore(source: Path, data: Path) -> Path:
    """Bring a snapshot back as a data directory.

    Args:
        source: a snapshot, or a folder of them: the newest.
        data: the data directory; it must not be there, or be empty.

    Returns:
        The snapshot that was taken.

    Raises:
        BackupError: there is no snapshot, or there is something in ``data``.
        OSError: something cannot be read or written; ``data`` is not there then.
    """
    found = [source] if (source / ABOUT).is_file() else snapshots(source)
    if not found:
        raise BackupError(f"there is no backup in {source}")
    if data.exists() and any(data.iterdir()):
        raise BackupError(f"{data} is not empty: restore to another directory, or move it away")
    data.parent.mkdir(parents=True, exist_ok=True)
    unfinished = data.with_name(f"{data.name}{_UNFINISHED}{os.getpid()}")
    try:
        shutil.copytree(found[-1], unfinished)
        (unfinished / ABOUT).unlink()
        with contextlib.closing(sqlite3.connect(unfinished / FILE)) as database:
            for table in ("leases", "compacted"):  # of processes and files that are not here
                database.execute(f"DELETE FROM {table}")  # noqa: S608  our own names
            database.commit()
        os.sync()
        if data.exists():
            data.rmdir()
        unfinished.rename(data)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return found[-1]
