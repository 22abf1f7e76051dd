"""The current run of this process: when it begins, who it is, and how it is ended.

Importing autolog begins nothing. The first fact of training does: a fit, a logged value, ``start_run()``.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from autolog import config, events, guard, naming, patching, process
from autolog.config import ConfigError, Settings
from autolog.journal import MAIN, Journal, journal_name, read
from autolog.run import Run, exit_status, innermost, outcome
from autolog.saying import say
from autolog.version import VERSION

__all__ = ["begun", "current_run", "ensure_run", "finish", "fit_in_progress", "install", "is_off", "start_run"]

_run: Run | None = None
"""The process's run, from its begin to its end."""
_last: Run | None = None
"""The run that the end of the process has ended: what atexit handlers and destructors still log belongs to it."""
_off: Run | None = None
"""What logging calls get under ``AUTOLOG=off``, once made."""
_lock = threading.RLock()


def is_off() -> bool:
    """Whether ``AUTOLOG=off`` is set: nothing is recorded and nothing is patched."""
    return os.environ.get("AUTOLOG", "").lower() in ("off", "0", "false", "no")


def current_run() -> Run | None:
    """The innermost open child run of this thread or task, else the process's run; ``None`` before it begins."""
    return innermost() or _run


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
    run = innermost() or _run
    if run is not None:
        return run
    with _lock:  # two threads that fit at once begin one run
        return _run or _last or start_run()


def start_run(
    name: str | None = None,
    project: str | None = None,
    tags: Iterable[str] = (),
    *,
    resume: str | None = None,
) -> Run:
    """Begin a run. One that is open in this process is ended as completed before.

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
        if _run is not None:
            finish()
        if is_off():
            return _silent_run()
        settings = config.settings()
        tags = [*settings.tags, *([tags] if isinstance(tags, str) else tags)]
        resume = resume or settings.resume or None
        if process.role() == "main" or process.parent() is None:
            _run = _begin(settings, name or settings.name, _safe(project or settings.project), resume)
        else:
            _run = _join(settings)
            return _run
        if tags:
            _run.add_tags(*tags)
        with guard.guard("run.begin"):
            from autolog import capture

            capture.begin(_run)
        return _run


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
    global _run, _last  # noqa: PLW0603  see start_run()
    with _lock:
        run = _run
        if run is None:
            return
        _run = None
        if status == "completed":
            status = outcome(error)
        from autolog import capture

        with guard.guard("run.end"):
            capture.end(run)
        if isinstance(error, SystemExit):
            exit_code = exit_status(error.code)
        details = None if error is None or status == "completed" else run.described(error)
        if process.is_owner(run.directory):
            ended = events.End(time=time.time(), status=status, exit_code=exit_code, exception=details, at_exit=at_exit)
            run.append(ended)
            process.withdraw()
        if at_exit:
            _last = run
        else:
            run.close()
    with guard.guard("run.end"):
        capture.after_end(run)


def install() -> None:
    """Called once by the import of autolog: forked children get journals of their own."""
    os.register_at_fork(after_in_child=_after_fork)


def _begin(settings: Settings, name: str | None, project: str, resume: str | None) -> Run:
    root = config.runs_root(settings)
    project = project or _safe(config.project_root().name)
    if resume is not None:
        directory = _directory_of(root, resume)
        project, first = directory.parent.name, _header(directory)
        name = name or (first.name if first else None)
    else:
        resume, directory = None, _new_directory(root, project)
    run_id = directory.name
    parent = process.parent()
    header = events.RunStart(
        time=time.time(),
        id=run_id,
        name=name or naming.readable_name(run_id),
        project=project,
        version=VERSION,
        parent=parent.directory.name if parent else None,
        resumed=resume is not None,
        **process.identity()._asdict(),
    )
    run = _open(header, directory, settings)
    if resume is not None:
        _continue(run)
    process.export(directory)
    return run


def _join(settings: Settings) -> Run:
    """A worker or rank logs something: it has a journal of its own in its parent's run."""
    parent = process.parent()
    if parent is None:
        raise RuntimeError("there is no run to join")
    run = _open(_worker_header(parent.directory), parent.directory, settings)
    run.separate(f"w{os.getpid()}.")
    return run


def _worker_header(directory: Path) -> events.RunStart:
    first = _header(directory)
    rank = int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")))
    return events.RunStart(
        time=time.time(),
        id=directory.name,
        name=first.name if first else "",
        project=directory.parent.name,
        version=VERSION,
        role="rank" if process.role() == "rank" else "worker",
        rank=rank,
        **process.identity()._asdict(),
    )


def _open(header: events.RunStart, directory: Path, settings: Settings) -> Run:
    from autolog.capture.redact import Redactor

    redactor = Redactor(settings.redact, settings.redact_names)
    redactor.learn(settings.token)
    name = journal_name(header.role, header.rank, header.pid)
    return Run(
        run_id=header.id,
        name=header.name,
        project=header.project,
        directory=directory,
        journal=Journal(directory / name, header),
        redactor=redactor,
    )


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


def _new_directory(root: Path, project: str) -> Path:
    """Make ``<root>/<project>/<id>``; where that cannot be written, the same below the temporary directory."""
    run_id = naming.new_id()
    try:
        return _make(root, project, run_id)
    except OSError as error:
        spare = config.spare_root()
        say(f"cannot write {root}: {error}. This run is kept in {spare} instead.")
        try:
            return _make(spare, project, run_id)
        except OSError:  # the journal says so once and counts what is lost
            return root / project / run_id


def _make(root: Path, project: str, run_id: str) -> Path:
    directory = root / project / run_id
    directory.mkdir(mode=0o700, parents=True)
    ignore = root / ".gitignore"
    if not ignore.exists():
        root.chmod(0o700)
        ignore.write_text("*\n", "ascii")
    return directory


def _directory_of(root: Path, run_id: str) -> Path:
    found = [path for path in root.glob(f"*/{run_id}") if (path / MAIN).exists()] if _ID.fullmatch(run_id) else []
    if not found:
        raise ConfigError(f"cannot resume {run_id!r}: no such run below {root}")
    return found[0]


def _header(directory: Path) -> events.RunStart | None:
    try:
        for record, _ in read(directory / MAIN):
            if isinstance(record, events.RunStart):
                return record
    except OSError as error:
        guard.report("run.header", error)
    return None


def _continue(run: Run) -> None:
    """Let counts and child ids go on where the earlier process stopped."""
    children = 0
    for record, _ in read(run.directory / MAIN):
        if isinstance(record, events.Metrics) and record.child is None:
            run.recount(record.values)
        elif isinstance(record, events.Child) and record.child is not None and record.child.isdigit():
            children = max(children, int(record.child))
    run.continue_children(children + 1)


_ID = re.compile(r"[\w\-]+")


def _safe(project: str) -> str:
    """A project as one directory name."""
    return re.sub(r"[^\w.\- ]", "-", project).strip(". ") if project else ""


def _after_fork() -> None:
    """In a forked child: hooks sleep, and what is logged explicitly goes to the child's own journal."""
    global _lock  # noqa: PLW0603  a lock held by another thread at the fork would never be released
    _lock = threading.RLock()
    patching.silence()
    run = _run or _last
    if run is not None:
        with guard.guard("run.fork"):
            header = _worker_header(run.directory)
            run.journal.move_to_worker(header)
            run.separate(f"w{os.getpid()}.")
