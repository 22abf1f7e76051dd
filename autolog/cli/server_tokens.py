"""``autolog server token``, ``tokens``, ``revoke``: for whoever has the server's own machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import sqlalchemy as sa
import typer

from autolog.cli.errors import CommandError
from autolog.cli.server_options import DATA, Data, Database, engine_of
from autolog.cli.server_users import said
from autolog.server import names, tables
from autolog.server.accounts import access, auditing, membership, users
from autolog.server.accounts.auditing import COMMAND_LINE
from autolog.server.accounts.rows import insert_once
from autolog.server.accounts.token_routes import check_days, note_made
from autolog.store.summary import iso

if TYPE_CHECKING:
    from autolog.server.accounts.access import Role

__all__ = ["COMMANDS", "revoke", "token", "tokens"]


def token(  # noqa: PLR0917  a command's options are its arguments
    user: Annotated[str, typer.Argument(help="Whose it is; a user that is not there yet is made.")],
    role: Annotated[str, typer.Option(help="reader, writer or admin: the most it may do.")] = "writer",
    project: Annotated[str, typer.Option(help="The only project it is for.", show_default=False)] = "",
    days: Annotated[float | None, typer.Option(help="Until it expires.", show_default="never")] = None,
    label: Annotated[str, typer.Option(help="What it is for, in words.")] = "",
    data: Data = DATA,
    database: Database = "",
) -> None:
    """Make a token and print it, once.

    A user may write to the projects they have begun, and to those they are a member of: with --project they become one.

    Examples:
      autolog server token bob
      autolog server token ci --role writer --project vision --days 90
    """
    checked = _role(role)
    with said(), engine_of(data, database).begin() as connection:
        check_days(days)
        if connection.execute(sa.select(tables.users.c.name).where(tables.users.c.name == user)).first() is None:
            users.add(connection, COMMAND_LINE, user)
        if project:
            _join(connection, names.check_project(project), user, checked)
        made = access.issue_token(connection, user, checked, project=project or None, label=label, days=days)
        note_made(connection, COMMAND_LINE, made)
    typer.echo(made)


def tokens(data: Data = DATA, database: Database = "") -> None:
    """List the tokens: ids, never the tokens themselves."""
    with engine_of(data, database).connect() as connection:
        for row in connection.execute(sa.select(tables.tokens).order_by(tables.tokens.c.created_at)):
            end = "revoked" if row.revoked_at else f"until {iso(row.expires_at)}" if row.expires_at else "no end"
            typer.echo(f"{row.id}  {row.user_name}  {row.role}  {row.project or 'all projects'}  {end}  {row.label}")


def revoke(
    token_id: Annotated[str, typer.Argument(help="Its id, as `autolog server tokens` lists it.")],
    data: Data = DATA,
    database: Database = "",
) -> None:
    """End a token, at once, and those that were made with it.

    Examples:
      autolog server revoke 3f9a1c22
    """
    with engine_of(data, database).begin() as connection:
        if not access.revoke_token(connection, token_id):
            raise CommandError(f"there is no valid token {token_id!r}; `autolog server tokens` lists them")
        auditing.note(connection, COMMAND_LINE, "token_revoked", subject=token_id)
    typer.echo(f"{token_id} is revoked")


def _role(name: str) -> Role:
    for role in access.ROLES:
        if name == role:
            return role
    raise CommandError(f"there is no role {name!r}; there are {', '.join(access.ROLES)}", code=2)


def _join(connection: sa.Connection, project: str, user: str, role: Role) -> None:
    """Make a user a member, if they are none; and the project, if there is none."""
    if insert_once(connection, tables.projects, project=project, created_at=time.time(), public=False):
        auditing.note(connection, COMMAND_LINE, "project_begun", project=project, subject=project)
    mine = sa.and_(tables.members.c.project == project, tables.members.c.user_name == user)
    if connection.execute(sa.select(tables.members.c.role).where(mine)).first() is None:
        membership.join(connection, COMMAND_LINE, membership.of_project(project), user, role)


COMMANDS: dict[str, Callable[..., None]] = {"token": token, "tokens": tokens, "revoke": revoke}
"""Under their names, for the application."""
