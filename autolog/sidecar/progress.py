"""``delivery.json``: where the record of a run is to go, and how far it has got there."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from autolog.journal import is_system, journals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autolog.config import Settings

__all__ = [
    "FILE",
    "State",
    "addressed",
    "begin",
    "forget",
    "keep",
    "remote",
    "states",
    "target",
    "undelivered",
    "whole_size",
]

FILE = "delivery.json"


class State(msgspec.Struct):
    """How far one backend has got."""

    journals: dict[str, int] = {}
    """Acknowledged bytes by journal."""
    error: str = ""
    """Why the last try failed; empty when it did not."""
    done: bool = False
    """The run has ended and everything was acknowledged."""
    target: str = ""
    """Where it is sent to; what another server has acknowledged says nothing of this one."""
    spool: bool = False
    """The directory goes once all backends have everything: ``local`` is not among them."""
    refused: str = ""
    """Why the backend will never take the rest."""
    lost: dict[str, int] = {}
    """Records that it will never have, by the reason why."""
    changed: dict[str, int] = {}
    """Values that it could not keep as they are, by what became of them."""
    lost_assets: dict[str, str] = {}
    """Assets that it will never have, and why, by path."""
    doing: str = ""
    """What it is sending that takes long."""


def remote(settings: Settings) -> list[str]:
    """The backends that something has to be sent to."""
    return [name for name in settings.backend if name != "local"]


def target(name: str, settings: Settings) -> str:
    """Where a backend sends to, without the secrets that an address may hold."""
    address = settings.url
    if name == "mlflow":
        alone = "http" not in settings.backend
        address = settings.mlflow_uri or (settings.url if alone else "") or os.environ.get("MLFLOW_TRACKING_URI", "")
    return re.sub(r"//[^/@]*@", "//", address.partition("?")[0]).rstrip("/")


def addressed(directory: Path, settings: Settings) -> Settings:
    """The settings with which a run is delivered.

    Args:
        directory: the run's.
        settings: those given; where they name no backend but ``local``, it is the run's own that count, with the
            addresses that were noted when it began.
    """
    noted = {} if remote(settings) else states(directory)
    if not noted:
        return settings
    backend = [*([] if any(state.spool for state in noted.values()) else ["local"]), *noted]
    address = {key: noted[name].target for key, name in (("url", "http"), ("mlflow_uri", "mlflow")) if name in noted}
    return msgspec.structs.replace(settings, backend=backend, **address)


def states(directory: Path) -> dict[str, State]:
    """What ``delivery.json`` of a run says, by backend; empty where it is missing or damaged (then all is resent)."""
    try:
        return msgspec.json.decode((directory / FILE).read_bytes(), type=dict[str, State])
    except (OSError, msgspec.DecodeError):
        return {}


def keep(directory: Path, known: Mapping[str, State]) -> None:
    """Write ``delivery.json``; it is whole at any moment. Not into a directory that is gone."""
    if not directory.is_dir():
        return
    temporary = directory / f".{FILE}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(msgspec.json.encode(known))
        temporary.replace(directory / FILE)
    finally:
        temporary.unlink(missing_ok=True)


def begin(directory: Path, settings: Settings) -> None:
    """Note where the record of a new run is to go, so that it gets there whatever happens to its sidecar.

    A run that is continued has such a note.
    """
    wanted = remote(settings)
    if wanted and not (directory / FILE).exists():
        spool = "local" not in settings.backend
        keep(directory, {name: State(target=target(name, settings), spool=spool) for name in wanted})


def forget(directory: Path, names: list[str], settings: Settings) -> None:
    """Begin from nothing with some backends of a run that has ended: what they have already is compared."""
    known = states(directory)
    fresh = {name: State(target=target(name, settings), spool=name in known and known[name].spool) for name in names}
    keep(directory, {**known, **fresh})


def undelivered(directory: Path, names: list[str], *, samples: bool = False) -> dict[str, int]:
    """The backends that have not acknowledged everything, and how many bytes each lacks.

    Args:
        directory: the run's. One that is gone was delivered.
        names: the backends.
        samples: count the sidecar's own journals too, which grow on and on while a run goes on.
    """
    sizes = {path.name: whole_size(path) for path in journals(directory) if samples or not is_system(path.name)}
    known = states(directory)
    left = {
        name: sum(max(0, size - known[name].journals.get(file, 0)) for file, size in sizes.items())
        if name in known
        else sum(sizes.values())
        for name in names
    }
    return {name: count for name, count in left.items() if count}


def whole_size(path: Path) -> int:
    """Bytes of a journal up to its last whole line: what a kill has torn off is no record, and is never sent."""
    with path.open("rb") as file:
        size = at = file.seek(0, os.SEEK_END)
        while at:
            begin = max(0, at - 4096 if at == size else at - (1 << 20))
            file.seek(begin)
            found = file.read(at - begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            at = begin
    return 0
