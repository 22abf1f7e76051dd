"""What a server asks of the place where the bytes of runs are kept, whichever it is.

One implementation keeps them in a local directory (:mod:`autolog.server.storage.local`), another in PostgreSQL and S3.
Everything that writes to a run, or reads more of it than its rows of the index, goes through here. All functions may
wait for disks or networks: call them beside the event loop. What a function that takes bytes has returned from is
durable.

Every function may raise :class:`~autolog.server.errors.ApiError` 503 ``storage`` where the place cannot be reached, and
507 where it is full; nothing was changed then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

import sqlalchemy as sa

from autolog.server.shapes import Upload
from autolog.store.layout import Place

__all__ = ["Append", "Removed", "Storage", "Stored", "Wanted"]


class Append(NamedTuple):
    """Bytes that belong at an offset of a journal."""

    place: Place
    name: str
    offset: int
    data: bytes


class Wanted(NamedTuple):
    """A file on its way: its path in the run's directory, its hash (SHA-256) and its size."""

    path: str
    digest: str
    size: int


class Stored(NamedTuple):
    """A file of a run, to be read."""

    size: int
    etag: str
    """Changes when the bytes do."""
    read: Callable[[int, int], Iterator[bytes]]
    """The bytes from one offset to before another, in pieces."""
    path: Path | None = None
    """Where it lies on this machine, if it does."""


class Removed(NamedTuple):
    """A run that was taken away and can be brought back."""

    place: Place
    at: float
    """Seconds since the epoch."""


class Storage(Protocol):
    """Where the bytes of runs are kept."""

    # -- journals ------------------------------------------------------------------------------------------------------

    def sizes(self, place: Place) -> dict[str, int]:
        """How many bytes of each journal are there; empty for a run that is not known."""

    def append(self, place: Place, name: str, offset: int, data: bytes) -> int:
        """Put ``data`` at ``offset`` of a journal; what is there already is compared.

        Returns:
            The journal's size now.

        Raises:
            ApiError: 409 ``gap`` or ``conflict``, with the size.
        """

    def append_all(self, wanted: Sequence[Append]) -> Sequence[int | Exception]:
        """:meth:`append` several times, which costs less than one by one.

        Returns:
            For each what that would have returned or raised: what happens to one is nothing to the others.
        """

    def extend(self, place: Place, name: str, header: bytes, data: bytes) -> int:
        """Put whole lines at the end of a journal, after ``header`` where it is empty; the size now.

        For what the server itself has to say of a run: nobody else knows its end.
        """

    def overwrite(self, place: Place, name: str, offset: int, data: bytes) -> int:
        """Make a console end with ``data`` from ``offset`` on; its size now.

        Raises:
            ApiError: 409 ``gap``.
        """

    # -- files ---------------------------------------------------------------------------------------------------------

    def received(self, place: Place, path: str, digest: str) -> Upload:
        """How much is there of a file with this path and hash."""

    def receive(self, place: Place, wanted: Wanted, offset: int, data: bytes) -> Upload:
        """Take a piece of a file; with the last one it is checked against its hash, and is there.

        Raises:
            ApiError: 409 ``gap`` or ``conflict``; 422 ``hash``: the whole has another one, and all pieces are dropped.
        """

    def open(self, place: Place, path: str) -> Stored | None:
        """A file or console of a run; ``None``: there is none."""

    def pack(self, place: Place) -> None:
        """The run has ended and is quiet: keep its journals where that costs least. They stay what they are."""

    def files(self, place: Place) -> list[tuple[str, int]]:
        """Path and size of everything of a run that is no journal, sorted by path."""

    # -- runs ----------------------------------------------------------------------------------------------------------

    def directory(self, place: Place) -> AbstractContextManager[Path]:
        """A local directory with a run's journals as of now.

        For the readers of :mod:`autolog.store`. Nothing is written there, and it is gone after the block.

        Raises:
            FileNotFoundError: there is no such run.
        """

    def stamp(self, place: Place, connection: sa.Connection | None = None) -> str:
        """Changes whenever the run's journals do; empty: there is no such run.

        Args:
            place: the run.
            connection: of the server's database, which is asked where that knows; default: one of its own.
        """

    def places(self) -> Iterator[tuple[Place, str]]:
        """Every run with its :meth:`stamp`."""

    def behind(self) -> list[Place]:
        """Runs that have grown lately and whose rows in the index are older: the server that took it is gone.

        Asked now and then. A place that belongs to one server has none.
        """

    def remove(self, place: Place) -> None:
        """Take a run away, for a while.

        Raises:
            ApiError: 404: there is no such run.
        """

    def restore(self, place: Place) -> None:
        """Bring back a run as it was taken away last.

        Raises:
            ApiError: 404: it was not taken away, or has been purged; 409: a run of this name is there.
        """

    def removed(self) -> list[Removed]:
        """What was taken away and can be brought back, oldest first."""

    def purge(self, removed: Removed) -> None:
        """Delete for good what was taken away."""

    # -- the place itself ----------------------------------------------------------------------------------------------

    def publish(self, key: str, source: Path) -> None:
        """Store a file that other programs read in place (``project=…/run=…/….parquet``), in place of an older one."""

    def published(self, key: str) -> Path | None:
        """A file on this machine with what was published under ``key``, which may be a copy that is kept for a while;
        ``None``: nothing was.
        """

    def unpublish(self, key: str) -> None:
        """Take it away; harmless where there is none."""

    def check(self) -> None:
        """Whether the place can be reached.

        Raises:
            ApiError: 503: it cannot.
        """

    def close(self) -> None:
        """Nothing more is asked."""
