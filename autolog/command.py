"""Whether this process is the command ``autolog``: nothing is to be recorded in it."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["IS_COMMAND", "public"]

_HOMES = ("api", "config", "current", "plugins", "run")
"""Modules of the public names."""


def _is_command() -> bool:
    """Told by how Python was started: as ``python -m autolog.cli``, or with the script that pip has made."""
    words = iter(sys.orig_argv[1:])
    for word in words:
        if word == "-m":
            return next(words, "") == "autolog.cli"
        if word in ("-X", "-W"):
            next(words, "")
        elif not word.startswith("-"):
            break
    script = (getattr(sys, "argv", None) or [""])[0]
    if script.rpartition("/")[2] != "autolog":
        return False
    try:
        with open(script, "rb") as file:  # noqa: PTH123  pathlib takes longer to import than this is allowed to
            return b"autolog.cli" in file.read(1000)
    except OSError:
        return False


IS_COMMAND = _is_command()


def public(name: str) -> Any:
    """A public name of autolog's, for plugins that the command has loaded."""
    from importlib import import_module

    homes = (import_module(f"autolog.{home}") for home in _HOMES)
    return next(getattr(home, name) for home in homes if name in getattr(home, "__all__", ()))
