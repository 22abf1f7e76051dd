"""Exports: the table of runs, the points of metrics, the samples of machines; as files, written while they are read.

However much is asked for, a few rows are in memory at a time, and no more exports work at once than there are threads
for them: what comes in goes first. Where the client leaves, so does the work.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple, get_args

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from autolog.server import names
from autolog.server.addressing import readable_runs
from autolog.server.errors import ApiError
from autolog.server.http.endpoint import Endpoint, Query
from autolog.server.http.requests import truth
from autolog.server.http.sending import disposition
from autolog.server.runs import export_rows
from autolog.server.runs.wanted import ABOUT, wanted_columns
from autolog.store.export import HISTORY, HISTORY_KINDS
from autolog.store.formats import Format, Pieces, encoded

__all__ = ["ENDPOINTS", "points", "runs", "system"]

_AT_ONCE = 4
_UNSAFE = re.compile(r"[^-\w.]+")
_TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8", "json": "application/json", "jsonl": "application/jsonl",
    "parquet": "application/vnd.apache.parquet",
}  # fmt: skip
"""Media types."""


class _Asked(NamedTuple):
    """What every export is asked."""

    which: export_rows.Which
    format: Format
    spreadsheet: bool
    about: str
    """Begins the file's name."""


async def _asked(request: Request) -> _Asked:
    service, project, only = await readable_runs(request)
    query = request.query_params
    wanted = query.get("format", "csv")
    if wanted not in get_args(Format):
        raise ApiError(400, "parameter", f"format= is one of {', '.join(get_args(Format))}", name="format")
    chosen = [names.check_run(name) for name in query.getlist("run")] or None
    which = export_rows.Which(
        service, project, only, chosen, query.get("where", ""), query.get("sort", ""), truth(request, "archived")
    )
    return _Asked(which, wanted, truth(request, "spreadsheet"), project)  # type: ignore[arg-type]  # checked above


async def runs(request: Request) -> Response:
    """One row a run."""
    asked = await _asked(request)
    wanted = wanted_columns(request)

    def begin() -> Pieces:
        table = export_rows.table(asked.which, wanted, typed=asked.format == "parquet")
        return encoded(table.rows, table.names, asked.format, table.kinds, spreadsheet=asked.spreadsheet)

    return await _streamed(begin, asked, "runs")


async def points(request: Request) -> Response:
    """One row a point."""
    asked = await _asked(request)
    metrics = frozenset(request.query_params.getlist("metric")) or None
    return await _streamed(lambda: _history(asked, export_rows.points(asked.which, metrics)), asked, "points")


async def system(request: Request) -> Response:
    """One row for each value of each sample."""
    asked = await _asked(request)
    return await _streamed(lambda: _history(asked, export_rows.samples(asked.which)), asked, "system")


def _history(asked: _Asked, rows: Iterator[Sequence[Any]]) -> Pieces:
    return encoded(rows, HISTORY, asked.format, HISTORY_KINDS, spreadsheet=asked.spreadsheet)


def _next(pieces: Pieces) -> bytes:
    """The next piece that holds something; empty at the end."""
    return next((piece for piece in pieces if piece), b"")


@cache
def _threads() -> anyio.CapacityLimiter:
    return anyio.CapacityLimiter(_AT_ONCE)


async def _streamed(begin: Callable[[], Pieces], asked: _Asked, what: str) -> Response:
    """An answer from pieces; the first is made before it begins, so that a wrong question is answered as such."""
    pieces = await anyio.to_thread.run_sync(begin, limiter=_threads())
    first = await anyio.to_thread.run_sync(_next, pieces, limiter=_threads())

    async def every() -> AsyncIterator[bytes]:
        try:
            piece = first
            while piece:
                yield piece
                piece = await anyio.to_thread.run_sync(_next, pieces, limiter=_threads())
        finally:  # also where the client has left
            pieces.close()

    name = f"{_UNSAFE.sub('-', asked.about)}-{what}.{asked.format}"
    headers = {
        "Content-Disposition": disposition("attachment", name), "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }  # fmt: skip
    return StreamingResponse(every(), media_type=_TYPES[asked.format], headers=headers)


_PROJECT = "/api/v1/projects/{project}/export"
_ANY = ", ".join(kind.partition(";")[0] for kind in _TYPES.values())
_WHICH = (
    Query("format", str, "csv (unless it is given), json: one array, jsonl: one object a line, parquet"),
    Query("run", str, "only this run", repeated=True),
    Query("where", str, "only runs for which this query holds"),
    Query("sort", str, "a column; -column: highest first"),
    Query("archived", bool, "archived runs as well; else a query must ask for them, or they must be named"),
    Query("spreadsheet", bool, "in CSV, texts that a spreadsheet would take for formulas get a ' before them"),
)
ENDPOINTS = [
    Endpoint(
        "GET", f"{_PROJECT}/runs", runs, "The table of runs as a file.", gives=_ANY, errors=(400, 422),
        query=(
            *_WHICH,
            Query("columns", str, f"only these, such as name,params.lr,metrics.loss.min: {ABOUT}", repeated=True),
        ),
    ),
    Endpoint(
        "GET", f"{_PROJECT}/points", points, "Every point of metrics, those of child runs too, as a file.", gives=_ANY,
        errors=(400, 422), query=(*_WHICH, Query("metric", str, "only this metric", repeated=True)),
    ),
    Endpoint(
        "GET", f"{_PROJECT}/system", system, "Every sample of the machines as a file, in the columns of points.",
        gives=_ANY, errors=(400, 422), query=_WHICH,
    ),
]  # fmt: skip
