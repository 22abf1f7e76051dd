"""autolog's own errors, written on the run they happened in: the first of each place at once, the rest at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autolog import current, guard

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["begin", "end", "install"]

_written: dict[str, int] = {}
"""Errors by place that are on a record already."""


def install() -> None:
    """Called by the import of autolog."""
    guard.listen(_on_failure)


def begin(run: Run) -> None:
    """A run has begun: what failed before belongs to it."""
    end(run)


def end(run: Run) -> None:
    """A run is about to end: write what has been counted and is on no record yet."""
    for where, failure in guard.failures().items():
        _write(run, where, failure)


def _on_failure(where: str, failure: guard.Failure) -> None:
    run = current.begun()
    if run is not None and failure.count == 1:
        _write(run, where, failure)


def _write(run: Run, where: str, failure: guard.Failure) -> None:
    new = failure.count - _written.get(where, 0)
    if new > 0:
        _written[where] = failure.count
        run.log_health("error", where, new, failure.error)
