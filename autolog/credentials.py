"""Tokens for servers, in a file private to the user: ``autolog login URL`` writes it, the sidecar reads it."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

__all__ = ["credentials_file", "forget", "store_token", "token_for"]


def credentials_file() -> Path:
    """``$XDG_CONFIG_HOME/autolog/credentials.json``, by default below ``~/.config``."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "autolog" / "credentials.json"


def token_for(url: str) -> str:
    """The token stored for a server; empty without one.

    Raises:
        PermissionError: others than the user may read the file: the token may be known, and must not be used quietly.
    """
    path = credentials_file()
    if not path.is_file():
        return ""
    if path.stat().st_mode & 0o077:
        raise PermissionError(
            f"{path} can be read by others: `chmod 600 {path}`, and get a new token if it may be known"
        )
    return _read(path).get(_key(url), "")


def store_token(url: str, token: str) -> Path:
    """Keep a token for a server.

    Returns:
        The file, which only the user can read.
    """
    path = credentials_file()
    _write(path, {**(_read(path) if path.is_file() else {}), _key(url): token})
    return path


def forget(url: str) -> bool:
    """Remove the token of a server; whether there was one."""
    path = credentials_file()
    known = _read(path) if path.is_file() else {}
    if known.pop(_key(url), None) is None:
        return False
    _write(path, known)
    return True


def _key(url: str) -> str:
    return url.strip().rstrip("/").lower()


def _read(path: Path) -> dict[str, str]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, str])


def _write(path: Path, tokens: dict[str, str]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(msgspec.json.encode(tokens))
    temporary.replace(path)
