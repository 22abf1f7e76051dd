"""Routes of users: for the server's admins; and of passwords, for everybody's own."""

from __future__ import annotations

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from autolog.server import names, tables
from autolog.server.accounts import access, passwords, throttling, users
from autolog.server.accounts.auditing import Origin, origin_of
from autolog.server.accounts.hashing import hash_of, is_right
from autolog.server.accounts.shapes import (
    Done,
    Invitation,
    NewUser,
    PasswordChange,
    Redeemed,
    Redemption,
    UserChange,
    UserItem,
    UserList,
)  # fmt: skip
from autolog.server.errors import ApiError
from autolog.server.http import crossing, peers
from autolog.server.http.endpoint import Endpoint, answer, decoded
from autolog.server.http.requests import asking, in_thread, service_of

__all__ = ["ENDPOINTS", "change", "change_password", "create", "everybody", "invite", "redeem"]


async def _administering(request: Request) -> tuple[sa.Engine, Origin]:
    who = access.administrator(await asking(request))
    return service_of(request).engine, origin_of(request, who)


async def everybody(request: Request) -> Response:
    engine, _ = await _administering(request)

    def listed() -> list[UserItem]:
        with engine.connect() as connection:
            return users.listed(connection)

    return answer(UserList(users=await in_thread(listed)))


async def create(request: Request) -> Response:
    engine, origin = await _administering(request)
    given = await decoded(request, NewUser)

    def make() -> UserItem:
        with engine.begin() as connection:
            users.add(connection, origin, given.name, admin=given.admin)
            return users.user(connection, given.name)

    return answer(await in_thread(make))


async def change(request: Request) -> Response:
    engine, origin = await _administering(request)
    name, given = names.check_user(request.path_params["user"]), await decoded(request, UserChange)

    def made() -> UserItem:
        with engine.begin() as connection:
            return users.change(connection, origin, name, given)

    return answer(await in_thread(made))


async def invite(request: Request) -> Response:
    engine, origin = await _administering(request)
    name = names.check_user(request.path_params["user"])

    def made() -> Invitation:
        with engine.begin() as connection:
            return users.invite(connection, origin, name)

    return answer(await in_thread(made))


async def redeem(request: Request) -> Response:
    """Set a password by an invitation; it is used up."""
    crossing.check_site(request)
    given = await decoded(request, Redemption)
    engine, address = service_of(request).engine, peers.address_of(request)
    here = throttling.by_address(address)
    await in_thread(throttling.attempt, engine, here)

    def invited() -> str:
        with engine.connect() as connection:
            return users.invited(connection, given.secret)

    def done(stored: str) -> str:
        with engine.begin() as connection:
            throttling.forgive(connection, user=None, address=here)
            return users.redeem(connection, address, given.secret, stored)

    stored = await hash_of(passwords.check(given.password, await in_thread(invited)))
    return answer(Redeemed(user=await in_thread(done, stored)))


async def change_password(request: Request) -> Response:
    """Change one's own password; other sessions of the user end."""
    who = access.person(await asking(request))
    given = await decoded(request, PasswordChange)
    passwords.check(given.new, who.user)
    engine, origin = service_of(request).engine, origin_of(request, who)
    user, here = throttling.by_user(who.user), throttling.by_address(origin.address)
    await in_thread(throttling.attempt, engine, user, here)

    def known() -> str | None:
        with engine.connect() as connection:
            mine = tables.users.c.name == who.user
            stored: str | None = connection.execute(sa.select(tables.users.c.password).where(mine)).scalar_one()
            return stored

    def done(stored: str) -> None:
        with engine.begin() as connection:
            throttling.forgive(connection, user=user, address=here)
            users.set_password(connection, origin, who.user, stored, but=who.session)

    if not await is_right(await in_thread(known), given.old):
        raise ApiError(403, "password", "the old password is another one, or there is none: ask for an invitation")
    await in_thread(done, await hash_of(given.new))
    return answer(Done())


_USERS = "/api/v1/users"
_BODY = (400, 413, 415, 422)
ENDPOINTS = [
    Endpoint("GET", _USERS, everybody, "All users; for admins of the server.", gives=UserList),
    Endpoint("POST", _USERS, create, "Make a user.", takes=NewUser, gives=UserItem, errors=(*_BODY, 409)),
    Endpoint(
        "PATCH", f"{_USERS}/{{user}}", change, "Make a user an admin or none; disable or enable them.",
        takes=UserChange, gives=UserItem, errors=(*_BODY, 409),
    ),
    Endpoint(
        "POST", f"{_USERS}/{{user}}/invitation", invite, "Make what lets a user set their password, once.",
        gives=Invitation, errors=(409, 422),
    ),
    Endpoint(
        "POST", "/api/v1/invitations", redeem, "Set a password by an invitation.", takes=Redemption, gives=Redeemed,
        errors=(*_BODY, 403, 404, 429), open=True,
    ),
    Endpoint(
        "POST", "/api/v1/me/password", change_password, "Change one's own password; other sessions end.",
        takes=PasswordChange, gives=Done, errors=(*_BODY, 429),
    ),
]  # fmt: skip
