"""``autolog server init``, ``users``, ``add-user`` …: for whoever has the server's own machine."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import sqlalchemy as sa
import typer

from autolog.cli.errors import CommandError
from autolog.cli.server_options import DATA, Data, Database, engine_of
from autolog.server import tables
from autolog.server.accounts import access, passwords, users
from autolog.server.accounts.auditing import COMMAND_LINE
from autolog.server.accounts.shapes import Invitation, UserChange
from autolog.server.accounts.token_routes import note_made
from autolog.server.errors import ApiError
from autolog.store.summary import iso

__all__ = ["COMMANDS", "add_user", "admin", "disable", "enable", "init", "reset_password", "said", "users_command"]

User = Annotated[str, typer.Argument(help="Name of the user.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read a password from standard input.")]


@contextmanager
def said() -> Iterator[None]:
    """What the server would have answered is what the command says."""
    try:
        yield
    except ApiError as error:
        raise CommandError(error.message) from None


def _password(user: str, *, from_stdin: bool, needed: bool) -> str:
    """The password that is wanted; empty: none.

    Raises:
        CommandError: it cannot be one, or was mistyped.
    """
    if from_stdin:
        password = sys.stdin.readline().rstrip("\n")
    elif sys.stdin.isatty():
        optional = "" if needed else " (empty: none, the token will do)"
        password = getpass.getpass(f"Password for {user}{optional}: ")
        if password and getpass.getpass("Again: ") != password:
            raise CommandError("these were two different passwords; nothing was changed")
    else:
        password = ""
    if not password and (needed or from_stdin):
        raise CommandError("no password was given: type one, or send it with --password-stdin", code=2)
    if password:
        with said():
            passwords.check(password, user)
    return password


def _say_invitation(made: Invitation) -> None:
    typer.echo(f"The invitation of {made.user}, for one use until {iso(made.expires_at)}; it is shown only now:\n")
    typer.echo(f"  {made.secret}\n")
    typer.echo(
        f"With it {made.user} sets a password: in a browser, where it follows the server's address (URL/invitation#…), "
        "or by `autolog login URL`, where it is pasted as if it were a token."
    )


def init(
    user: Annotated[str, typer.Argument(help="Name of the first admin.")] = "admin",
    password_stdin: PasswordStdin = False,
    data: Data = DATA,
    database: Database = "",
) -> None:
    """Make the data directory, the database and the first admin; print the admin's token, once.

    At a terminal it asks for a password, to sign in with in the browser; the token serves there as well.

    Examples:
      autolog server init
      autolog server init alice --data /srv/autolog
    """
    engine = engine_of(data, database)
    with engine.connect() as connection:
        if connection.execute(sa.select(tables.users.c.name).limit(1)).one_or_none() is not None:
            raise CommandError("this server has its users already; `autolog server token USER` makes another token")
    password = _password(user, from_stdin=password_stdin, needed=False)
    with said(), engine.begin() as connection:
        users.add(connection, COMMAND_LINE, user, admin=True)
        if password:
            users.set_password(connection, COMMAND_LINE, user, passwords.make(password))
        made = access.issue_token(connection, user, "admin", label="init")
        note_made(connection, COMMAND_LINE, made)
    typer.echo(f"The token of the admin {user}; it is shown only now:\n\n  {made}\n")
    typer.echo("Next: `autolog server`, and on each machine that trains `autolog login URL`.")


def users_command(data: Data = DATA, database: Database = "") -> None:
    """List the users."""
    with engine_of(data, database).connect() as connection:
        for each in users.listed(connection):
            words = [
                "admin" if each.admin else "", "disabled" if each.disabled else "",
                "password" if each.password else "no password",
            ]  # fmt: skip
            typer.echo(f"{each.name}  since {iso(each.created_at)}  {', '.join(word for word in words if word)}")


def add_user(
    user: User,
    admin: Annotated[bool, typer.Option("--admin", help="An admin of the server.")] = False,
    password_stdin: PasswordStdin = False,
    data: Data = DATA,
    database: Database = "",
) -> None:
    """Make a user, and print an invitation by which they set a password; with --password-stdin set it now.

    Examples:
      autolog server add-user bob
    """
    engine = engine_of(data, database)
    password = _password(user, from_stdin=True, needed=True) if password_stdin else ""
    made = None
    with said(), engine.begin() as connection:
        users.add(connection, COMMAND_LINE, user, admin=admin)
        if password:
            users.set_password(connection, COMMAND_LINE, user, passwords.make(password))
        else:
            made = users.invite(connection, COMMAND_LINE, user)
    if made is None:
        typer.echo(f"{user} has a password")
    else:
        _say_invitation(made)


def reset_password(
    user: User,
    password_stdin: PasswordStdin = False,
    invite: Annotated[bool, typer.Option("--invite", help="Print an invitation, by which the user sets it.")] = False,
    data: Data = DATA,
    database: Database = "",
) -> None:
    """Set the password of a user; their sessions end.

    Examples:
      autolog server reset-password bob --invite
    """
    engine = engine_of(data, database)
    with said(), engine.connect() as connection:
        users.user(connection, user)
    if invite:
        with said(), engine.begin() as connection:
            made = users.invite(connection, COMMAND_LINE, user)
        _say_invitation(made)
        return
    stored = passwords.make(_password(user, from_stdin=password_stdin, needed=True))
    with engine.begin() as connection:
        users.set_password(connection, COMMAND_LINE, user, stored)
    typer.echo(f"{user} has a new password")


def disable(user: User, data: Data = DATA, database: Database = "") -> None:
    """Shut a user out: their tokens and sessions end at once. What they have recorded stays."""
    _change(user, UserChange(disabled=True), data, database)
    typer.echo(f"{user} is disabled")


def enable(user: User, data: Data = DATA, database: Database = "") -> None:
    """Let a disabled user in again, with their password or a new token."""
    _change(user, UserChange(disabled=False), data, database)
    typer.echo(f"{user} is enabled")


def admin(
    user: User,
    remove: Annotated[bool, typer.Option("--remove", help="They are no admin any more.")] = False,
    data: Data = DATA,
    database: Database = "",
) -> None:
    """Make a user an admin of the server."""
    _change(user, UserChange(admin=not remove), data, database)
    typer.echo(f"{user} is {'no' if remove else 'an'} admin of the server")


def _change(user: str, change: UserChange, data: Data, database: str) -> None:
    with said(), engine_of(data, database).begin() as connection:
        users.change(connection, COMMAND_LINE, user, change)


COMMANDS: dict[str, Callable[..., None]] = {
    "init": init, "users": users_command, "add-user": add_user, "reset-password": reset_password,
    "disable": disable, "enable": enable, "admin": admin,
}  # fmt: skip
"""Under their names, for the application."""
