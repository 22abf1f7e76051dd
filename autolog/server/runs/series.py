"""Reading the points of metrics, exactly or reduced for a chart, and the samples of machines."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from autolog.server import names, tables
from autolog.server.accounts import access
from autolog.server.addressing import readable_run, readable_runs
from autolog.server.errors import ApiError
from autolog.server.http.endpoint import Endpoint, Query, decoded
from autolog.server.http.requests import in_thread, number
from autolog.server.runs import series_json
from autolog.server.service import Service
from autolog.server.shapes import SeriesAnswer, SeriesQuestion
from autolog.server.upkeep import published
from autolog.store import drawing
from autolog.store.drawing import Drawn
from autolog.store.layout import Place

__all__ = ["ENDPOINTS", "run_series", "several_series", "system"]

_SERIES = 5000
"""Most series (runs times metrics) in one question."""
_POINTS_AT_ONCE = 2_000_000
"""Most points of one answer; the exports give more."""


async def run_series(request: Request) -> Response:
    """The same as :func:`several_series`, for one run."""
    service, project, name = await readable_run(request)
    metrics = request.query_params.getlist("metric")
    most = number(request, "points", 0) or None
    return await _series(service, project, SeriesQuestion(runs=[name], metrics=metrics, points=most))


async def several_series(request: Request) -> Response:
    service, project, only = await readable_runs(request)
    question = await decoded(request, SeriesQuestion)
    for name in question.runs:
        if names.check_run(name) != only and only is not None:
            raise access.absent(project)
    return await _series(service, project, question)


async def _series(service: Service, project: str, question: SeriesQuestion) -> Response:
    runs = list(dict.fromkeys(question.runs))
    if len(runs) * max(1, len(question.metrics)) > _SERIES:
        raise ApiError(422, "too_many", f"more than {_SERIES} series in one question", limit=_SERIES)
    if question.points is not None and question.points < 4:
        raise ApiError(422, "points", "points must be at least 4: first, last, lowest and highest")
    sizes = await in_thread(_sizes, service, project, runs)
    await in_thread(_bound, service, project, runs, question)
    found = _found(service, project, sizes, question)
    return await _streamed(series_json.joined(series_json.encoded(found)))


def _sizes(service: Service, project: str, runs: list[str]) -> dict[str, dict[str, int]]:
    """Of each run the sizes of its journals."""
    found = {run: service.storage.sizes((project, run)) for run in runs}
    for run, sizes in found.items():
        if not sizes:
            raise ApiError(404, "not_found", f"there is no run {run} in {project}")
    return found


def _bound(service: Service, project: str, runs: list[str], question: SeriesQuestion) -> None:
    """Refuse an answer that nobody can want in one piece."""
    metrics = tables.INDEX["metrics"].c
    counted: sa.ColumnElement[float] = metrics.count
    if question.points is not None:
        counted = sa.case((metrics.count > question.points, question.points), else_=metrics.count)
    select = sa.select(sa.func.sum(counted)).where(
        metrics.project == project, metrics.run.in_(runs), metrics.name.in_(question.metrics)
    )
    with service.engine.connect() as connection:
        points = connection.execute(select).scalar_one() or 0
    if points > _POINTS_AT_ONCE:
        raise ApiError(
            422, "too_many",
            f"these are more than {_POINTS_AT_ONCE} points: ask for fewer with points=, in several requests, or export",
            limit=_POINTS_AT_ONCE,
        )  # fmt: skip


def _found(
    service: Service, project: str, sizes: dict[str, dict[str, int]], question: SeriesQuestion
) -> Iterator[tuple[str, Drawn]]:
    metrics, most = frozenset(question.metrics), question.points
    for run, held in sizes.items():
        for drawn in _of_run(service, (project, run), held, metrics, most):
            yield run, drawn


def _of_run(
    service: Service, place: Place, sizes: dict[str, int], metrics: frozenset[str], most: int | None
) -> Iterator[Drawn]:
    told: set[tuple[str | None, str]] = set()
    stored = published.stored(service.storage, place, sizes)
    if stored is not None:
        with contextlib.suppress(OSError), stored:  # one that is damaged: the journals are the record
            for drawn in drawing.from_stored(stored, metrics, most):
                told.add((drawn.child, drawn.metric))
                yield drawn
            return
    with contextlib.suppress(FileNotFoundError), service.storage.directory(place) as directory:  # taken away just now
        for drawn in drawing.from_journals(directory, service.kept, place, metrics, most):
            if (drawn.child, drawn.metric) not in told:
                yield drawn


async def _streamed(parts: Iterator[bytes]) -> Response:
    """A short answer at once, a long one as it comes."""
    first = await in_thread(next, parts, b"")
    second = await in_thread(next, parts, b"")
    if not second:
        return Response(first, media_type="application/json")

    def every() -> Iterator[bytes]:
        yield first
        yield second
        yield from parts

    return StreamingResponse(every(), media_type="application/json")


async def system(request: Request) -> Response:
    service, project, name = await readable_run(request)
    node = request.query_params.get("node", "")
    most = number(request, "points", 0) or None
    if node and not node.replace("-", "").replace("_", "").isalnum():
        raise ApiError(422, "node", f"{node[:80]!r} is no node")
    return await _streamed(series_json.joined(series_json.encoded(_system(service, (project, name), node, most))))


def _system(service: Service, place: Place, node: str, most: int | None) -> Iterator[tuple[str, Drawn]]:
    with contextlib.suppress(FileNotFoundError), service.storage.directory(place) as directory:
        for drawn in drawing.samples(directory, service.kept, place, node, most):
            yield place[1], drawn


_PROJECT = "/api/v1/projects/{project}"
_POINTS = Query("points", int, "at most about so many points of each series; left out: all, exactly")
ENDPOINTS = [
    Endpoint(
        "GET", f"{_PROJECT}/runs/{{run}}/series", run_series, "Points of metrics of a run.", gives=SeriesAnswer,
        errors=(400, 422), query=(Query("metric", str, "which", required=True, repeated=True), _POINTS),
    ),
    Endpoint(
        "POST", f"{_PROJECT}/series", several_series, "Points of several metrics of several runs.",
        takes=SeriesQuestion, gives=SeriesAnswer, errors=(400, 413, 415, 422),
    ),
    Endpoint(
        "GET", f"{_PROJECT}/runs/{{run}}/system", system, "Samples of the machine.", gives=SeriesAnswer,
        errors=(400, 422), query=(Query("node", str, "of a job on several nodes"), _POINTS),
    ),
]  # fmt: skip
