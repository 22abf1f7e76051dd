"""Which run is the job's: the first rank that needs it claims a directory, the others find it. Nobody waits.

Claims are ``<root>/.jobs/<key>/<number>``: symbolic links that point nowhere and whose text is
``<project>/<run-id>|<who>``. Making one is a single atomic call, on network file systems too (editors lock files in
the same way). A launcher may use a key again, and a program may have several runs in turn. A rank takes the oldest
claim made under the very process that launched it, else the newest of all, and makes a new one where there is none, or

- its own journal is in that run already: it takes part in a run once;
- it was made for an earlier attempt (a restart by torchrun) of the process that launched this rank;
- it was made under another launcher process, and every process of that run is over.

Ranks on nodes without a common runs directory find no claims of each other: each node makes a run then, and the ``job``
in their headers is the same.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from autolog import events, naming, process
from autolog.journal import journal_name, last_line, read

if TYPE_CHECKING:
    from pathlib import Path

    from autolog.job import Job

__all__ = ["claim", "find"]

FOLDER = ".jobs"
_SILENT_AFTER = 180.0
"""Seconds without a record after which a run whose processes are out of sight is over; a sidecar beats every 60."""
_KEPT = 100
"""So many claims of a job are kept; ranks of earlier launches look for no more."""


class _Claim(NamedTuple):
    number: int
    directory: Path
    who: str
    time: float


def claim(root: Path, project: str, job: Job) -> Path:
    """The directory of the job's run, for this rank to write to. Its journal is there already, empty, and its alone.

    Args:
        root: the runs directory, which the nodes share.
        project: of the run, should this rank be the first.
        job: this rank.

    Raises:
        OSError: nothing can be written there.
    """
    folder = root / FOLDER / job.key
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        claims = _claims(root, folder)
        directory = _ours(claims, job) or _new(folder, claims, root / project, _who(job))
        if directory is not None and _take(directory / _own_journal(job)):
            return directory


def find(root: Path, job: Job) -> Path | None:
    """The directory that another rank has claimed and this one may write to; ``None`` where there is none."""
    return _ours(_claims(root, root / FOLDER / job.key), job)


def _new(folder: Path, claims: list[_Claim], project: Path, who: str) -> Path | None:
    """Make the next claim; ``None`` where another rank was quicker."""
    directory = project / naming.new_id()
    number = claims[0].number + 1 if claims else 0
    try:
        os.symlink(f"{project.name}/{directory.name}|{who}", folder / str(number))  # noqa: PTH211  text, no path
    except FileExistsError:
        return None
    for old in claims[_KEPT:]:
        (folder / str(old.number)).unlink(missing_ok=True)
    return directory


def _take(path: Path) -> bool:
    """Take this rank's place in a run; of two processes that say they are the same rank, one gets it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return False
    return True


def _own_journal(job: Job) -> str:
    return journal_name("rank" if job.rank else "main", job.rank)


def _claims(root: Path, folder: Path) -> list[_Claim]:
    """All claims of the job, the newest first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name.isdigit():
            try:
                place, _, who = os.readlink(path).rpartition("|")  # noqa: PTH115  text, no path
                found.append(_Claim(int(path.name), root / place, who, path.lstat().st_mtime))
            except FileNotFoundError:  # an old one was removed under us
                continue
    return sorted(found, key=lambda claim: -claim.number)


def _ours(claims: list[_Claim], job: Job) -> Path | None:
    """The claim this rank has its place in; ``None`` where there is none. See the module's text."""
    own, me = _own_journal(job), _who(job)
    mine = [claim for claim in claims if claim.who == me]
    if not mine and claims:
        newest, launcher = claims[0], me.rpartition(":")[0]
        if newest.who.rpartition(":")[0] != launcher and not _is_over(newest):
            mine = [newest]
    # The oldest first: rank 0 may be at its second run when this one comes to its first.
    return next((claim.directory for claim in reversed(mine) if not (claim.directory / own).exists()), None)


def _who(job: Job) -> str:
    """The process that launched this one, the same for the ranks of a node as a rule, and its attempt."""
    pid = os.getppid()
    return f"{process.boot_id()}:{pid}:{process.started(pid):.0f}:{job.attempt}"


def _is_over(claim: _Claim) -> bool:
    """Whether every process that has written to the run has ended, as far as can be seen from here."""
    try:
        paths = [path for path in claim.directory.iterdir() if path.suffix == ".jsonl"]
    except FileNotFoundError:
        paths = []
    journals = [path for path in paths if path.name.startswith("journal") and "edits" not in path.name]
    if not journals:  # claimed just now, or by a process that came no further
        return time.time() - claim.time > _SILENT_AFTER
    beat = max(path.stat().st_mtime for path in paths)
    return all(_has_ended(path, beat) for path in journals)


def _has_ended(path: Path, beat: float) -> bool:
    try:
        if isinstance(events.decode(last_line(path)), events.End):
            return True
    except msgspec.DecodeError:  # a torn line: the process was cut off, or is just writing
        pass
    start = next((record for record, _ in read(path, problems=[]) if isinstance(record, events.RunStart)), None)
    sight = "unseen" if start is None else process.liveness(start)
    return sight in ("gone", "rebooted") or (sight == "unseen" and time.time() - beat > _SILENT_AFTER)
