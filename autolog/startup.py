"""What ``import autolog`` does: wait for frameworks, watch the command line, console and seeds. Begins no run."""

from __future__ import annotations

from autolog import capture, config, current, guard, patching, plugins, process, workers

__all__ = ["install"]


def install() -> None:
    """Switch everything on, once. Under ``AUTOLOG=off`` nothing; in a worker only what explicit logging needs.

    A worker that has trainings of its own is told so later. A rank is silent too, but its console and its end are its
    own; where ranks may be tasks that know nothing of each other, it is awake until they find each other.
    """
    if current.is_off():
        return
    with guard.guard("startup"):
        config.settings()
        current.install()
        workers.install()
        role, job = process.role(), process.job()
        awake = role == "main" or (job is not None and job.independent)
        patching.silence(not awake)
        if role == "worker":
            return
        capture.install()
        if awake:
            plugins.install()
