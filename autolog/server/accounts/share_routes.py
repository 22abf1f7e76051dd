"""Routes of share links: they let whoever has one read a project, or one run of it, until it is revoked or expires."""

from __future__ import annotations

import secrets
import time

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from autolog.server import names, tables
from autolog.server.accounts import auditing
from autolog.server.accounts.access import hashed
from autolog.server.accounts.auditing import Origin, origin_of
from autolog.server.accounts.identify import SHARE_PREFIX
from autolog.server.accounts.shapes import Done, NewShare, ShareItem, ShareList, ShareMade
from autolog.server.accounts.token_routes import check_days
from autolog.server.addressing import administered_project
from autolog.server.errors import ApiError
from autolog.server.http.endpoint import Endpoint, answer, decoded
from autolog.server.http.requests import in_thread

__all__ = ["ENDPOINTS", "create", "listed", "revoke"]

_SHARES = tables.shares.c


async def listed(request: Request) -> Response:
    service, project, _ = await administered_project(request)

    def found() -> list[ShareItem]:
        valid = sa.or_(_SHARES.expires_at.is_(None), _SHARES.expires_at > time.time())
        mine = (_SHARES.project == project, _SHARES.revoked_at.is_(None), valid)
        with service.engine.connect() as connection:
            rows = connection.execute(sa.select(tables.shares).where(*mine).order_by(_SHARES.created_at)).mappings()
            return [ShareItem(**{name: row[name] for name in ShareItem.__struct_fields__}) for row in rows]

    return answer(ShareList(shares=await in_thread(found)))


async def create(request: Request) -> Response:
    """Make a share link. It belongs to the project: it does not end with who has made it."""
    service, project, who = await administered_project(request)
    given = await decoded(request, NewShare)
    check_days(given.days)
    if given.run is not None:
        names.check_run(given.run)
    made = await in_thread(_create, service.engine, origin_of(request, who), project, given)
    response = answer(made)
    response.headers["Cache-Control"] = "no-store"
    return response


def _create(engine: sa.Engine, origin: Origin, project: str, given: NewShare) -> ShareMade:
    runs = tables.INDEX["runs"].c
    there = sa.select(runs.run).where(runs.project == project, runs.run == given.run)
    now, secret = time.time(), SHARE_PREFIX + secrets.token_urlsafe(32)
    item = ShareItem(
        id=secrets.token_hex(4), run=given.run, label=given.label, made_by=origin.user, created_at=now,
        expires_at=None if given.days is None else now + 86400 * given.days,
    )  # fmt: skip
    values = {name: getattr(item, name) for name in ShareItem.__struct_fields__}
    with engine.begin() as connection:
        if given.run is not None and connection.execute(there).first() is None:
            raise ApiError(404, "not_found", f"there is no run {given.run} in {project}")
        connection.execute(sa.insert(tables.shares).values(project=project, hash=hashed(secret), **values))
        auditing.note(
            connection, origin, "share_made", project=project, subject=item.id, run=given.run, label=given.label,
            expires_at=item.expires_at,
        )  # fmt: skip
    return ShareMade(**values, secret=secret)


async def revoke(request: Request) -> Response:
    """End a share link, at once."""
    service, project, who = await administered_project(request)
    wanted, origin = names.check_id(request.path_params["share"]), origin_of(request, who)

    def done() -> None:
        valid = (_SHARES.project == project, _SHARES.id == wanted, _SHARES.revoked_at.is_(None))
        with service.engine.begin() as connection:
            ended = sa.update(tables.shares).where(*valid).values(revoked_at=time.time())
            if not connection.execute(ended).rowcount:
                raise ApiError(404, "not_found", f"there is no valid share link {wanted} of {project!r}")
            auditing.note(connection, origin, "share_revoked", project=project, subject=wanted)

    await in_thread(done)
    return answer(Done())


_PATH = "/api/v1/projects/{project}/shares"
ENDPOINTS = [
    Endpoint("GET", _PATH, listed, "Share links that are valid.", gives=ShareList, errors=(422,)),
    Endpoint(
        "POST", _PATH, create, "Make a read-only link to a project or a run; its secret is told once.", takes=NewShare,
        gives=ShareMade, errors=(400, 413, 415, 422),
    ),
    Endpoint("DELETE", f"{_PATH}/{{share}}", revoke, "End a share link.", gives=Done, errors=(422,)),
]  # fmt: skip
