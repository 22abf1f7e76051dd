"""Names that a client may choose, as they may stand in a path of ours: a project, a run, a file of a run."""

from __future__ import annotations

import re

from autolog.journal import SERVER_EDITS
from autolog.server.errors import ApiError

__all__ = ["check_file", "check_id", "check_journal", "check_project", "check_run", "check_user", "check_workspace"]

_PROJECT = re.compile(r"[\w\- ](?:[\w.\- ]{0,126}[\w\-])?")
_RUN = re.compile(r"\d{8}-\d{6}-\d{3}-[0-9a-f]{8}")
_JOURNAL = re.compile(r"(?:journal|system)(?:\.[\w\-]{1,64})?\.jsonl")
_PART = re.compile(r"[^\x00-\x1f/\\]{1,255}")
_ID = re.compile(r"[0-9a-f]{1,32}")
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+\-]{0,63}")
_LONGEST_PATH = 1024
_OWN = {"delivery.json", "metrics.parquet", "index.sqlite"}
"""Files of a run's directory that its owner makes anew: they are not sent."""


def check_project(name: str) -> str:
    """A project as one folder's name.

    Raises:
        ApiError: 422: it is empty, too long, begins with a dot, or holds a slash or sign that is none of a name.
    """
    if not _PROJECT.fullmatch(name):
        raise ApiError(422, "project_name", f"{name[:80]!r} cannot be the name of a project")
    return name


def check_run(name: str) -> str:
    """A run's id, as autolog makes them.

    Raises:
        ApiError: 422.
    """
    if not _RUN.fullmatch(name):
        raise ApiError(422, "run_id", f"{name[:80]!r} is no run id, such as 20261122-111134-537-9f3c2a81")
    return name


def check_user(name: str) -> str:
    """The name of a user.

    Raises:
        ApiError: 422: it is empty, too long, or has other signs than letters without accents, digits and ``._@+-``.
    """
    if not _USER.fullmatch(name):
        raise ApiError(
            422, "user_name", f"{name[:80]!r} cannot be a user's name: letters, digits and ._@+-, at most 64"
        )
    return name


def check_workspace(name: str) -> str:
    """The name of a workspace, which may be what a project's may be.

    Raises:
        ApiError: 422.
    """
    if not _PROJECT.fullmatch(name):
        raise ApiError(422, "workspace_name", f"{name[:80]!r} cannot be the name of a workspace")
    return name


def check_id(name: str) -> str:
    """The id of a token or share link, as the server makes them.

    Raises:
        ApiError: 404: none of that form was ever made.
    """
    if not _ID.fullmatch(name):
        raise ApiError(404, "not_found", f"there is nothing with the id {name[:40]!r}")
    return name


def check_journal(name: str) -> str:
    """The file name of a journal.

    Raises:
        ApiError: 422: it is none, or the one that the server writes itself.
    """
    if not _JOURNAL.fullmatch(name) or name == SERVER_EDITS:
        raise ApiError(422, "journal_name", f"{name[:80]!r} is no journal, such as journal.jsonl or system.jsonl")
    return name


def check_file(path: str) -> str:
    """The path of a file in a run's directory that is no journal.

    Raises:
        ApiError: 422: it leads out of the directory, is hidden, or is one that the server makes itself.
    """
    parts = path.split("/")
    fine = all(_PART.fullmatch(part) and part not in (".", "..") for part in parts) and not parts[0].startswith(".")
    if not fine or len(path.encode()) > _LONGEST_PATH or path in _OWN or _JOURNAL.fullmatch(path):
        raise ApiError(422, "file_path", f"{path[:80]!r} cannot be the path of a run's file")
    return path
