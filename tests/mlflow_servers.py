"""MLflow itself for tests: a real tracking server, killed and started again, and what it holds."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE, until

__all__ = ["MlflowServer", "connect", "history", "mlflow_server", "runs"]

_LEAN = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
"""The server of runs alone: its runner of jobs is several more processes, which import MLflow too."""


class MlflowServer:
    """``mlflow server`` over a SQLite database and a folder of artifacts.

    Args:
        folder: where both are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder}/server.db"

    def start(self) -> None:
        """Start it, on the same port and data; it answers when this returns."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port),
             "--workers", "1", "--backend-store-uri", self.database,
             "--artifacts-destination", f"{self.folder}/artifacts"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder, start_new_session=True,
            env=os.environ | _LEAN,
        )  # fmt: skip
        until(self._answers, 2 * PATIENCE)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "mlflow server ended"
        try:
            urllib.request.urlopen(f"{self.url}/health", timeout=2).close()
        except OSError:
            return False
        return True

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it and its workers."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, how)
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def mlflow_server(folder: Path) -> Iterator[MlflowServer]:
    """A server that runs meanwhile."""
    server = MlflowServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.end(signal.SIGKILL)


def connect(lab: Any, uri: str) -> Any:
    """Send the lab's runs to this MLflow; its own client of it."""
    from mlflow import MlflowClient

    lab.environment |= {
        "AUTOLOG_BACKEND": "local,mlflow",
        "AUTOLOG_MLFLOW_URI": uri,
        "AUTOLOG_EXIT_WAIT": "60",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ALLOW_FILE_STORE": "true",
    }
    lab.patience = 150
    client = MlflowClient(uri)
    client.search_experiments()  # MLflow takes seconds to make a database
    return client


def runs(client: Any, project: str = "lab") -> list[Any]:
    """The project's runs, oldest first."""
    experiment = client.get_experiment_by_name(project)
    return sorted(client.search_runs([experiment.experiment_id]), key=lambda run: run.info.start_time)


def history(client: Any, run: Any, name: str) -> list[tuple[int, float]]:
    """A metric's points: step and value."""
    return [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]
