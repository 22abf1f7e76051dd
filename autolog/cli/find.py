"""From what a person typed to runs: names, ``last``, queries, and errors that help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autolog import store
from autolog.cli.errors import CommandError

if TYPE_CHECKING:
    from pathlib import Path

    from autolog.store import RunSummary

__all__ = ["find", "query", "root"]


def root() -> Path:
    """The runs directory that commands look at."""
    return store.root_directory()


def find(name: str) -> RunSummary:
    """The run a person means: id, unique beginning of one, name, ``last``, ``last~2``.

    Raises:
        CommandError: there is none, or several; the message names the nearest ones.
    """
    try:
        return store.find_run(name)
    except LookupError as error:
        raise CommandError(str(error)) from None


def query(
    where: str = "", *, project: str = "", sort: str = "", limit: int | None = None, archived: bool = False
) -> store.Runs:
    """Runs for which ``where`` holds, newest first or as sorted.

    Raises:
        CommandError: the query or the column to sort by cannot be understood; the message points at the place.
    """
    try:
        return store.runs(where, sort=sort, limit=limit, project=project, archived=archived)
    except (ValueError, LookupError) as error:
        raise CommandError(str(error), code=2) from None
