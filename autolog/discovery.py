"""Plugins of third parties, found by their entry points without paying for importlib.metadata where there are none."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["entry_points"]


def entry_points(group: str) -> list[EntryPoint]:
    """The entry points of a group, ``autolog.integrations`` or ``autolog.backends``.

    A look into the installed packages' ``entry_points.txt`` takes 2 ms for 150 packages; importlib.metadata takes 50,
    and is only asked where one of them names the group.
    """
    heading = f"[{group}]".encode()
    if not any(_mentions(folder, heading) for folder in sys.path):
        return []
    from importlib import metadata

    return list(metadata.entry_points(group=group))


def _mentions(folder: str, heading: bytes) -> bool:
    try:
        with os.scandir(folder or ".") as entries:
            found = [entry.path for entry in entries if entry.name.endswith((".dist-info", ".egg-info"))]
    except OSError:  # a zip file, or a path that is not there: as for any import
        return False
    return any(heading in _content(f"{path}/entry_points.txt") for path in found)


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  150 times at each import: a Path costs as much as the file
            return file.read()
    except OSError:  # most packages have none
        return b""
