"""The contract of backends: what they get, what they owe, and what they may ask for. See docs/backend-guide.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Protocol, runtime_checkable

import msgspec

from autolog import events

__all__ = ["Backend", "Chunk", "Later", "Rejected", "Report", "RunEnd", "RunHeader"]


class Report:
    """What a backend tells of its work beside returning and raising. By itself it keeps nothing.

    What is told while :meth:`Backend.send` works counts once that returns: a chunk that is sent again counts once.
    """

    def lost(self, what: Literal["record", "value", "asset"], reason: str, *, where: str = "", count: int = 1) -> None:
        """Something will never be there: it is counted, shown by ``autolog sync --status``, and not tried again.

        Args:
            what: whole records, single values that could not be kept as they are, or an asset.
            reason: for people. The same reasons are added up.
            where: of an asset: its path.
            count: how many.
        """

    def moving(self, doing: str) -> None:
        """Work goes on, and on what: after the end of a run nobody waits for a backend that does not move."""


class RunHeader(msgspec.Struct, frozen=True):
    """The run whose records a backend is going to get."""

    start: events.RunStart
    directory: str
    """The run's directory on this machine; assets are read from there."""
    report: Report = msgspec.field(default_factory=Report)
    """Takes what the backend has to tell."""


class RunEnd(msgspec.Struct, frozen=True):
    """Why a backend is closed: the run's end, if it has one yet."""

    end: events.End | None
    exit: events.Exit | None


class Chunk(msgspec.Struct, frozen=True):
    """Whole lines of one journal."""

    journal: str
    """File name, such as ``journal.jsonl``."""
    offset: int
    """Where ``data`` begins in that file."""
    data: bytes

    def records(self) -> Iterator[events.Record]:
        """The records, decoded on demand; lines that are none, or of unknown type, are skipped."""
        for line in self.data.splitlines():
            try:
                record = events.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if record is not None:
                yield record


class Later(Exception):  # noqa: N818  it says what is asked for
    """Raised by a backend that was asked to wait: nothing is sent to it for ``seconds``."""

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Rejected(Exception):  # noqa: N818  it says what happened
    """Raised by a backend that will never take the rest of this run: only ``autolog sync RUN`` tries it again."""


@runtime_checkable
class Backend(Protocol):
    """Where records go beside the run's directory. It lives in the sidecar, never in the training process.

    Chunks arrive in order, at least once: a backend must be idempotent. Whatever a method raises is retried later,
    but for :class:`Rejected`.
    """

    name: str

    def open(self, run: RunHeader) -> None:
        """Get ready for a run. Tried again until it returns; then not called again."""
        ...

    def send(self, chunk: Chunk) -> None:
        """Take a chunk. Returning acknowledges it: it is kept for good."""
        ...

    def close(self, end: RunEnd) -> None:
        """Everything has been sent."""
        ...
