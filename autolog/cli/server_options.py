"""What the commands of ``autolog server`` have in common: where the data is, and how to get at it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from autolog.cli.errors import CommandError
from autolog.server import database
from autolog.server.limits import Limits, from_environment
from autolog.server.service import Service, service
from autolog.server.storage.storing import StorageError

__all__ = ["DATA", "Assets", "Data", "Database", "engine_of", "limits", "service_of"]

Data = Annotated[
    Path, typer.Option("--data", help="Data directory.", envvar="AUTOLOG_SERVER_DATA", show_default=True)
]  # fmt: skip
DATA = Path("autolog-server")
Database = Annotated[
    str,
    typer.Option(
        "--database", help="URL of a PostgreSQL database, such as postgresql://user@host/name; give it with --assets.",
        envvar="AUTOLOG_SERVER_DATABASE", show_default="SQLite in the data directory",
    ),
]  # fmt: skip
Assets = Annotated[
    str,
    typer.Option(
        "--assets", help="s3://bucket/prefix for files; the server then keeps nothing of its own.",
        envvar="AUTOLOG_SERVER_ASSETS", show_default="the data directory",
    ),
]  # fmt: skip


def engine_of(data: Path, url: str = "") -> sa.Engine:
    """The database, brought to this version's schema.

    Raises:
        CommandError: it cannot be used; the message has no password.
    """
    os.umask(0o077)
    try:
        engine = database.connect(data, url)
        database.migrate(engine)
    except database.DatabaseError as error:
        raise CommandError(str(error)) from None
    return engine


def limits() -> Limits:
    """The server's limits, as the variables ``AUTOLOG_SERVER_…`` say.

    Raises:
        CommandError: one of them says nothing that it can.
    """
    try:
        return from_environment(os.environ)
    except ValueError as error:
        raise CommandError(str(error), code=2) from None


def service_of(data: Path, engine: sa.Engine, assets: str = "", most: Limits | None = None) -> Service:
    """All that a server has, for a command that works with the runs.

    Raises:
        CommandError: the settings do not go together.
    """
    try:
        return service(data.absolute(), engine, most or Limits(), assets=assets)
    except StorageError as error:
        raise CommandError(str(error)) from None
