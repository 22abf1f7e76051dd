"""Append and read journals: JSON Lines, one record a line, each written by a single ``os.write``.

Once :meth:`Journal.append` has returned, the record is with the kernel: no kill of any process of ours loses it.
A write that fails does not raise. It is counted, said once on stderr, and written to the journal as a ``health``
record as soon as that is possible again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from autolog import events
from autolog.saying import say

__all__ = [
    "EDITS", "MAIN", "SERVER_EDITS", "SYSTEM", "Journal", "is_edits", "is_system", "journal_name", "journals",
    "last_line", "read",
]  # fmt: skip

MAIN: Final = "journal.jsonl"
SYSTEM: Final = "system.jsonl"
EDITS: Final = "journal.edits.jsonl"
SERVER_EDITS: Final = "journal.edits-server.jsonl"
"""What people have said of a run on a server. Of its own, so that :data:`EDITS` stays what its sender has."""

_CHECK_EVERY = 1.0
"""Seconds between two looks whether the file was removed under us (a look costs as much as a write)."""

_LOGGED = (events.Metrics, events.Params, events.Other, events.Asset, events.Tags, events.Note, events.Fields)
"""What a person has logged on purpose."""

_write = os.write
_encode = events.encode
_encode_text = events.encode_text


def journal_name(role: str, rank: int = 0, pid: int = 0) -> str:
    """File name of a process's journal: ``journal.jsonl``, ``journal.3.jsonl`` (rank) or ``journal.w123.jsonl``."""
    return {"main": MAIN, "rank": f"journal.{rank}.jsonl", "worker": f"journal.w{pid}.jsonl"}[role]


def journals(directory: Path) -> list[Path]:
    """All journals of a run, the main one first, those of the nodes (``system*.jsonl``) last."""
    try:
        names = os.listdir(directory)  # noqa: PTH208  a Path each costs more than the look
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    names = [name for name in names if name.endswith(".jsonl")]
    found = sorted((name != MAIN, name) for name in names if name.startswith("journal"))
    found += sorted((name != SYSTEM, name) for name in names if name.startswith("system"))
    return [directory / name for _, name in found]


def is_system(name: str) -> bool:
    """Whether a journal is a sidecar's: ``system.jsonl``, and ``system.<node>.jsonl`` of the other nodes of a job."""
    return name.startswith("system")


def is_edits(name: str) -> bool:
    """Whether a journal holds what people have said of a run, and no sign of life of it."""
    return name.startswith("journal.edits")


class Journal:
    """One append-only file of one process. Safe to use from many threads.

    After ``fork`` the child's copy turns into the journal of a worker (:meth:`move_to_worker`): it never writes
    through the parent's file.
    """

    __slots__ = ("_checked", "_fd", "_first_loss", "_said", "_told", "_torn", "closed", "header", "lost", "path")

    def __init__(self, path: Path, header: events.RunStart) -> None:
        """Open, and create private to the user with its directory where missing; then write the header.

        A file that cannot be opened now is tried again with the records that follow.
        """
        self.path = path
        self.lost = 0
        """Records that could not be written so far and were not yet reported in the journal."""
        self.closed = False
        self.header = header
        """Whose journal this is; written first."""
        self._first_loss = 0.0
        self._said = self._told = False
        self._torn = False
        self._fd = -1
        self._checked = time.time()
        try:
            self._open()
        except OSError as error:
            self._count_loss(error)

    @classmethod
    def silent(cls) -> Journal:
        """A journal that keeps nothing."""
        journal = object.__new__(cls)
        journal.path = Path(os.devnull)
        journal.closed, journal._fd, journal.lost, journal._told = True, -1, 0, True
        return journal

    def append(self, record: events.Record) -> None:
        """Write one record. Never raises for the disk's faults; see the module's text."""
        try:
            data = _encode_text(record) + b"\n"
        except UnicodeEncodeError:
            data = _encode(record) + b"\n"
        if self._fd < 0 or self._torn or self.lost or record.time - self._checked > _CHECK_EVERY:
            self._append_carefully(data, record)
            return
        try:
            if _write(self._fd, data) != len(data):
                self._count_loss(OSError("the disk took only part of a record"), torn=True)
        except OSError as error:
            self._count_loss(error)

    def close(self) -> None:
        """Close the file. What is appended afterwards is left out: the run has ended. That is said once."""
        self.closed = True
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def move_to_worker(self, header: events.RunStart) -> None:
        """In a forked child: the next record opens ``journal.w<pid>.jsonl`` beside the parent's file."""
        self.path = self.path.with_name(journal_name("worker", pid=header.pid))
        self.header = header
        self._fd = -1  # the parent's descriptor stays open: closing it is no business of a child
        self._torn, self.lost, self._said = False, 0, False

    def _append_carefully(self, data: bytes, record: events.Record) -> None:
        """The way of a first record, of one after trouble, and once in a while: is the file still there?"""
        if self.closed:
            self._leave_out(record)
            return
        now = self._checked = record.time
        try:
            if self._fd < 0:
                self._open()
            elif os.fstat(self._fd).st_nlink == 0:
                self._restore()
            if self._torn:
                data = b"\n" + data
            if self.lost:
                data += self._loss_record(now)
            written = _write(self._fd, data)
        except OSError as error:
            self._count_loss(error)
            return
        if written == len(data):
            self._torn, self.lost = False, 0
        else:
            self._count_loss(OSError("the disk took only part of a record"), torn=True)

    def _leave_out(self, record: events.Record) -> None:
        if isinstance(record, _LOGGED) and not self._told:
            self._told = True
            say(f"the run {self.header.name} has ended; what is logged to it afterwards is not kept.")

    def _loss_record(self, now: float) -> bytes:
        detail = f"{self.lost} records could not be written from {self._first_loss:.3f} on"
        return _encode(events.Health(time=now, kind="lost", where="journal", count=self.lost, detail=detail)) + b"\n"

    def _count_loss(self, error: OSError, *, torn: bool = False) -> None:
        if not self.lost:
            self._first_loss = time.time()
        self.lost += 1
        self._torn = self._torn or torn
        if not self._said:
            self._said = True
            say(
                f"cannot write {self.path}: {error}. Training goes on; what is lost is counted, and shown on the run "
                "once writing works again."
            )

    def _open(self) -> None:
        fd = _open(self.path)
        size = os.fstat(fd).st_size
        self._torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
        header = _encode(self.header) + b"\n"
        if _write(fd, b"\n" + header if self._torn else header) < len(header):
            os.close(fd)
            raise OSError("the disk took only part of the header")
        self._torn = False
        self._fd = fd

    def _restore(self) -> None:
        """The file was deleted while we hold it: its content is still there, so it is written anew."""
        fd = _open(self.path)
        offset = 0
        while block := os.pread(self._fd, 1 << 20, offset):
            offset += _write(fd, block)
        os.close(self._fd)
        self._fd = fd
        say(f"{self.path} was removed while in use; it was restored.")


def _open(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def read(path: Path, offset: int = 0, problems: list[str] | None = None) -> Iterator[tuple[events.Record, int]]:
    """Read the records of a journal from a byte offset on, also while it grows.

    Args:
        path: the file.
        offset: where a line begins; ``0`` or an offset that this function gave.
        problems: takes one text for each line that is not a record. An unfinished last line is left for the next
            call and is no problem.

    Yields:
        ``(record, offset after it)``. Records of unknown type are skipped.
    """
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            start, offset = offset, offset + len(line)
            if line == b"\n":
                continue
            try:
                record = events.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                if problems is not None:
                    problems.append(f"{path.name}, byte {start}: {error}")
                continue
            if record is not None:
                yield record, offset


def last_line(path: Path) -> bytes:
    """The last complete line of a file, read from its end; empty where there is none."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        block, tail = 4096, b""
        while size > 0:
            begin = max(0, size - block)
            file.seek(begin)
            tail = file.read(size - begin).rpartition(b"\n")[0]
            found = tail.rpartition(b"\n")
            if found[1] or begin == 0:
                return found[2]
            block *= 4
    return b""
