"""Facts about the process: what is watched from the import on, and what is recorded when a run begins and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["after_end", "begin", "end", "install"]


def install() -> None:
    """Watch the process from now on; nothing is written before a run begins."""


def begin(run: Run) -> None:
    """A run has begun: write what is known so far, and start the sidecar."""


def end(run: Run) -> None:
    """A run is about to end: write what has come since."""


def after_end(run: Run) -> None:
    """A run has ended and its journal is closed: wait for delivery, as long as the settings say."""
