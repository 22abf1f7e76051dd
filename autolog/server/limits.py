"""The most that a server takes and gives, and how long it keeps what was deleted. Each is a setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

__all__ = ["PREFIX", "Limits", "from_environment"]

PREFIX = "AUTOLOG_SERVER_"
"""Before the name of a limit, in capitals, in the environment."""

_Count = Annotated[int, msgspec.Meta(ge=1)]
_Amount = Annotated[float, msgspec.Meta(ge=0)]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The most that is taken. Each has a line in docs/server.md; in all of them that may be 0, 0 is without a limit."""

    chunk: _Count = 8 << 20
    """Bytes of journal lines in one request, unpacked."""
    line: _Count = 4 << 20
    """Bytes of one record."""
    file: _Count = 64 << 20
    """Bytes of a file in one request; a larger file is sent in pieces."""
    body: _Count = 1 << 20
    """Bytes of any other request."""
    body_rate: _Amount = 4096
    """Bytes a second that a body must come with, once half a minute has passed."""
    address: _Count = 16 << 10
    """Bytes of a request's path and query."""
    headers: _Count = 32 << 10
    """Bytes of a request's headers."""
    runs: _Count = 1000
    """Runs that one request may change."""
    user_rate: _Amount = 200
    """Requests a second of one token or session; ten seconds' worth may come at once."""
    peer_rate: _Amount = 1000
    """The same of one address."""
    ingest_rate: _Amount = 5000
    """Requests a second of one address that deliver runs: counted apart."""
    undo_days: _Amount = 7
    """Days for which a deleted run can be brought back."""
    quota_bytes: _Amount = 0
    """Bytes that a project may hold, where it has no quota of its own."""
    quota_runs: _Amount = 0
    """Runs that a project may hold, where it has no quota of its own."""
    retention_days: _Amount = 0
    """Days after its end that a run is deleted, where its project says nothing else."""


def from_environment(variables: Mapping[str, str]) -> Limits:
    """The limits, as the variables ``AUTOLOG_SERVER_…`` say.

    Raises:
        ValueError: one of them is no such number; the message names it.
    """
    limits = Limits()
    for field in msgspec.structs.fields(Limits):
        name = PREFIX + field.name.upper()
        if name in variables:
            try:
                value = msgspec.convert(variables[name], field.type, strict=False)
            except msgspec.ValidationError as error:
                raise ValueError(f"{name}={variables[name]!r}: {error}") from None
            limits = msgspec.structs.replace(limits, **{field.name: value})
    return limits
