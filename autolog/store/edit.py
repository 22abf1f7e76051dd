"""Change what a person says of a run: tags, fields, note, name, archived; remove runs. No journal is rewritten."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autolog import events, journal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autolog.store.summary import RunSummary

__all__ = ["RunIsRunning", "archive", "checked_fields", "remove", "rename", "set_fields", "set_note", "tag"]

_LONGEST_NAME = 200
_LONGEST_TEXT = 10_000


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


def set_fields(run: RunSummary, values: Mapping[str, Any]) -> None:
    """Set fields of a run or a child run; ``None`` takes one away. What is not named stays.

    Raises:
        ValueError: see :func:`checked_fields`.
        OSError: the run's directory cannot be written.
    """
    _edit(run, events.Fields(time=time.time(), child=_child(run), values=checked_fields(values)))


def checked_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as they are written.

    Raises:
        ValueError: a name is empty or too long, or a value is neither text, number, truth value nor ``None``.
    """
    for name, value in values.items():
        if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
            raise ValueError(f"{name[:80]!r} cannot be the name of a field: 1 to {_LONGEST_NAME} printable signs")
        if value is not None and not isinstance(value, (str, int, float)):
            raise ValueError(
                f"the field {name!r} is a {type(value).__name__}; a text, a number, True or False is taken"
            )
        if isinstance(value, str) and len(value) > _LONGEST_TEXT:
            raise ValueError(f"the field {name!r} is longer than {_LONGEST_TEXT} characters")
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            raise ValueError(f"the field {name!r} is a whole number of more than 64 bits")
    return {name: events.to_wire(value) if isinstance(value, float) else value for name, value in values.items()}


def archive(run: RunSummary, *, archived: bool = True) -> None:
    """Leave a run out of lists unless it is asked for, or take it back into them.

    Raises:
        ValueError: it is a child run.
        OSError: the run's directory cannot be written.
    """
    if run.kind != "run":
        raise ValueError(f"{run.name} is a child run: it is listed with its run and cannot be archived alone")
    _edit(run, events.Archive(time=time.time(), archived=archived))


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
