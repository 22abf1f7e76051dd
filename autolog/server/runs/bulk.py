"""One request for many runs: changed, deleted or brought back. All is checked before the first run is touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from autolog.server import names, tables
from autolog.server.accounts import auditing
from autolog.server.accounts.auditing import Origin
from autolog.server.addressing import writable_project
from autolog.server.errors import ApiError
from autolog.server.http.endpoint import Endpoint, answer, decoded
from autolog.server.http.requests import asking, in_thread
from autolog.server.runs import changing, listing
from autolog.server.service import Service
from autolog.server.shapes import Edit
from autolog.server.upkeep import deleting

__all__ = ["ENDPOINTS", "Bulk", "BulkAnswer", "Outcome", "change"]

_RUNS = tables.INDEX["runs"].c
_Chosen = Annotated[list[str], msgspec.Meta(max_length=10_000)]


class Bulk(msgspec.Struct, forbid_unknown_fields=True):
    """Which runs, and what becomes of them."""

    action: Literal["edit", "delete", "restore"]
    runs: _Chosen | None = None
    """Their ids; or ``where``."""
    where: str | None = None
    """A query; archived runs only where it says something of ``archived``. It goes with ``count``."""
    count: int | None = None
    """How many runs are meant: where the query finds more or fewer, nothing is done."""
    edit: Edit | None = None
    """The change, for the action ``edit``. A name is one run's own and cannot be given to many."""


class Outcome(msgspec.Struct, omit_defaults=True):
    """What became of one run; ``code`` and ``message`` where it could not be done."""

    run: str
    done: bool
    code: str = ""
    message: str = ""


class BulkAnswer(msgspec.Struct):
    """One outcome for each run."""

    done: int
    failed: int
    outcomes: list[Outcome]


async def change(request: Request) -> Response:
    """Change, delete or bring back many runs."""
    service, project = await writable_project(request)
    asked = await decoded(request, Bulk)
    _check(asked, service.limits.runs)
    origin = auditing.origin_of(request, await asking(request))
    return answer(await in_thread(_change, service, project, asked, origin))


def _check(asked: Bulk, most: int) -> None:
    """What can be said of a request without looking at runs.

    Raises:
        ApiError: 422.
    """
    if (asked.runs is None) == (asked.where is None):
        raise ApiError(422, "runs", "say which runs: by their ids in runs, or by a query in where; not by both")
    if asked.where is not None and (asked.count is None or asked.action == "restore"):
        raise ApiError(422, "runs", "a query goes with count, the number of runs it must find, and restores nothing")
    if (asked.edit is not None) != (asked.action == "edit"):
        raise ApiError(422, "edit", "the action edit, and no other, goes with edit, the change")
    if asked.edit is not None:
        changing.check(asked.edit)
        if asked.edit.name is not None:
            raise ApiError(422, "name", "a name is one run's own: rename runs one by one")
    if len(asked.runs or ()) > most:
        raise ApiError(422, "too_many", f"more than {most} runs in one request", limit=most)
    for run in asked.runs or ():
        names.check_run(run)


def _change(service: Service, project: str, asked: Bulk, origin: Origin) -> BulkAnswer:
    chosen = _restorable(service, project, asked) if asked.action == "restore" else _chosen(service, project, asked)
    does: dict[str, Callable[[str, str], object]] = {
        "edit": lambda run, name: changing.change(service, (project, run), name, asked.edit or Edit()),
        "delete": lambda run, name: deleting.delete(service, (project, run), name, origin),
        "restore": lambda run, _: deleting.restore(service, (project, run), origin),
    }
    outcomes = []
    for run, name in chosen.items():
        try:
            does[asked.action](run, name)
            outcomes.append(Outcome(run, done=True))
        except ApiError as error:  # taken away just now, say: the others are done all the same
            outcomes.append(Outcome(run, done=False, code=error.code, message=error.message))
    done = sum(outcome.done for outcome in outcomes)
    return BulkAnswer(done=done, failed=len(outcomes) - done, outcomes=outcomes)


def _chosen(service: Service, project: str, asked: Bulk) -> dict[str, str]:
    """The runs that are meant, with their names, in the order of their ids.

    Raises:
        ApiError: 404: one is not there; 409: the query finds another number; 400: it is none; 422: it finds too many.
    """
    if asked.where is not None:
        condition = listing.condition_of([project], asked.where)
    else:
        condition = sa.and_(_RUNS.project == project, _RUNS.run.in_(asked.runs or []))
    select = sa.select(_RUNS.run, _RUNS.name).where(condition).order_by(_RUNS.run).limit(service.limits.runs + 1)
    with service.engine.connect() as connection:
        found = dict(connection.execute(select).all())
    if asked.where is not None:
        if len(found) > service.limits.runs:
            raise ApiError(
                422, "too_many", f"the query finds more than {service.limits.runs} runs", limit=service.limits.runs
            )
        if len(found) != asked.count:
            raise ApiError(409, "count", f"the query finds {len(found)} runs, not {asked.count}", count=len(found))
    _complete(asked.runs, found, "is not there")
    return found


def _restorable(service: Service, project: str, asked: Bulk) -> dict[str, str]:
    found = {run.id: run.name for run in deleting.deleted(service, project) if run.id in set(asked.runs or ())}
    _complete(asked.runs, found, "cannot be brought back")
    return found


def _complete(runs: list[str] | None, found: dict[str, str], lacks: str) -> None:
    missing = [run for run in dict.fromkeys(runs or ()) if run not in found]
    if missing:
        message = f"the run {missing[0]} {lacks}" + (f", nor are {len(missing) - 1} others" if missing[1:] else "")
        raise ApiError(404, "not_found", f"{message}; nothing was changed", runs=missing[:100])


ENDPOINTS = [
    Endpoint(
        "POST", "/api/v1/projects/{project}/changes", change, "Change, delete or bring back many runs.", takes=Bulk,
        gives=BulkAnswer, errors=(409, 422, 503, 507),
    ),
]  # fmt: skip
