"""The recorded source tree of a run, re-created and verified, and the command that runs it again."""

from __future__ import annotations

import hashlib
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from autolog.store.source import SourceError, relative_path, source_files, stored_file

if TYPE_CHECKING:
    from autolog.store.summary import RunSummary

__all__ = ["OUTSIDE", "CheckedOut", "checkout", "rerun_command"]

OUTSIDE = "__outside__"
"""Folder of files that were not under the project's root; their absolute path follows."""


class CheckedOut(msgspec.Struct):
    """What was re-created."""

    directory: str
    files: list[str]
    """All files, relative to ``directory``; each has the sha256 that was recorded."""
    redacted: list[str]
    """Those in which secrets were masked when they were recorded: not byte for byte what ran."""
    changed: list[str]
    """Those that had been written after the program began: they may not be what ran."""
    outside: list[str]
    """Those that were not under the project's root; see :data:`OUTSIDE`."""
    left_out: dict[str, str]
    """Files that belonged to the program and were not recorded, with the reason."""
    command: str | None
    """What runs it again, for a shell; ``None`` where that is not known (a notebook, an old record)."""

    @property
    def exact(self) -> bool:
        """Whether this is the whole source, byte for byte."""
        return not (self.redacted or self.changed or self.left_out)


def checkout(run: RunSummary, directory: str | Path) -> CheckedOut:
    """Re-create the source of a run.

    Every file is verified before the first one is written, and again once it is written.

    Args:
        run: The run, freshly read (:func:`~autolog.store.find_run`).
        directory: A new or an empty directory.

    Raises:
        SourceError: no source was recorded, or what is stored is damaged or gone.
        FileExistsError: the directory is not empty.
        OSError: it cannot be written.
    """
    target = Path(os.path.abspath(directory))  # noqa: PTH100  no link is resolved, `..` is
    files = source_files(run)
    if not files:
        raise SourceError(f"no source was recorded with {run.name} ({run.id})")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"{target} is not empty; choose a new directory")
    contents = {name: _verified(run, name, known) for name, known in files.items()}
    for name, content in contents.items():
        _write(target / relative_path(name), content, files[name].get("mtime"))
    source = run.facts["source"]
    return CheckedOut(
        directory=str(target),
        files=list(contents),
        redacted=[name for name, known in files.items() if known.get("redacted")],
        changed=[name for name, known in files.items() if known.get("changed_since_start")],
        outside=[name for name in files if name.split("/", 1)[0] == OUTSIDE],
        left_out=source.get("left_out", {}),
        command=rerun_command(run, target),
    )


def rerun_command(run: RunSummary, directory: Path) -> str | None:
    """The command line of a run, as a shell would take it, with its source in ``directory``.

    Paths under the recorded root are those under ``directory``; so is the working directory.
    """
    command, source = run.facts.get("command"), run.facts.get("source")
    if not isinstance(command, dict) or not isinstance(source, dict):
        return None
    words = command.get("orig_argv")
    if not words or (command.get("entry") or {}).get("kind") in ("notebook", "interactive"):
        return None
    root, where = source.get("root"), command.get("directory")
    moved = [_moved(str(word), root, directory) for word in words[1:]]
    start = _moved(where, root, directory) if where else str(directory)
    return f"cd {shlex.quote(start)} && {shlex.join([str(words[0]), *moved])}"


def _moved(path: str, root: str | None, directory: Path) -> str:
    if root and path == root:
        return str(directory)
    return str(directory / path[len(root) + 1 :]) if root and path.startswith(root + "/") else path


def _verified(run: RunSummary, name: str, known: dict[str, Any]) -> bytes:
    """The stored content, if it is what was recorded."""
    relative_path(name)
    path = stored_file(run, name)
    if path is None:
        raise SourceError(f"{name}: its stored file is gone; nothing was written")
    content = path.read_bytes()
    expected = known.get("stored_sha256") or known.get("sha256")
    if hashlib.sha256(content).hexdigest() != str(expected).removeprefix("sha256:"):
        raise SourceError(f"{name}: the stored file is not what was recorded (sha256 differs); nothing was written")
    return content


def _write(path: Path, content: bytes, mtime: float | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(content)
    if mtime is not None:
        os.utime(path, (mtime, mtime))
    if path.read_bytes() != content:
        raise OSError(f"{path} is not what was written to it")
