"""``autolog login`` and ``logout``: a server's token in a file that only the user can read."""

from __future__ import annotations

import getpass
import socket
import sys
from typing import Annotated, Any

import typer

from autolog import config, credentials
from autolog.cli.errors import CommandError

__all__ = ["login", "logout"]

_INVITATION = "autolog_invitation_"


def login(
    url: Annotated[str, typer.Argument(help="The server's address, such as https://autolog.example.org.")],
    user: Annotated[
        str, typer.Option("--user", "-u", help="Sign in with this user's password, which makes a token.")
    ] = "",
    remove: Annotated[bool, typer.Option("--remove", help="Forget the token, as `autolog logout` does.")] = False,
) -> None:
    """Store the token for a server; it is asked for, or read from standard input.

    An invitation can be pasted as well: then a password is asked for, and set. The token is kept in a file that
    only you can read.

    Examples:
      autolog login http://127.0.0.1:8700
      autolog login -u alice https://autolog.example.org
    """
    if remove:
        logout(url)
        return
    _check(url)
    if user:
        token = _by_password(url, user, _asked(f"Password of {user}: "))
    else:
        token = _asked(f"Token for {url}: ")
        if token.startswith(_INVITATION):
            token = _invited(url, token)
        _try(url, token)
    try:
        print(f"stored in {credentials.store_token(url, token)}")
    except OSError as error:
        raise CommandError(f"the token cannot be stored: {error}") from None


def logout(
    url: Annotated[str, typer.Argument(help="The server's address.")],
) -> None:
    """Forget the token of a server. On the server it stays valid: end it there, if somebody else may know it.

    Examples:
      autolog logout http://127.0.0.1:8700
    """
    _check(url)
    try:
        print(f"the token of {url} is {'forgotten' if credentials.forget(url) else 'not known here'}")
    except OSError as error:
        raise CommandError(f"the token cannot be forgotten: {error}") from None


def _check(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise CommandError(f"{url!r} is no address of a server: it begins with http:// or https://", code=2)


def _asked(question: str) -> str:
    """What is typed unseen, or the next line of standard input.

    Raises:
        CommandError: nothing.
    """
    answer = (getpass.getpass(question) if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not answer:
        raise CommandError(f"nothing was given for {question.rstrip(': ')!r}", code=2)
    return answer


def _by_password(url: str, user: str, password: str) -> str:
    """A token of the user's own, made with their password."""
    import requests

    with requests.Session() as session:
        signed_in = _ask(session, url, "POST", "session", {"user": user, "password": password})
        csrf = str(signed_in["csrf"])
        label = f"autolog login on {socket.gethostname()}"[:200]
        made = _ask(session, url, "POST", "me/tokens", {"role": "writer", "label": label}, X_CSRF_Token=csrf)
        _ask(session, url, "DELETE", "session", X_CSRF_Token=csrf)
    return str(made["token"])


def _invited(url: str, secret: str) -> str:
    """The token of somebody who was invited, and has no password yet."""
    import requests

    password = _asked("A password of 10 characters or more: ")
    if sys.stdin.isatty() and getpass.getpass("Again: ") != password:
        raise CommandError("these were two different passwords; the invitation is still good")
    with requests.Session() as session:
        user = _ask(session, url, "POST", "invitations", {"secret": secret, "password": password})["user"]
    print(f"{user} has this password now")
    return _by_password(url, user, password)


def _try(url: str, token: str) -> None:
    """Ask the server whether it knows the token.

    Raises:
        CommandError: it does not, or there is no autolog server.
    """
    import requests

    with requests.Session() as session:
        _ask(session, url, "GET", "me", Authorization=f"Bearer {token}")


def _ask(
    session: Any, url: str, method: str, path: str, body: dict[str, str] | None = None, **headers: str
) -> dict[str, Any]:
    """One request, with headers whose names have ``_`` for ``-``; the answer.

    Raises:
        CommandError: it was refused, or there is no autolog server.
    """
    import requests

    from autolog.backends.http_trouble import why

    try:
        answer = session.request(
            method, f"{url.rstrip('/')}/api/v1/{path}", json=body, timeout=10, allow_redirects=False,
            verify=config.load().ca_bundle or None,  # as the backend http does
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            auth=lambda request: request,  # or a ~/.netrc that knows the host would take the header's place
        )  # fmt: skip
        told = answer.json() if answer.content else {}
    except requests.JSONDecodeError:
        raise CommandError(f"{url} answered {answer.status_code}, and no JSON: is this an autolog server?") from None
    except requests.RequestException as error:
        raise CommandError(why(url, error)) from None
    if answer.status_code == 401:
        raise CommandError(f"{url} does not know this, or it has expired or was revoked")
    if answer.status_code != 200 or not isinstance(told, dict):
        said = told.get("error") if isinstance(told, dict) else None
        reason = said.get("message") if isinstance(said, dict) else "is this an autolog server?"
        raise CommandError(f"{url} answered {answer.status_code}: {reason}")
    return told
