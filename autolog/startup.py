"""What ``import autolog`` does: wait for frameworks, watch the command line, console and seeds. Begins no run."""

from __future__ import annotations

from autolog import capture, config, current, guard, patching, plugins, process

__all__ = ["install"]


def install() -> None:
    """Switch everything on, once. Under ``AUTOLOG=off`` nothing; in a worker only what explicit logging needs.

    A rank is silent too, but its console and its end are its own.
    """
    if current.is_off():
        return
    with guard.guard("startup"):
        config.settings()
        current.install()
        role = process.role()
        if role != "main":
            patching.silence()
        if role == "worker":
            return
        capture.install()
        if role == "rank":
            return
        plugins.install()
