"""Reading, as a client on the same machine sees it: lists of 10,000 runs, charts of many series."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import psutil

from autolog.server.storage.contract import Storage
from benchmarks.timing import Row, quantile
from tests.servers import Server

__all__ = ["charts", "deliver", "indexed", "lists"]

_REPEAT = 15
_LIST = "/api/v1/projects/listed/runs?limit=100&columns=metrics.loss,params.lr"
_WHERE = quote("metrics.loss < 0.5 and params.lr > 0.1")
_TAG = quote("'group-3' in tags")
_ASKED = {
    "newest first": "",
    "sorted by a metric": "&sort=metrics.loss",
    "sorted by a parameter": "&sort=-params.lr",
    "filtered by a metric and a parameter": f"&where={_WHERE}",
    "filtered and sorted": f"&where={_WHERE}&sort=-params.lr",
    "by a tag": f"&where={_TAG}",
}


def deliver(storage: Storage, folder: Path, project: str, runs: list[str]) -> None:
    """Journals that lie in a folder, to where a server keeps them."""
    for run in runs:
        storage.append((project, run), "journal.jsonl", 0, (folder / run / "journal.jsonl").read_bytes())


def indexed(server: Server, count: int) -> Row:
    """How long the first index takes, of a server that has just been started."""
    assert server.process is not None
    begun = time.perf_counter()
    while server.ask("GET", "/readyz", token="").status != 200:
        time.sleep(0.5)
    cpu = sum(psutil.Process(server.process.pid).cpu_times()[:2])
    took = f"{time.perf_counter() - begun:.0f} s, of processor {cpu:.0f} s"
    return Row(f"{count:,} runs indexed at the first start", took)


def lists(server: Server, listed: list[str]) -> list[Row]:
    """The first 100 of 10,000 runs, by what people ask; and the last page."""
    what = f"{len(listed):,} runs"
    rows = [_timed(server, f"{what}, {asked}", "GET", _LIST + more, goal="≤ 100 ms") for asked, more in _ASKED.items()]
    path = f"{_LIST}&sort=metrics.loss"
    cursor: str | None = ""
    last = ""
    while cursor is not None:
        last = cursor
        cursor = server.ask("GET", f"{path}&limit=1000&cursor={last}").json["cursor"]
    return [
        *rows,
        _timed(server, f"{what}, sorted by a metric: the end of the list", "GET", f"{path}&cursor={last}",
               goal="≤ 100 ms"),
        _timed(server, f"one of {what} with everything but its points", "GET",
               f"/api/v1/projects/listed/runs/{listed[0]}"),
    ]  # fmt: skip


def charts(server: Server, charted: list[str], long: list[str], growing: str) -> list[Row]:
    """Points of one run of 50 metrics, of 50 runs, of 100 long ones, of one that still runs."""
    many = {"runs": charted[:1], "metrics": [f"metric_{n}" for n in range(50)]}
    across = {"runs": charted, "metrics": ["metric_0"]}
    first = f"/api/v1/projects/growing/runs/{growing}/series?metric=loss&points=1000"
    path = "/api/v1/projects/{}/series"
    return [
        _timed(server, "50 series x 1,000 points of one run", "POST", path.format("charted"), many, goal="≤ 50 ms"),
        _timed(server, "50 series x 1,000 points of as many runs", "POST", path.format("charted"), across,
               goal="≤ 50 ms"),
        _timed(server, "100 series x 1,000,000 points, reduced to 1,000 each", "POST", path.format("long"),
               {"runs": long, "metrics": ["loss"], "points": 1000}, goal="≤ 1 s"),
        _timed(server, "a running series of 1,000,000 points, reduced, the first time", "GET", first, repeat=1),
        _timed(server, "the same, again", "GET", first),
    ]  # fmt: skip


def _timed(  # noqa: PLR0917  a table
    server: Server, what: str, method: str, path: str, body: Any = None, goal: str = "", repeat: int = _REPEAT
) -> Row:  # fmt: skip
    """Median of the whole request, the first one not counted; and the server's processor time of one."""
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    data = None if body is None else msgspec.json.encode(body)
    spent, size = [], 0
    if repeat > 1:
        server.ask(method, path, data)
    before = sum(process.cpu_times()[:2])
    for _ in range(repeat):
        begun = time.perf_counter()
        answer = server.ask(method, path, data)
        spent.append(time.perf_counter() - begun)
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.body[:300]!r}")
        size = len(answer.body)
    cpu = (sum(process.cpu_times()[:2]) - before) / repeat
    took = f"{1000 * quantile(spent, 0.5):.0f} ms, of processor {1000 * cpu:.0f} ms"
    return Row(f"{what} ({size / 1e6:.2f} MB)", took, goal)
