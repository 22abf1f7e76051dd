"""Facts about the process: what is watched from the import on, and what is recorded when a run begins and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["install"]


def install() -> None:
    """Watch the process from now on; nothing is written before a run begins.

    Of a rank only what is its own: what it prints, how it ends, and autolog's errors in it.
    """
    from autolog import current, plugins, process
    from autolog.capture import arguments, console, exit, failures, groups, seeds  # noqa: A004  the fact's name

    current.observe(current.Observer(_begin, _end, _after_end))
    failures.install()
    exit.install()
    groups.install()
    plugins.add_fact("console", console.install)
    if process.role() == "rank":
        return
    plugins.add_fact("command", arguments.install)
    plugins.add_fact("seeds", seeds.install)


def _begin(run: Run) -> None:
    """A run has begun: write what is known so far, and start the sidecar."""
    from autolog import process
    from autolog.capture import recording

    if not process.is_worker():  # these facts are those of the process it works for
        recording.begin(run)


def _end(run: Run) -> None:
    """A run is about to end: write what has come since."""
    from autolog import process
    from autolog.capture import recording

    if not process.is_worker():
        recording.end(run)


def _after_end(run: Run) -> None:
    """A run has ended and its journal is closed: wait for delivery, as long as the settings say."""
    from autolog import process
    from autolog.capture import recording

    if not process.is_worker():
        recording.after_end(run)
