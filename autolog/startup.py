"""What ``import autolog`` does: wait for frameworks, watch the command line, console and seeds. Begins no run."""

from __future__ import annotations

from autolog import capture, config, current, guard, patching, plugins, process

__all__ = ["install"]


def install() -> None:
    """Switch everything on, once. Under ``AUTOLOG=off`` nothing; in a worker only what explicit logging needs."""
    if current.is_off():
        return
    with guard.guard("startup"):
        config.settings()
        current.install()
        if process.role() != "main":
            patching.silence()
            return
        capture.install()
        plugins.install()
