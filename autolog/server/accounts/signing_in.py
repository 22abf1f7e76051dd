"""Signing in and out: a browser's session, for a password, a token or a share link."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from autolog.server import tables
from autolog.server.accounts import access, auditing, passwords, sessions, throttling
from autolog.server.accounts.access import Principal, hashed
from autolog.server.accounts.hashing import hash_of, is_right
from autolog.server.accounts.identify import SHARE_PREFIX, by_secret, by_session
from autolog.server.accounts.shapes import Done, Session, Shared, SignIn
from autolog.server.errors import ApiError
from autolog.server.http import crossing, peers
from autolog.server.http.endpoint import Endpoint, answer, decoded
from autolog.server.http.requests import credentials, in_thread, service_of

__all__ = ["ENDPOINTS", "session", "sign_in", "sign_out"]


class _Claim(NamedTuple):
    """Somebody who wants to sign in, and whether they may."""

    right: bool
    user: str = ""
    """Empty where there is no such user."""
    token: str | None = None
    share: str | None = None
    rehashed: str | None = None
    """The password's hash with today's parameters, where it has others."""


async def sign_in(request: Request) -> Response:
    """Begin a session. Whatever is wrong, the answer is the same, and takes the same time."""
    crossing.check_site(request)
    given = await decoded(request, SignIn)
    ways = [given.user is not None and given.password is not None, given.token is not None, given.share is not None]
    if sum(ways) != 1:
        raise ApiError(422, "shape", "sign in with user and password, or with token, or with share")
    engine, address = service_of(request).engine, peers.address_of(request)
    user, here = throttling.by_user(given.user) if given.user is not None else None, throttling.by_address(address)
    await in_thread(throttling.attempt, engine, *([user, here] if user else [here]))
    claim = await _by_password(engine, given) if user else await in_thread(_by_secret, engine, given)

    def begin() -> tuple[str, Session]:
        with engine.begin() as connection:
            throttling.forgive(connection, user=user, address=here)
            return _begin(connection, claim, address, request.cookies.get(sessions.COOKIE, ""))

    if not claim.right:
        await in_thread(_note_failure, engine, claim, address)
        raise access.unauthorized("this does not fit together, or is not known here")
    cookie, told = await in_thread(begin)
    response = answer(told)
    response.headers["Cache-Control"] = "no-store"
    response.set_cookie(
        sessions.COOKIE, cookie, max_age=sessions.LONGEST, path="/", httponly=True, samesite="lax",
        secure=peers.is_https(request),
    )  # fmt: skip
    return response


async def _by_password(engine: sa.Engine, given: SignIn) -> _Claim:
    def known() -> sa.RowMapping | None:
        users = tables.users.c
        select = sa.select(users.name, users.password, users.disabled).where(users.name == given.user)
        with engine.connect() as connection:
            return connection.execute(select).mappings().one_or_none()

    found, password = await in_thread(known), given.password or ""
    right = await is_right(found["password"] if found else None, password)
    if found is None or found["disabled"] or not right:
        return _Claim(right=False, user=found["name"] if found else "")
    rehashed = None
    if passwords.is_stale(found["password"]):
        rehashed = await hash_of(password)
    return _Claim(right=True, user=found["name"], rehashed=rehashed)


def _by_secret(engine: sa.Engine, given: SignIn) -> _Claim:
    secret = given.share if given.share is not None else given.token or ""
    is_share = secret.startswith(SHARE_PREFIX)
    if given.share is not None and not is_share:
        return _Claim(right=False)
    try:
        with engine.connect() as connection:
            who = by_secret(connection, secret)
    except ApiError:
        return _Claim(right=False)
    return _Claim(True, who.user, None if is_share else hashed(secret), hashed(secret) if is_share else None)


def _begin(connection: sa.Connection, claim: _Claim, address: str, old: str) -> tuple[str, Session]:
    sessions.end(connection, old)
    if claim.rehashed is not None:
        mine = tables.users.c.name == claim.user
        connection.execute(sa.update(tables.users).where(mine).values(password=claim.rehashed))
    cookie, ends_at = sessions.begin(connection, user=claim.user or None, token=claim.token, share=claim.share)
    who, _ = by_session(connection, cookie)
    if who is None:  # disabled or revoked in this very moment
        raise access.unauthorized("this does not fit together, or is not known here")
    way = "share" if claim.share else "token" if claim.token else "password"
    shared = who.share.project if who.share else ""
    auditing.note(connection, auditing.Origin(claim.user, address, who.token or ""), "login", project=shared, way=way)
    return cookie, _told(who, cookie, ends_at)


def _note_failure(engine: sa.Engine, claim: _Claim, address: str) -> None:
    with engine.begin() as connection:
        auditing.note(connection, auditing.Origin("", address), "login_failed", subject=claim.user)


def _told(who: Principal, cookie: str, ends_at: float) -> Session:
    return Session(
        user=who.user or None, csrf=sessions.csrf_of(cookie), share=Shared(*who.share) if who.share else None,
        everywhere=who.everywhere, roles=dict(who.roles), creates=who.creates, expires_at=ends_at,
    )  # fmt: skip


async def session(request: Request) -> Response:
    """Whom the browser's session speaks for."""
    cookie = request.cookies.get(sessions.COOKIE, "")

    def told() -> Session | None:
        with service_of(request).engine.connect() as connection:
            who, _ = by_session(connection, cookie)
            ends_at = sa.select(tables.sessions.c.expires_at).where(tables.sessions.c.hash == hashed(cookie))
            return _told(who, cookie, connection.execute(ends_at).scalar_one()) if who else None

    found = await in_thread(told)
    if found is None:
        raise access.unauthorized("there is no session, or it has ended")
    response = answer(found)
    response.headers["Cache-Control"] = "no-store"
    return response


async def sign_out(request: Request) -> Response:
    """End the browser's session, on the server."""
    given = credentials(request)
    if given is not None and given.session:
        await in_thread(_end, service_of(request).engine, given.session, peers.address_of(request))
    response = answer(Done())
    response.delete_cookie(sessions.COOKIE, path="/", httponly=True, samesite="lax", secure=peers.is_https(request))
    return response


def _end(engine: sa.Engine, cookie: str, address: str) -> None:
    with engine.begin() as connection:
        who, _ = by_session(connection, cookie)
        if sessions.end(connection, cookie) and who is not None:
            auditing.note(connection, auditing.Origin(who.user, address, who.token or ""), "logout")


_PATH = "/api/v1/session"
ENDPOINTS = [
    Endpoint(
        "POST", _PATH, sign_in, "Begin a session: with user and password, a token, or a share link's secret.",
        takes=SignIn, gives=Session, errors=(400, 401, 403, 413, 415, 422, 429), open=True,
    ),
    Endpoint("GET", _PATH, session, "Whom the browser's session speaks for.", gives=Session),
    Endpoint("DELETE", _PATH, sign_out, "End the browser's session.", gives=Done),
]  # fmt: skip
