"""Where runs lie: ``root/<project>/<run-id>/`` and the journals in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from autolog import config, journal

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Place", "root_directory", "run_places", "stamp_of"]

Place = tuple[str, str]
"""A run's directory relative to the root: (project folder, run folder)."""


def root_directory(dir: str | Path | None = None) -> Path:  # noqa: A002  (the setting's name)
    """The runs directory: ``dir`` where given, else as the settings say."""
    return Path(dir).expanduser().absolute() if dir is not None else config.runs_root()


def run_places(root: Path) -> Iterator[tuple[Place, str]]:
    """All runs under ``root`` with the :func:`stamp_of` their journals; no file is opened.

    Links are not followed, hidden folders and folders without a journal are no runs.
    """
    for project in _folders(root):
        for run in _folders(os.path.join(root, project)):  # noqa: PTH118  (a Path each costs more than the scan)
            stamp = stamp_of(os.path.join(root, project, run))  # noqa: PTH118  (the same)
            if stamp:
                yield (project, run), stamp


def stamp_of(directory: str | Path) -> str:
    """Names, sizes and modification times of a run's journals as one text; empty where there are none.

    Two equal stamps mean that there is nothing new to read.
    """
    parts = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                name = entry.name
                if name.endswith(".jsonl") and (name.startswith("journal") or journal.is_system(name)):
                    stat = entry.stat()
                    parts.append(f"{name}:{stat.st_size}:{stat.st_mtime_ns}")
    except OSError:
        return ""
    if not any(part.startswith("journal") for part in parts):
        return ""
    parts.sort()
    return "|".join(parts)


def _folders(path: str | Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(
                entry.name
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            )
    except OSError:
        return []
