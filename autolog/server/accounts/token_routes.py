"""Routes of one's own tokens. What a token makes is never stronger than itself, nor lives longer."""

from __future__ import annotations

import math
import time
from typing import Any

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from autolog.server import names, tables
from autolog.server.accounts import access, auditing
from autolog.server.accounts.access import Principal
from autolog.server.accounts.auditing import Origin, origin_of
from autolog.server.accounts.shapes import Done, NewToken, TokenItem, TokenList, TokenMade
from autolog.server.errors import ApiError
from autolog.server.http.endpoint import Endpoint, answer, decoded
from autolog.server.http.requests import asking, in_thread, service_of

__all__ = ["ENDPOINTS", "check_days", "create", "mine", "note_made", "revoke"]

_LONGEST = 36_500
_TOKENS = tables.tokens.c


def check_days(days: float | None) -> float | None:
    """How long something may live.

    Raises:
        ApiError: 422: it would be over at once, or never.
    """
    if days is not None and not (math.isfinite(days) and 0 < days <= _LONGEST):
        raise ApiError(422, "days", f"days must be more than 0 and at most {_LONGEST}; left out: no end")
    return days


async def mine(request: Request) -> Response:
    """The tokens of the user that are valid; with a token of one project, those of that project."""
    who, engine = access.person(await asking(request)), service_of(request).engine

    def listed() -> list[TokenItem]:
        with engine.connect() as connection:
            rows = connection.execute(sa.select(tables.tokens).where(*_own(who)).order_by(_TOKENS.created_at))
            return [TokenItem(**_item(row)) for row in rows.mappings()]

    return answer(TokenList(tokens=await in_thread(listed)))


def _own(who: Principal) -> list[sa.ColumnElement[bool]]:
    valid = sa.or_(_TOKENS.expires_at.is_(None), _TOKENS.expires_at > time.time())
    own = [_TOKENS.user_name == who.user, _TOKENS.revoked_at.is_(None), valid]
    return own if who.only is None else [*own, _TOKENS.project == who.only]


def _item(row: sa.RowMapping) -> dict[str, Any]:
    return {name: row[name] for name in TokenItem.__struct_fields__}


async def create(request: Request) -> Response:
    """Make a token. What is left out is as with the token that makes it: its project, its end."""
    who, engine = access.person(await asking(request)), service_of(request).engine
    given = await decoded(request, NewToken)
    _check(who, given)
    made = await in_thread(_create, engine, who, origin_of(request, who), given)
    response = answer(made)
    response.headers["Cache-Control"] = "no-store"
    return response


def _check(who: Principal, given: NewToken) -> None:
    """Let nobody make what is stronger than themselves.

    Raises:
        ApiError: 403 or 404: it would be; 422: the project or days are none.
    """
    check_days(given.days)
    if not access.suffices(who.most, given.role):
        raise ApiError(403, "forbidden", f"a token of the role {who.most} makes none of the role {given.role}")
    if given.project is not None:
        names.check_project(given.project)
        access.require(who, given.project, given.role)
    if given.days is not None and who.ends_at is not None and time.time() + 86400 * given.days > who.ends_at:
        raise ApiError(403, "forbidden", "a token makes none that lives longer than itself")


def _create(engine: sa.Engine, who: Principal, origin: Origin, given: NewToken) -> TokenMade:
    days = given.days
    if days is None and who.ends_at is not None:
        days = (who.ends_at - time.time()) / 86400
    project = given.project or who.only
    with engine.begin() as connection:
        token = access.issue_token(
            connection, who.user, given.role, project=project, label=given.label, days=days, made_by=who.token
        )
        row = note_made(connection, origin, token)
    return TokenMade(**_item(row), token=token)


def note_made(connection: sa.Connection, origin: Origin, token: str) -> sa.RowMapping:
    """Tell the audit log of a token that was made in this transaction.

    Returns:
        The token's row.
    """
    row = connection.execute(sa.select(tables.tokens).where(_TOKENS.hash == access.hashed(token))).mappings().one()
    auditing.note(
        connection, origin, "token_made", project=row["project"] or "", subject=row["id"], user=row["user_name"],
        role=row["role"], label=row["label"], expires_at=row["expires_at"],
    )  # fmt: skip
    return row


async def revoke(request: Request) -> Response:
    """End a token, and what was made with it. A token that is no admin's ends only itself and what it has made."""
    who, engine = access.person(await asking(request)), service_of(request).engine
    wanted, origin = names.check_id(request.path_params["token"]), origin_of(request, who)

    def done() -> None:
        own = _own(who)
        if who.most != "admin":
            own.append(sa.or_(_TOKENS.id == who.token, _TOKENS.made_by == who.token))
        with engine.begin() as connection:
            found = connection.execute(sa.select(tables.tokens).where(_TOKENS.id == wanted, *own)).one_or_none()
            if found is None or not access.revoke_token(connection, found.id):
                raise ApiError(404, "not_found", f"there is no valid token {wanted} of yours")
            auditing.note(connection, origin, "token_revoked", project=found.project or "", subject=found.id)

    await in_thread(done)
    return answer(Done())


_PATH = "/api/v1/me/tokens"
ENDPOINTS = [
    Endpoint("GET", _PATH, mine, "One's own tokens.", gives=TokenList),
    Endpoint(
        "POST", _PATH, create, "Make a token; it is told once.", takes=NewToken, gives=TokenMade,
        errors=(400, 413, 415, 422),
    ),
    Endpoint("DELETE", f"{_PATH}/{{token}}", revoke, "End a token.", gives=Done),
]  # fmt: skip
