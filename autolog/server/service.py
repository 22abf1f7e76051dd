"""What every request of one server needs: its settings, database and data directory."""

from __future__ import annotations

from pathlib import Path

import msgspec
import sqlalchemy as sa

__all__ = ["Limits", "Service"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The most that is taken. Each has a sentence in docs/server.md."""

    chunk: int = 8 << 20
    """Bytes of journal lines in one request, unpacked."""
    line: int = 4 << 20
    """Bytes of one record."""
    file: int = 64 << 20
    """Bytes of a file in one request; a larger file is sent in pieces."""
    body: int = 1 << 20
    """Bytes of any other request."""


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One server."""

    data: Path
    """The data directory, which is a runs directory."""
    engine: sa.Engine
    limits: Limits = Limits()
