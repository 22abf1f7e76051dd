"""The commands of ``autolog server``."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import sqlalchemy as sa
import typer

from autolog.cli.errors import CommandError
from autolog.server import access, database, tables
from autolog.server.service import service
from autolog.store.summary import iso

if TYPE_CHECKING:
    from autolog.server.access import Role

__all__ = ["application", "init", "revoke", "start", "token", "tokens"]

application = typer.Typer(
    add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    help="A server for the runs of several people and machines. Without a command: start.",
)  # fmt: skip

Data = Annotated[
    Path, typer.Option("--data", help="Data directory.", envvar="AUTOLOG_SERVER_DATA", show_default=True)
]  # fmt: skip
_DATA = Path("autolog-server")


@application.command()
def start(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0: any that is free.")] = 8700,
    data: Data = _DATA,
    compact_after: Annotated[
        float, typer.Option(help="Seconds after which a run that has ended is compacted to Parquet.")
    ] = 60.0,
) -> None:
    """Start the server.

    Examples:
      autolog server
      autolog server start --host 0.0.0.0 --data /srv/autolog
    """
    from autolog.server.serve import serve

    engine = _engine(data)
    with engine.connect() as connection:
        if connection.execute(sa.select(tables.users.c.name).limit(1)).one_or_none() is None:
            raise CommandError("nobody may use this server yet: `autolog server init` makes its first admin")
    serve(service(data.absolute(), engine), host, port, compact_after=compact_after)


@application.command()
def init(
    user: Annotated[str, typer.Argument(help="Name of the first admin.")] = "admin",
    data: Data = _DATA,
) -> None:
    """Make the data directory, the database and the first admin; print the admin's token, once.

    Examples:
      autolog server init
      autolog server init alice --data /srv/autolog
    """
    engine = _engine(data)
    with engine.begin() as connection:
        if connection.execute(sa.select(tables.users.c.name).limit(1)).one_or_none() is not None:
            raise CommandError(f"{data} has its users already; `autolog server token USER` makes another token")
        connection.execute(sa.insert(tables.users).values(name=user, admin=True, created_at=time.time()))
        made = access.issue_token(connection, user, "admin", label="init")
    typer.echo(f"The token of the admin {user}; it is shown only now:\n\n  {made}\n")
    typer.echo("Next: `autolog server`, and on each machine that trains `autolog login URL`.")


@application.command()
def token(  # noqa: PLR0917  a command's options are its arguments
    user: Annotated[str, typer.Argument(help="Whose it is; a user that is not there yet is made.")],
    role: Annotated[str, typer.Option(help="reader, writer or admin: the most it may do.")] = "writer",
    project: Annotated[str, typer.Option(help="The only project it is for.", show_default=False)] = "",
    days: Annotated[float | None, typer.Option(help="Until it expires.", show_default="never")] = None,
    label: Annotated[str, typer.Option(help="What it is for, in words.")] = "",
    data: Data = _DATA,
) -> None:
    """Make a token and print it, once.

    A user may write to the projects they have begun, and to those they are a member of: with --project they become one.

    Examples:
      autolog server token bob
      autolog server token ci --role writer --project vision --days 90
    """
    checked = _role(role)
    with _engine(data).begin() as connection:
        if connection.execute(sa.select(tables.users.c.name).where(tables.users.c.name == user)).first() is None:
            connection.execute(sa.insert(tables.users).values(name=user, admin=False, created_at=time.time()))
        if project:
            _join(connection, project, user, checked)
        typer.echo(access.issue_token(connection, user, checked, project=project or None, label=label, days=days))


@application.command()
def tokens(data: Data = _DATA) -> None:
    """List the tokens: ids, never the tokens themselves."""
    with _engine(data).connect() as connection:
        for row in connection.execute(sa.select(tables.tokens).order_by(tables.tokens.c.created_at)):
            end = "revoked" if row.revoked_at else f"until {iso(row.expires_at)}" if row.expires_at else "no end"
            typer.echo(f"{row.id}  {row.user_name}  {row.role}  {row.project or 'all projects'}  {end}  {row.label}")


@application.command()
def revoke(
    token_id: Annotated[str, typer.Argument(help="Its id, as `autolog server tokens` lists it.")],
    data: Data = _DATA,
) -> None:
    """End a token, at once.

    Examples:
      autolog server revoke 3f9a1c22
    """
    with _engine(data).begin() as connection:
        if not access.revoke_token(connection, token_id):
            raise CommandError(f"there is no valid token {token_id!r}; `autolog server tokens` lists them")
    typer.echo(f"{token_id} is revoked")


def _engine(data: Path) -> sa.Engine:
    os.umask(0o077)
    engine = database.connect(data)
    database.migrate(engine)
    return engine


def _role(name: str) -> Role:
    for role in access.ROLES:
        if name == role:
            return role
    raise CommandError(f"there is no role {name!r}; there are {', '.join(access.ROLES)}", code=2)


def _join(connection: sa.Connection, project: str, user: str, role: Role) -> None:
    mine = sa.and_(tables.members.c.project == project, tables.members.c.user_name == user)
    if connection.execute(sa.select(tables.members.c.role).where(mine)).first() is None:
        connection.execute(sa.insert(tables.members).values(project=project, user_name=user, role=role))
    if (
        connection.execute(sa.select(tables.projects.c.project).where(tables.projects.c.project == project)).first()
        is None
    ):
        connection.execute(sa.insert(tables.projects).values(project=project, created_at=time.time(), public=False))
