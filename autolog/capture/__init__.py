"""Facts about the process: what is watched from the import on, and what is recorded when a run begins and ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from autolog import guard, plugins

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["after_end", "begin", "end", "install"]


def install() -> None:
    """Watch the process from now on; nothing is written before a run begins."""
    from autolog.capture import console, exit, failures  # noqa: A004  the fact's name

    failures.install()
    exit.install()
    plugins.add_fact("console", console.install)


def begin(run: Run) -> None:
    """A run has begun: write what is known so far, and start the sidecar."""
    from autolog.capture import exit, failures  # noqa: A004  the fact's name
    from autolog.sidecar import launch

    _each(
        run,
        {"failures": failures.begin, "sidecar": launch.start, "exit": exit.begin, "console": _attach_console},
    )


def end(run: Run) -> None:
    """A run is about to end: write what has come since."""
    from autolog.capture import exit, failures  # noqa: A004  the fact's name

    _each(run, {"console": _detach_console, "exit": exit.end, "failures": failures.end})


def after_end(run: Run) -> None:
    """A run has ended and its journal is closed: wait for delivery, as long as the settings say."""
    from autolog.sidecar import launch

    _each(run, {"sidecar.end": launch.ended, "sidecar.wait": launch.wait})


def _each(run: Run, actions: dict[str, Callable[[Run], None]]) -> None:
    """One failing fact must not cost the others."""
    for name, action in actions.items():
        if not plugins.is_disabled(name):
            with guard.guard(f"capture.{name}"):
                action(run)


def _attach_console(run: Run) -> None:
    from autolog.capture import console

    def lost(count: int, detail: str) -> None:
        run.log_health("lost", "console", count, detail)

    console.attach(run.directory / "console.log", run.redactor, lost)


def _detach_console(run: Run) -> None:
    from autolog.capture import console

    console.detach()
    run.note_redactions()
