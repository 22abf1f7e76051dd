"""The recorded source files of a run: which there are, and where they are stored."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autolog.store.summary import RunSummary

__all__ = ["SourceError", "relative_path", "source_files", "stored_file"]


class SourceError(ValueError):
    """The source of a run cannot be re-created; the message says why. Nothing was written."""


def source_files(run: RunSummary) -> dict[str, dict[str, Any]]:
    """The recorded source files of a run: path → what is known of it (``sha256``, ``stored`` …)."""
    source = run.facts.get("source")
    files = source.get("files") if isinstance(source, dict) else None
    return {name: known for name, known in (files or {}).items() if isinstance(known, dict)}


def stored_file(run: RunSummary, name: str) -> Path | None:
    """Where a recorded source file is stored; ``None`` where the run has none of this name or it is gone.

    Raises:
        SourceError: the record names a place outside the run's directory.
    """
    known = source_files(run).get(name)
    if known is None:
        return None
    root = Path(run.directory).resolve()
    path = (root / relative_path(str(known.get("stored", f"source/{name}")))).resolve()
    if not path.is_relative_to(root):
        raise SourceError(f"{name}: its stored file is not in the run's directory")
    return path if path.is_file() else None


def relative_path(name: str) -> PurePosixPath:
    """A recorded name as a path below a directory. Records may come from elsewhere: they lead nowhere else.

    Raises:
        SourceError: it is no such path.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        raise SourceError(f"{name!r} is no path below a directory; nothing was written")
    return path
