"""Reading the points of metrics, exactly or reduced for a chart, and the samples of machines."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from autolog import events
from autolog.server import names
from autolog.server.addressing import readable_project, readable_run
from autolog.server.endpoint import Endpoint, Query, answer, decoded
from autolog.server.errors import ApiError
from autolog.server.requests import in_thread, number
from autolog.server.service import Service
from autolog.server.shapes import Points, SeriesAnswer, SeriesQuestion
from autolog.store import series
from autolog.store.layout import Place

__all__ = ["ENDPOINTS", "run_series", "several_series", "system"]

_SERIES = 5000
"""Most series (runs times metrics) in one question."""


async def run_series(request: Request) -> Response:
    """The same as :func:`several_series`, for one run."""
    service, project, name = await readable_run(request)
    metrics = request.query_params.getlist("metric")
    most = number(request, "points", 0) or None
    return answer(await in_thread(_series, service, project, SeriesQuestion(runs=[name], metrics=metrics, points=most)))


async def several_series(request: Request) -> Response:
    service, project = await readable_project(request)
    question = await decoded(request, SeriesQuestion)
    for name in question.runs:
        names.check_run(name)
    return answer(await in_thread(_series, service, project, question))


def _series(service: Service, project: str, question: SeriesQuestion) -> SeriesAnswer:
    if len(question.runs) * max(1, len(question.metrics)) > _SERIES:
        raise ApiError(422, "too_many", f"more than {_SERIES} series in one question", limit=_SERIES)
    if question.points is not None and question.points < 4:
        raise ApiError(422, "points", "points must be at least 4: first, last, lowest and highest")
    found: list[Points] = []
    for name in question.runs:
        try:
            with service.storage.directory((project, name)) as directory:
                found += _of_run(directory, question)
        except FileNotFoundError:
            raise ApiError(404, "not_found", f"there is no run {name} in {project}") from None
    return SeriesAnswer(series=found)


def _of_run(directory: Path, question: SeriesQuestion) -> list[Points]:
    columns: dict[tuple[str | None, str], list[series.Point]] = {}
    for point in series.points(directory, question.metrics):
        columns.setdefault((point.child, point.metric), []).append(point)
    return [
        _points(directory.name, child, metric, points, question.points) for (child, metric), points in columns.items()
    ]


def _points(
    run: str, child: str | None, metric: str, points: list[series.Point], most: int | None
) -> Points:  # fmt: skip
    shown = points
    if most is not None:
        shown = [points[place] for place in series.reduced([point.value for point in points], most)]
    return Points(
        run=run, child=child, metric=metric, total=len(points), steps=[point.step for point in shown],
        epochs=[point.epoch for point in shown], times=[point.time for point in shown],
        values=[events.to_wire(point.value) for point in shown],
    )  # fmt: skip


async def system(request: Request) -> Response:
    service, project, name = await readable_run(request)
    node = request.query_params.get("node", "")
    most = number(request, "points", 0) or None
    if node and not node.replace("-", "").replace("_", "").isalnum():
        raise ApiError(422, "node", f"{node[:80]!r} is no node")
    return answer(await in_thread(_system, service, (project, name), node, most))


def _system(service: Service, place: Place, node: str, most: int | None) -> SeriesAnswer:
    columns: dict[str, list[series.Point]] = {}
    with suppress(FileNotFoundError), service.storage.directory(place) as directory:
        for sample in series.system_samples(directory, node):
            for name, value in sample.values.items():
                columns.setdefault(name, []).append(series.Point(None, name, None, None, sample.time, value))
    return SeriesAnswer(
        series=[_points(place[1], None, name, points, most) for name, points in sorted(columns.items())]
    )


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
