"""The server: what 500 runs may send it at once, what its lists and charts take, beside MLflow's server.

``python -m benchmarks server`` measures it over SQLite and over PostgreSQL; the services are those of the tests.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import psutil

from autolog.server.storage.storing import storage_of
from benchmarks import server_data, server_reading
from benchmarks.load import Delivered, Load, names_of
from benchmarks.timing import Row, quantile
from tests.servers import Server

__all__ = ["measure"]

RUNS, LINES, METRICS = 500, 40, 10
"""Runs at once; records of a batch and values of a record, each second."""
SECONDS = float(os.environ.get("BENCH_SECONDS", "20"))


def measure() -> list[tuple[str, list[Row]]]:
    """All tables: a title and its rows."""
    with tempfile.TemporaryDirectory(prefix="autolog-bench-server-") as name:
        folder = Path(name)
        found = [("Server over SQLite: intake", _intake(folder / "sqlite", {}))]
        with _postgres() as variables:
            if variables:
                found.append(("Server over PostgreSQL: intake", _intake(folder / "postgres", variables)))
        with _postgres() as variables:
            if variables:
                found.append(("Server over PostgreSQL: reading", _reading_elsewhere(folder / "lists", variables)))
        if shutil.which("mlflow", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"):
            found.append(("MLflow's server over SQLite: the same", _mlflow(folder / "mlflow")))
        found.append(("Server over SQLite: reading", _reading(folder / "reading")))
        return found


@contextlib.contextmanager
def _server(folder: Path, variables: Mapping[str, str]) -> Iterator[Server]:
    folder.mkdir()
    server = Server(folder, dict(variables))
    server.start()
    try:
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def _postgres() -> Iterator[dict[str, str]]:
    """Variables for a server over a PostgreSQL and a bucket of its own; empty where they cannot be started."""
    from tests import stores

    binaries = stores._binaries()  # noqa: SLF001  the tests' own
    if binaries is None:
        yield {}
        return
    database = stores.Postgres(binaries)
    database.start()
    try:
        bucket = stores.Bucket()
        try:
            yield {"AUTOLOG_SERVER_DATABASE": database.create(),
                   "AUTOLOG_SERVER_ASSETS": f"s3://{bucket.name}/bench", **bucket.environment()}  # fmt: skip
        finally:
            bucket.end()
    finally:
        database.end()


class _Watched:
    """Memory and processor time of a process and its children while something is measured."""

    def __init__(self, pid: int) -> None:
        self._processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        self._begun = self.cpu()

    def cpu(self) -> float:
        """Seconds so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self._processes)

    @property
    def spent(self) -> float:
        """Processor seconds since the beginning."""
        return self.cpu() - self._begun

    @property
    def peak(self) -> float:
        """The most memory so far, in MB of all together."""
        return sum(_peak(process.pid) for process in self._processes) / 1000

    @property
    def now(self) -> float:
        """Memory now, in MB."""
        return sum(process.memory_info().rss for process in self._processes) / 1e6


def _peak(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) * 1.024
    return 0.0


def _deliver(load: Load) -> Delivered:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"], input=msgspec.json.encode(load), stdout=subprocess.PIPE, check=True
    )
    return msgspec.json.decode(done.stdout, type=Delivered)


def _rows(found: Delivered, watched: _Watched, *, goals: bool) -> list[Row]:
    refused = f", refused: {found.refused}" if found.refused else ""
    batches = len(found.latencies)
    return [
        Row("points a second", f"{found.points / found.seconds:,.0f}", "≥ 200,000" if goals else ""),
        Row("acknowledgement of a batch, p50", f"{1000 * quantile(found.latencies, 0.5):.0f} ms"),
        Row("acknowledgement of a batch, p99", f"{1000 * quantile(found.latencies, 0.99):.0f} ms",
            "≤ 250 ms" if goals else ""),
        Row(f"server's processor time a batch ({batches} of {LINES * METRICS} points{refused})",
            f"{1000 * watched.spent / max(1, batches):.2f} ms"),
        Row("client's processor time a batch", f"{1000 * found.cpu / max(1, batches):.2f} ms"),
        Row("server's memory, the most", f"{watched.peak:.0f} MB", "≤ 300 MB" if goals else ""),
        Row("load average", f"{os.getloadavg()[0]:.1f}"),
    ]  # fmt: skip


def _intake(folder: Path, variables: Mapping[str, str]) -> list[Row]:
    with _server(folder, variables) as server:
        assert server.process is not None
        watched = _Watched(server.process.pid)
        load = Load(port=server.port, kind="autolog", runs=names_of(RUNS), seconds=SECONDS, lines=LINES,
                    metrics=METRICS, token=server.admin)  # fmt: skip
        return _rows(_deliver(load), watched, goals=True)


def _mlflow(folder: Path) -> list[Row]:
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "2",
               "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
               "--artifacts-destination", str(folder)]  # fmt: skip
    with (folder / "log").open("wb") as log:
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # its workers do nothing here
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)
    try:
        while True:
            try:
                _ask(port, "GET", "/health")
                break
            except OSError:
                time.sleep(0.2)
        body = {"experiment_id": "0", "start_time": 1_795_000_000_000}
        made = [_ask(port, "POST", "/api/2.0/mlflow/runs/create", body)["run"]["info"]["run_id"] for _ in range(RUNS)]
        watched = _Watched(process.pid)
        load = Load(port=port, kind="mlflow", runs=made, seconds=SECONDS, lines=LINES, metrics=METRICS)
        return _rows(_deliver(load), watched, goals=False)
    finally:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.terminate()
        process.terminate()
        process.wait()


def _ask(port: int, method: str, path: str, body: Any = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        data = None if body is None else msgspec.json.encode(body)
        connection.request(method, path, data, {"Content-Type": "application/json"})
        text = connection.getresponse().read()
        return msgspec.json.decode(text) if text.startswith(b"{") else text
    finally:
        connection.close()


def _reading(folder: Path) -> list[Row]:
    folder.mkdir()
    server = Server(folder)
    server.options = ("--compact-after", "1000000")
    listed = server_data.many_runs(server.data / "listed", 10_000)
    charted = server_data.series_of(server.data / "charted", 50, 1000, runs=50)
    long = server_data.long_runs(server.data, "long", 100, 1_000_000)
    growing = server_data.growing_run(server.data / "growing", 1_000_000)
    return _read(server, listed, lambda: server_reading.charts(server, charted, long, growing))


def _reading_elsewhere(folder: Path, variables: Mapping[str, str]) -> list[Row]:
    folder.mkdir()
    server = Server(folder, variables)
    listed = server_data.many_runs(folder / "listed", 10_000)
    os.environ |= variables  # this process is a client of the bucket as well
    storage = storage_of(server.data, server.engine, variables["AUTOLOG_SERVER_ASSETS"])
    server_reading.deliver(storage, folder / "listed", "listed", listed)
    storage.close()
    return _read(server, listed, list)


def _read(server: Server, listed: list[str], charts: Callable[[], list[Row]]) -> list[Row]:
    server.start()
    try:
        assert server.process is not None
        watched = _Watched(server.process.pid)
        return [
            server_reading.indexed(server, len(listed)),
            *server_reading.lists(server, listed),
            *charts(),
            Row("server's memory, the most", f"{watched.peak:.0f} MB", "≤ 300 MB"),
            Row("load average", f"{os.getloadavg()[0]:.1f}"),
        ]
    finally:
        server.close()
