"""``autolog server backup``, ``restore``, ``check``, ``reindex``: for whoever has the server's own machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from autolog.cli.errors import CommandError
from autolog.cli.server_options import DATA, Assets, Data, Database, engine_of, service_of
from autolog.server.upkeep import backup as backups
from autolog.server.upkeep import checking

__all__ = ["COMMANDS", "backup", "check", "reindex", "restore"]

_ELSEWHERE = (
    "this server keeps its runs in PostgreSQL and S3, which have backups of their own: `pg_dump` of the database, and "
    "versions or a copy of the bucket, the database first"
)


def backup(
    folder: Annotated[Path, typer.Argument(help="Folder of backups; each is a snapshot in it.")],
    keep: Annotated[int, typer.Option(min=0, help="Delete all but the newest so many; 0: none.")] = 0,
    data: Data = DATA,
    database: Database = "",
) -> None:
    """Back up the data directory, also while the server runs. What has not changed is not copied again.

    Examples:
      autolog server backup /mnt/backup/autolog --keep 14
    """
    if database:
        raise CommandError(_ELSEWHERE)
    os.umask(0o077)
    try:
        made, about = backups.backup(data, folder, keep)
    except backups.BackupError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"the backup failed, the ones before are as they were: {error}") from None
    typer.echo(f"{made}: {about.files} files, {about.bytes} bytes, of which {about.copied} are new")


def restore(
    source: Annotated[Path, typer.Argument(help="A folder of backups, or one snapshot in it.")],
    data: Data = DATA,
    database: Database = "",
) -> None:
    """Make a data directory of a backup. It must not be there yet.

    Clients that have sent more since then find that out, and send it again.

    Examples:
      autolog server restore /mnt/backup/autolog --data /srv/autolog-2
      autolog server restore /mnt/backup/autolog/20261124-040000 --data /srv/autolog-2
    """
    if database:
        raise CommandError(_ELSEWHERE)
    os.umask(0o077)
    try:
        taken = backups.restore(source, data)
    except backups.BackupError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"it cannot be restored, nothing was changed: {error}") from None
    typer.echo(f"{data} is {taken}; `autolog server check --data {data}` looks at all of it")


def check(
    data: Data = DATA,
    database: Database = "",
    assets: Assets = "",
    quick: Annotated[bool, typer.Option("--quick", help="Do not read every file to compare its hash.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Make the index anew where it differs.")] = False,
) -> None:
    """Look whether journals, files and index are as they should be. Exit code 1: something is lost or damaged.

    Examples:
      autolog server check --data /srv/autolog
      autolog server check --repair
    """
    service = service_of(_there(data, database), engine_of(data, database), assets)
    serious = found = 0
    for one in checking.check(service, hashes=not quick, repair=repair):
        found += 1
        serious += one.serious and not one.repaired
        typer.echo(f"{one.place}: {one.problem}{' (repaired)' if one.repaired else ''}")
    if serious:
        raise CommandError(f"{serious} problems; what is lost here may still be with its client: `autolog sync` there")
    typer.echo("all is well" if not found else f"nothing is lost; {found} remarks")


def reindex(data: Data = DATA, database: Database = "", assets: Assets = "") -> None:
    """Make the index anew from the journals, also while the server runs.

    Examples:
      autolog server reindex --data /srv/autolog
    """
    service = service_of(_there(data, database), engine_of(data, database), assets)
    typer.echo(f"{checking.reindex(service)} runs")


def _there(data: Path, database: str) -> Path:
    if not database and not (data / "server.sqlite").is_file():
        raise CommandError(f"{data} is no data directory of a server; --data says which is")
    return data


COMMANDS: dict[str, Callable[..., None]] = {
    "backup": backup, "restore": restore, "check": check, "reindex": reindex,
}  # fmt: skip
