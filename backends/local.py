"""The run's directory itself: it always holds the record first, so there is nothing to carry anywhere.

The smallest honest backend, and the one to read before writing another: it acknowledges a chunk only when the bytes
are where it promises to keep them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autolog.config import Settings
    from autolog.plugins import Chunk, RunEnd, RunHeader

__all__ = ["Local", "create"]


class Local:
    """Keeps nothing of its own; checks that the directory does."""

    name = "local"

    def __init__(self) -> None:
        self._directory = Path()

    def open(self, run: RunHeader) -> None:
        """Remember where the run is."""
        self._directory = Path(run.directory)

    def send(self, chunk: Chunk) -> None:
        """Acknowledge what the directory holds.

        Raises:
            OSError: the journal is gone, or holds something else at that place.
        """
        with (self._directory / chunk.journal).open("rb") as file:
            file.seek(chunk.offset)
            if file.read(len(chunk.data)) != chunk.data:
                raise OSError(f"{chunk.journal} does not hold these {len(chunk.data)} bytes at {chunk.offset}")

    def close(self, end: RunEnd) -> None:
        """Nothing is left to do."""


def create(settings: Settings) -> Local:
    """Make the backend; it has no settings."""
    del settings
    return Local()
