"""Change what a person says of a run: tags, note, name; and remove runs. No journal is rewritten."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from autolog import events, journal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autolog.store.summary import RunSummary

__all__ = ["RunIsRunning", "remove", "rename", "set_note", "tag"]


class RunIsRunning(RuntimeError):  # noqa: N818  (it says what it is)
    """A run that still runs is not removed unless that is asked for."""


def tag(run: RunSummary, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
    """Add and remove tags of a run or a child run.

    Raises:
        OSError: the run's directory cannot be written.
    """
    _edit(run, events.Tags(time=time.time(), child=_child(run), add=list(add), remove=list(remove)))


def set_note(run: RunSummary, text: str) -> None:
    """Replace the note. Raises as :func:`tag` does."""
    _edit(run, events.Note(time=time.time(), child=_child(run), text=text))


def rename(run: RunSummary, name: str) -> None:
    """Give a run another name; its id stays. Raises as :func:`tag` does."""
    _edit(run, events.Name(time=time.time(), child=_child(run), name=name))


def remove(run: RunSummary, *, force: bool = False) -> None:
    """Delete a run's directory with everything in it. Links are removed, never followed.

    Args:
        run: The run; its ``directory`` is what is deleted.
        force: Also while it is running.

    Raises:
        RunIsRunning: it is, and ``force`` was not given.
        ValueError: it is a child run, or its directory is no run's.
        OSError: something could not be deleted.
    """
    if run.kind != "run":
        raise ValueError(f"{run.name} is a child run: it is part of its run's record and cannot be removed alone")
    if run.status == "running" and not force:
        raise RunIsRunning(f"{run.name} ({run.id}) is still running; stop it first, or force its removal")
    directory = Path(run.directory)
    if directory.is_symlink() or not any(directory.glob("journal*.jsonl")):
        raise ValueError(f"{directory} is no run's directory; nothing was removed")
    # Out of sight at once: a reader never meets half a run.
    hidden = directory.with_name(f".removed-{directory.name}-{os.getpid()}")
    directory.rename(hidden)
    shutil.rmtree(hidden)


def _child(run: RunSummary) -> str | None:
    return None if run.kind == "run" else run.id


def _edit(run: RunSummary, record: events.Record) -> None:
    """Append to the run's journal of edits. What a person says must not be lost silently: a failed write raises."""
    path = Path(run.directory) / journal.EDITS
    header = events.RunStart(time=record.time, id=path.parent.name, name=run.name, project=run.project, role="edit")
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(file).st_size
        torn = b"\n" if size and os.pread(file, 1, size - 1) != b"\n" else b""
        lines = [events.encode(one) + b"\n" for one in ((record,) if size else (header, record))]
        data = torn + b"".join(lines)
        if os.write(file, data) != len(data):
            raise OSError(f"{path} could not be written whole")
    finally:
        os.close(file)
