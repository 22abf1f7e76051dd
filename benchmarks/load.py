"""Many runs that deliver at once, as their sidecars do: the client of the server's benchmark, a process of its own.

``python -m benchmarks.load`` reads a :class:`Load` as JSON from stdin and prints a :class:`Delivered`. Every run has a
connection, on which it sends a batch each second; what it sends is made before, so that the client costs little.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import Callable
from typing import Literal

import msgspec
import zstandard

__all__ = ["Delivered", "Load", "names_of"]


_PATIENCE = 30.0
"""Seconds that answers may take at the end."""


class Load(msgspec.Struct):
    """What is to be done."""

    port: int
    kind: Literal["autolog", "mlflow"]
    runs: list[str]
    seconds: float
    lines: int
    """Records of a batch."""
    metrics: int
    """Values of a record."""
    every: float = 1.0
    """Seconds between two batches of a run."""
    token: str = ""
    project: str = "bench"


class Delivered(msgspec.Struct):
    """What came of it."""

    points: int
    seconds: float
    latencies: list[float]
    """Seconds from sending a batch to its acknowledgement."""
    cpu: float
    """Processor seconds of the client."""
    refused: dict[str, int] = {}
    """Answers that were not 200, and how often."""


def names_of(count: int) -> list[str]:
    """Ids of as many runs."""
    return [f"20261122-{n // 10_000 % 24:02}{n // 100 % 60:02}{n % 60:02}-{n % 1000:03}-{n:08x}" for n in range(count)]


def _autolog(load: Load, run: str) -> Callable[[int], bytes]:
    """Requests of one run, by number: the same packed lines each time, at their offsets."""
    values = {f"metric_{n}": 0.123456789 + n for n in range(load.metrics)}
    line = (
        msgspec.json.encode({"type": "metrics", "time": 1_795_000_000.123, "values": values, "step": 123_456}) + b"\n"
    )
    header = {"type": "run", "time": 1_795_000_000.0, "id": run, "name": "bench", "project": load.project}
    head = msgspec.json.encode(header) + b"\n"
    pack = zstandard.ZstdCompressor(level=3).compress
    size, first, later = len(line) * load.lines, pack(head + line * load.lines), pack(line * load.lines)
    path = f"/api/v1/projects/{load.project}/runs/{run}/journals/journal.jsonl"

    def request(number: int) -> bytes:
        offset, body = (0, first) if number == 0 else (len(head) + number * size, later)
        return _request(
            load, f"{path}?offset={offset}", body, f"Authorization: Bearer {load.token}\r\nContent-Encoding: zstd"
        )

    return request


def _mlflow(load: Load, run: str) -> Callable[[int], bytes]:
    def request(number: int) -> bytes:
        first = number * load.lines
        points = [
            {"key": f"metric_{n}", "value": 0.123456789 + n, "timestamp": 1_795_000_000_123, "step": step}
            for step in range(first, first + load.lines)
            for n in range(load.metrics)
        ]
        body = msgspec.json.encode({"run_id": run, "metrics": points})
        return _request(load, "/api/2.0/mlflow/runs/log-batch", body, "Content-Type: application/json")

    return request


def _request(load: Load, path: str, body: bytes, headers: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{load.port}\r\n{headers}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _deliver(load: Load, number: int, made: Callable[[int], bytes], found: Delivered, begin: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
    due, batch = begin + load.every * number / len(load.runs), 0
    while (now := time.perf_counter()) < begin + load.seconds:
        if due > now:
            await asyncio.sleep(due - now)
        request = made(batch)
        sent = time.perf_counter()
        writer.write(request)
        status = await _answered(reader)
        found.latencies.append(time.perf_counter() - sent)
        if status == "200":
            batch += 1
            found.points += load.lines * load.metrics
        else:
            found.refused[status] = found.refused.get(status, 0) + 1
        due = max(due + load.every, time.perf_counter() - load.every)
    writer.close()


async def _answered(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length:")[2].partition("\r\n")[0])
    await reader.readexactly(length)
    return head.split(" ", 2)[1]


async def _all(load: Load) -> Delivered:
    requests = [(_autolog if load.kind == "autolog" else _mlflow)(load, run) for run in load.runs]
    found = Delivered(0, 0.0, [], 0.0)
    begin = time.perf_counter()
    tasks = [asyncio.create_task(_deliver(load, n, made, found, begin)) for n, made in enumerate(requests)]
    done, waiting = await asyncio.wait(tasks, timeout=load.seconds + _PATIENCE)
    for task in waiting:
        task.cancel()
        found.refused["no answer"] = len(waiting)
    for task in done:
        task.result()
    found.seconds = time.perf_counter() - begin
    usage = resource.getrusage(resource.RUSAGE_SELF)
    found.cpu = usage.ru_utime + usage.ru_stime
    return found


if __name__ == "__main__":
    sys.stdout.buffer.write(
        msgspec.json.encode(asyncio.run(_all(msgspec.json.decode(sys.stdin.buffer.read(), type=Load))))
    )
