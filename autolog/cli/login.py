"""``autolog login``: keep a server's token in a file that only the user can read."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from autolog import credentials
from autolog.cli.errors import CommandError

__all__ = ["login"]


def login(
    url: Annotated[str, typer.Argument(help="The server's address, such as https://autolog.example.org.")],
    remove: Annotated[bool, typer.Option("--remove", help="Forget the token of this server.")] = False,
) -> None:
    """Store the token for a server; it is asked for, or read from standard input.

    Examples:
      autolog login http://127.0.0.1:8700
      autolog login --remove http://127.0.0.1:8700
    """
    if not url.startswith(("http://", "https://")):
        raise CommandError(f"{url!r} is no address of a server: it begins with http:// or https://", code=2)
    if remove:
        print(f"the token of {url} is {'forgotten' if credentials.forget(url) else 'not known here'}")
        return
    token = getpass.getpass(f"Token for {url}: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not token.strip():
        raise CommandError("no token was given", code=2)
    _try(url, token.strip())
    print(f"stored in {credentials.store_token(url, token.strip())}")


def _try(url: str, token: str) -> None:
    """Ask the server whether it knows the token.

    Raises:
        CommandError: it does not, or there is no autolog server.
    """
    import requests

    try:
        answer = requests.get(
            f"{url.rstrip('/')}/api/v1/me", headers={"Authorization": f"Bearer {token}"}, timeout=10,
            allow_redirects=False,
        )  # fmt: skip
    except requests.RequestException as error:
        raise CommandError(f"{url} cannot be reached: {error}") from None
    if answer.status_code == 401:
        raise CommandError(f"{url} does not know this token, or it has expired or was revoked")
    if answer.status_code != 200:
        raise CommandError(f"{url} answered {answer.status_code}: is this an autolog server?")
