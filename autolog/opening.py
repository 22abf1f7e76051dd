"""How a process gets its run: a directory, a header and a journal; its own, or its place in that of a job or parent."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from autolog import claim, config, events, guard, naming, process
from autolog.config import ConfigError, Settings
from autolog.journal import MAIN, Journal, journal_name, read
from autolog.run import Run
from autolog.saying import say
from autolog.version import VERSION

__all__ = [
    "begin",
    "directory_name",
    "join_as_rank",
    "join_as_worker",
    "joining_header",
    "reserve",
    "reserved",
    "worker_prefix",
]

_reserved: dict[int, Path] = {}
"""By process id, which forks do not share: the directory of the run that has not begun yet."""


def begin(settings: Settings, name: str | None, project: str | None, resume: str | None) -> Run:
    """Open the run of this process: a new one, or the earlier one whose id is ``resume``.

    Raises:
        ValueError: there is no run ``resume``.
    """
    root = config.runs_root(settings)
    job = process.job()
    project = _project(settings, project)
    if resume is not None:
        directory = _directory_of(root, resume)
        project, first = directory.parent.name, _header(directory)
        name = name or (first.name if first else None)
    else:
        resume, directory = None, _reserved_directory(root, project) or _new_directory(root, project)
    run_id = directory.name
    parent = process.parent()
    header = events.RunStart(
        time=time.time(),
        id=run_id,
        name=name or naming.readable_name(run_id),
        project=project,
        version=VERSION,
        parent=parent.directory.name if parent else None,
        job=job.key if job else "",
        node=job.node if job else "",
        resumed=resume is not None,
        **process.identity()._asdict(),
    )
    run = _open(header, directory, settings)
    if resume is not None:
        _continue(run)
    process.export(directory)
    return run


def _project(settings: Settings, chosen: str | None) -> str:
    return directory_name(chosen or settings.project) or directory_name(config.project_root().name)


def reserve() -> Path | None:
    """Where this process's run is going to be, should it begin: its workers may have something to record before.

    Nothing is made yet. ``None`` in a job, where ranks agree on a run when one of them needs it.
    """
    if process.job() is not None or process.role() != "main":
        return None
    pid = os.getpid()
    if pid not in _reserved:
        settings = config.settings()
        root = config.runs_root(settings)
        existing = next((folder for folder in (root, *root.parents) if folder.exists()), root)
        if not os.access(existing, os.W_OK | os.X_OK):
            root = config.spare_root()
        _reserved[pid] = root / _project(settings, None) / naming.new_id()
    return _reserved[pid]


def reserved(pid: int = 0, *, in_use: bool = False) -> Path | None:
    """What :func:`reserve` has said in this process, or before a fork in the process ``pid``.

    With ``in_use`` only where a worker has written there since.
    """
    directory = _reserved.get(pid or os.getpid())
    return None if directory is None or (in_use and not directory.exists()) else directory


def _reserved_directory(root: Path, project: str) -> Path | None:
    """The directory that workers of this process have been told, if it can still be this run's."""
    directory = _reserved.pop(os.getpid(), None)
    if directory is None or directory.exists():
        return directory
    return _new_directory(root, project, directory.name) if directory.parent == root / project else None


def join_as_worker(settings: Settings, within: str | None = None) -> Run:
    """A worker records something: it has a journal of its own in its parent's run.

    Args:
        settings: in force.
        within: the child run that it works for, if not for the run itself.
    """
    parent = process.parent()
    if parent is None:
        raise RuntimeError("there is no run to join")
    directory = parent.directory
    if not directory.exists():  # the parent's run has not begun yet
        with guard.guard("run.directory"):
            _make(directory.parent.parent, directory.parent.name, directory.name)
    header = joining_header(directory, "worker")
    prefix = worker_prefix(directory)
    run = _open(header, directory, settings)
    run.separate(prefix)
    return run if within is None else run.within(within)


def worker_prefix(directory: Path) -> str:
    """What the ids of this process's child runs begin with; process ids come again, in one run too."""
    pid = os.getpid()
    again = (directory / journal_name("worker", pid=pid)).exists()
    return f"w{pid}.{time.time_ns():x}." if again else f"w{pid}."


def join_as_rank(settings: Settings, project: str | None, resume: str | None) -> Run:
    """A rank has a journal of its own in the run of its job, whether rank 0 is there already or not."""
    root, parent = config.runs_root(settings), process.parent()
    if resume is not None:
        directory = _directory_of(root, resume)
    elif process.job() is None and parent is not None:
        directory = parent.directory
    else:
        directory = _new_directory(root, _project(settings, project))
    run = _open(joining_header(directory, "rank"), directory, settings)
    run.separate(f"r{process.rank()}.{os.getpid()}.")
    process.export(directory)
    return run


def joining_header(directory: Path, role: str) -> events.RunStart:
    """Header of the journal that this process, a ``rank`` or ``worker``, has in the run of ``directory``."""
    first = _header(directory) if (directory / MAIN).exists() else None
    job = process.job()
    return events.RunStart(
        time=time.time(),
        id=directory.name,
        name=first.name if first else naming.readable_name(directory.name),
        project=directory.parent.name,
        version=VERSION,
        role=role,
        rank=process.rank(),
        job=job.key if job else "",
        node=job.node if job else "",
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


def _new_directory(root: Path, project: str, run_id: str | None = None) -> Path:
    """Make ``<root>/<project>/<id>``; where that cannot be written, the same below the temporary directory.

    A rank gets the directory of its job, whichever rank has made it.
    """
    run_id = run_id or naming.new_id()
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
    job = process.job()
    directory = claim.claim(root, project, job) if job else root / project / run_id
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
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


def directory_name(project: str) -> str:
    """A project as one directory name."""
    return re.sub(r"[^\w.\- ]", "-", project).strip(". ") if project else ""
