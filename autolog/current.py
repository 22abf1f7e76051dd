"""The current run of this process: when it begins, who it is, and how it is ended.

Importing autolog begins nothing. The first fact of training does: a fit, a logged value, ``start_run()``.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

import msgspec

from autolog import claim, config, events, guard, opening, patching, process
from autolog.journal import Journal
from autolog.run import Run, activate, exit_status, innermost, outcome

__all__ = [
    "Observer",
    "begun",
    "current_run",
    "ensure_run",
    "finish",
    "fit_in_progress",
    "install",
    "is_off",
    "join_job",
    "join_workers",
    "observe",
    "serves_fit",
    "start_for_job",
    "start_run",
    "work_within",
]

_run: Run | None = None
"""The process's run, from its begin to its end."""
_last: Run | None = None
"""The run that the end of the process has ended: what atexit handlers and destructors still log belongs to it."""
_unnamed: events.RunStart | None = None
"""Header of a run that began with the process group of its job, until the program does something with it."""
_off: Run | None = None
"""What logging calls get under ``AUTOLOG=off``, once made."""
_within: str | None = None
"""In a worker: the child run of another process that it works for."""
_lock = threading.RLock()


class Observer(NamedTuple):
    """What is called when the process's run begins, is about to end, and has ended with its journal closed."""

    begin: Callable[[Run], None]
    end: Callable[[Run], None]
    after_end: Callable[[Run], None]


_observers: list[Observer] = []

serves_fit: ContextVar[bool] = ContextVar("autolog_serves_fit", default=False)
"""Set while a process is started that only serves this one, such as a DataLoader's: a fork of now is silent."""


def observe(observer: Observer) -> None:
    """Call ``observer`` at the begin and end of every run from now on; its errors are reported, not raised."""
    _observers.append(observer)


def is_off() -> bool:
    """Whether ``AUTOLOG=off`` is set: nothing is recorded and nothing is patched."""
    return os.environ.get("AUTOLOG", "").lower() in ("off", "0", "false", "no")


def current_run() -> Run | None:
    """The innermost open child run of this thread or task, else the process's run; ``None`` before it begins."""
    run = innermost() or _run
    while run is not None and run.ended and run.parent is not None:  # begun and ended by the program of a worker
        run = run.parent
    return run


def begun() -> Run | None:
    """The process's run itself, never a child run; ``None`` before it begins and after it has ended."""
    return _run


def fit_in_progress() -> Run | None:
    """The open child run of this thread or task that an integration owns; ``None`` outside.

    A fit that begins while there is one is nested: the outermost owner reports.
    """
    run = innermost()
    while run is not None and run.integration is None:
        run = run.parent
    return run


def ensure_run() -> Run:
    """Like :func:`current_run`, and begins the process's run where there is none."""
    run = current_run()
    if run is not None:
        if _unnamed is not None:
            _settle()
        return run
    with _lock:  # two threads that fit at once begin one run
        return _run or _last or (_join_as_worker() if _has_employer() else start_run())


def start_run(
    name: str | None = None,
    project: str | None = None,
    tags: Iterable[str] = (),
    *,
    resume: str | None = None,
) -> Run:
    """Begin a run. One that is open in this process is ended as completed before.

    In a process that was started to work for another one, it is a child run of that one's run.

    Args:
        name: what people see; without it a readable name is made.
        project: which project it belongs to; without it the setting, else the name of the git root or directory.
        tags: tags of the run.
        resume: the id of an earlier run of that project, which is then continued: its steps and counts go on, and
            nothing of it is overwritten.

    Returns:
        The run, which is also a context manager: an exception inside its block marks it failed.

    Raises:
        ValueError: there is no run ``resume``.
    """
    global _run  # noqa: PLW0603  the current run is one of the process's few globals
    with _lock:
        added = [tags] if isinstance(tags, str) else list(tags)
        if _has_employer():
            return _start_within(name, added)
        if _run is not None and _unnamed is not None and resume is None:
            return _take_over(_run, name, project, added)
        if _run is not None:
            finish()
        if is_off():
            return _silent_run()
        settings = config.settings()
        tags = [*settings.tags, *added]
        resume = resume or settings.resume or None
        if process.role() == "rank":
            _run = opening.join_as_rank(settings, project, resume)
            tags = ()  # rank 0 says them
        else:
            _run = opening.begin(settings, name or settings.name, project, resume)
        if tags:
            _run.add_tags(*tags)
        _tell_begin(_run)
        return _run


def _has_employer() -> bool:
    """Whether this process works for another one that is known."""
    return process.is_worker() and process.parent() is not None and not is_off()


def _join_as_worker() -> Run:
    """Begin to write to the run of the process that this one works for."""
    global _run  # noqa: PLW0603  see start_run()
    _run = opening.join_as_worker(config.settings(), _within)
    _tell_begin(_run)
    return _run


def _start_within(name: str | None, tags: list[str]) -> Run:
    """A worker's program begins a run: it has a child run of its own where it stands."""
    global _run  # noqa: PLW0603  see start_run()
    if _run is not None and _run.kind == "run" and _run.parent is not None:
        _run.close_child()  # the one it began before
    outer = current_run() or _join_as_worker()
    _run = outer.open_child(name or config.settings().name or f"process {os.getpid()}", "run")
    activate(_run)
    if tags:
        _run.add_tags(*tags)
    return _run


def _tell_begin(run: Run) -> None:
    run.on_finish = finish
    for observer in _observers:
        with guard.guard("run.begin"):
            observer.begin(run)


def work_within(child_id: str | None) -> None:
    """In a worker: what it records from now on is part of this child run of another process, or of its run."""
    global _within  # noqa: PLW0603  see start_run()
    with _lock:
        employer = process.parent()
        if _run is not None and (child_id != _within or (employer and employer.directory != _run.directory)):
            finish()
        _within = child_id


def start_for_job() -> None:
    """The processes of a job have found each other: its run begins, where it has not yet.

    The next :func:`start_run` gives that run its name and tags instead of beginning another.
    """
    global _unnamed  # noqa: PLW0603  see start_run()
    with _lock:
        if _run is None and _last is None and not is_off():
            _unnamed = start_run().journal.header


def join_job() -> Run | None:
    """On a rank that has recorded nothing: the run of its job, if another rank has begun one."""
    parent, job = process.parent(), process.job()
    if process.role() != "rank" or _last is not None or is_off():
        return None
    known = claim.find(config.runs_root(), job) if job else parent and parent.directory
    return start_run() if known else None


def join_workers() -> Run | None:
    """In a process that has recorded nothing itself: its run, if its workers have begun to write to it."""
    if _run is not None or _last is not None or is_off() or opening.reserved(in_use=True) is None:
        return None
    return start_run()


def _settle() -> None:
    """Something is recorded in the run that began with the job: from now on it is a run like any other."""
    global _unnamed  # noqa: PLW0603  see start_run()
    _unnamed = None


def _take_over(run: Run, name: str | None, project: str | None, tags: list[str]) -> Run:
    """The program names the run that began with its job. The directory stays: other ranks write there too."""
    header = run.journal.header
    _settle()
    if process.role() == "main":
        run.name, run.project = name or run.name, opening.directory_name(project or "") or run.project
        if (run.name, run.project) != (header.name, header.project):
            run.journal.header = msgspec.structs.replace(header, name=run.name, project=run.project)
            run.append(run.journal.header)
        if tags:
            run.add_tags(*tags)
    return run


def finish(
    status: events.Status = "completed",
    error: BaseException | None = None,
    *,
    exit_code: int | None = None,
    at_exit: bool = False,
) -> None:
    """End the process's run. Without a run, nothing happens.

    Args:
        status: how it ended.
        error: the exception that ended it; goes on record with its traceback, and makes ``completed`` ``failed``.
        exit_code: the code the process ends with, where it is known.
        at_exit: the process is ending too; what the kernel says of it later counts more than ``status``.
    """
    global _run, _last, _unnamed  # noqa: PLW0603  see start_run()
    with _lock:
        run = _run
        if run is None:
            return
        _run = _unnamed = None
        if status == "completed":
            status = outcome(error)
        for observer in _observers:
            with guard.guard("run.end"):
                observer.end(run)
        if isinstance(error, SystemExit):
            exit_code = exit_status(error.code)
        details = None if error is None or status == "completed" else run.described(error)
        if process.is_worker():
            run.close_children(error, status)
        if process.is_owner(run.directory):
            ended = events.End(time=time.time(), status=status, exit_code=exit_code, exception=details, at_exit=at_exit)
            run.append(ended)
            process.withdraw()
        if at_exit:
            _last = run
        else:
            run.close()
    for observer in _observers:
        with guard.guard("run.end"):
            observer.after_end(run)


def install() -> None:
    """Called once by the import of autolog: forked children get journals of their own."""
    os.register_at_fork(after_in_child=_after_fork)


def _silent_run() -> Run:
    """What logging calls get under ``AUTOLOG=off``: it takes everything and keeps nothing."""
    global _off  # noqa: PLW0603  made once: see start_run()
    if _off is not None:
        return _off
    from autolog.capture.redact import Redactor

    _off = Run(
        run_id="off", name="off", project="off", directory=Path(os.devnull), journal=Journal.silent(),
        redactor=Redactor(enabled=False),
    )  # fmt: skip
    return _off


def _after_fork() -> None:
    """In a forked child: what is recorded there goes to a journal of its own; see :mod:`autolog.workers`."""
    global _lock, _run, _last  # noqa: PLW0603  a lock held by another thread at the fork would never be released
    _lock = threading.RLock()
    nested = patching.is_silent() or serves_fit.get() or fit_in_progress() is not None
    run = _run or _last
    with guard.guard("run.fork"):
        if run is not None:
            process.become_worker(run.directory, os.getppid())
            prefix = opening.worker_prefix(run.directory)
            run.journal.move_to_worker(opening.joining_header(run.directory, "worker"))
            run.separate(prefix)
            _run, _last = run, None
        elif not process.stay_worker() and (directory := opening.reserved(pid=os.getppid())) is not None:
            process.become_worker(directory, os.getppid())
    patching.silence(nested)
