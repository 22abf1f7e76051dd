"""Reading: projects, lists of runs, a run with everything but its points and files."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from autolog.server import tables
from autolog.server.accounts import access
from autolog.server.addressing import readable_run, readable_runs
from autolog.server.errors import ApiError
from autolog.server.http.endpoint import Endpoint, Query, answer
from autolog.server.http.requests import asking, in_thread, number, service_of, truth
from autolog.server.index import refreshing
from autolog.server.runs import listing
from autolog.server.runs.wanted import ABOUT, wanted_columns
from autolog.server.service import Service
from autolog.server.shapes import Me, ProjectList, RunList
from autolog.store.summary import RunSummary

__all__ = ["ENDPOINTS", "column_names", "me", "projects", "run", "runs"]


async def me(request: Request) -> Response:
    who = access.known(await asking(request))
    return answer(Me(user=who.user, everywhere=who.everywhere, roles=dict(who.roles), creates=who.creates))


async def projects(request: Request) -> Response:
    service, who = service_of(request), await asking(request)
    return answer(await in_thread(_projects, service, who))


def _projects(service: Service, who: access.Principal | None) -> ProjectList:
    runs = tables.INDEX["runs"].c
    with service.engine.connect() as connection:
        known = connection.execute(sa.select(tables.projects.c.project, tables.projects.c.public)).all()
        counted = sa.select(runs.project, sa.func.count()).group_by(runs.project)
        counts: dict[str, int] = {row[0]: row[1] for row in connection.execute(counted)}
    if who is not None and who.share is not None:  # what was shared, and nothing else
        shared = who.share
        return ProjectList(projects={shared.project: 1 if shared.run else counts.get(shared.project, 0)})
    seen = [name for name, public in known if public or (who is not None and who.role(name) is not None)]
    if not seen and who is None:
        access.known(who)
    return ProjectList(projects={name: counts.get(name, 0) for name in sorted(seen)})


async def runs(request: Request) -> Response:
    service, project, only = await readable_runs(request)
    query = request.query_params
    limit = number(request, "limit", 100)
    if not 1 <= limit <= listing.MOST:
        raise ApiError(400, "parameter", f"limit must be 1 to {listing.MOST}", name="limit")
    archived = truth(request, "archived")
    wanted = wanted_columns(request)

    def page() -> RunList:
        with service.engine.connect() as connection:
            return listing.page(
                connection, [project], where=query.get("where", ""), sort=query.get("sort", ""), limit=limit,
                cursor=query.get("cursor", ""), wanted=wanted, archived=archived, only=only,
            )  # fmt: skip

    return answer(await in_thread(page))


async def column_names(request: Request) -> Response:
    service, project, only = await readable_runs(request)

    def named() -> dict[str, list[str]]:
        with service.engine.connect() as connection:
            return listing.column_names(connection, [project], only)

    return answer(await in_thread(named))


async def run(request: Request) -> Response:
    service, project, name = await readable_run(request)
    return answer((await in_thread(_summary, service, project, name)).to_dict())


def _summary(service: Service, project: str, run: str) -> RunSummary:
    try:
        return refreshing.refresh(service.engine, service.storage, (project, run))
    except FileNotFoundError:
        raise ApiError(404, "not_found", f"there is no run {run} in {project}") from None


_PROJECT = "/api/v1/projects/{project}"
ENDPOINTS = [
    Endpoint("GET", "/api/v1/me", me, "Whom the token speaks for.", gives=Me),
    Endpoint("GET", "/api/v1/projects", projects, "The projects, and how many runs each has.", gives=ProjectList),
    Endpoint(
        "GET", f"{_PROJECT}/runs", runs, "Runs, filtered, sorted, page by page.", gives=RunList, errors=(400, 422),
        query=(
            Query("where", str, "a query, such as metrics.val_loss < 0.3 and 'baseline' in tags"),
            Query("sort", str, "a column; -column: highest first"),
            Query("limit", int, f"at most so many, 1 to {listing.MOST}"),
            Query("cursor", str, "of the page before"),
            Query("archived", bool, "archived runs as well; else a query must ask for them"),
            Query("columns", str, f"whose values are told, such as metrics.loss,params.lr: {ABOUT}", repeated=True),
        ),
    ),
    Endpoint(
        "GET", f"{_PROJECT}/columns", column_names, "Every name that can be a column.", gives=dict[str, list[str]],
        errors=(422,),
    ),
    Endpoint(
        "GET", f"{_PROJECT}/runs/{{run}}", run, "A run with everything but its points.", gives=dict[str, Any],
        errors=(422,),
    ),
]  # fmt: skip
