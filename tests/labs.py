"""Real training processes for tests: started, killed, and looked at afterwards."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from autolog import events, journal
from autolog.sidecar import progress
from autolog.store import read_run
from tests.waiting import PATIENCE, until


class Lab:
    """Starts scripts in a directory of their own and reads what they left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = folder / "runs"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTOLOG")}
        self.environment = {
            **kept,
            "AUTOLOG_DIR": str(self.runs),
            "AUTOLOG_PROJECT": "lab",
            "AUTOLOG_STRICT": "1",
            "AUTOLOG_SAMPLE_INTERVAL": "0.2",
        }
        self.started: list[subprocess.Popen[str]] = []
        self.patience = PATIENCE

    def script(self, text: str, name: str = "train.py") -> Path:
        path = self.folder / name
        path.write_text(textwrap.dedent(text))
        return path

    def start(
        self, text: str, *, before: tuple[str, ...] = (), name: str = "train.py", **environment: str
    ) -> subprocess.Popen[str]:
        """Start a script; ``before`` are words in front of it (``nohup``, ``autolog run``) instead of Python."""
        command = [*(before or (sys.executable,)), str(self.script(text, name))]
        process = subprocess.Popen(
            command,
            env=self.environment | environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def run(self, text: str, **options) -> subprocess.CompletedProcess[str]:
        """Run a script to its end, and its sidecars too."""
        process = self.start(text, **options)
        out, err = process.communicate(timeout=self.patience)
        self.settle(begun=options.get("AUTOLOG_SIDECAR") != "0")
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def autolog(self, *words: str, given: str = "", code: int = 0) -> str:
        """``autolog …``; what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "autolog.cli", *words], env=self.environment, cwd=self.folder, input=given,
            capture_output=True, text=True, timeout=4 * self.patience, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def begin_command(self, *words: str) -> subprocess.Popen[bytes]:
        """``autolog …``, not waited for."""
        return subprocess.Popen(
            [sys.executable, "-m", "autolog.cli", *words], env=self.environment, cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def directories(self) -> list[Path]:
        return sorted(path.parent for path in self.runs.glob("lab/*/journal.jsonl"))

    def only(self) -> Path:
        (directory,) = self.directories()
        return directory

    def summary(self):
        return read_run(self.only())

    def records(self, kind: type, name: str = journal.SYSTEM) -> list:
        return [record for record, _ in journal.read(self.only() / name) if isinstance(record, kind)]

    def sidecars(self) -> list[int]:
        """The process ids of all sidecars that have begun here."""
        return [
            record.pid
            for path in self.runs.glob("lab/*/system*.jsonl")
            for record, _ in journal.read(path)
            if isinstance(record, events.RunStart)
        ]

    def sidecar(self) -> int:
        """The sidecar's process id, once it is there."""
        until(self.sidecars)
        (pid,) = self.sidecars()
        return pid

    def kill_sidecar(self) -> int:
        """Kill the sidecar, once it is there, with what would start another one; the process id that it had."""
        pid = self.sidecar()
        for each in (parent_of(pid), pid):
            os.kill(each, signal.SIGKILL)
        until(lambda: not is_alive(pid))
        return pid

    def kill_beside(self) -> None:
        """Kill sidecars that would go on trying for long."""
        while left := self.beside():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def beside(self) -> list[int]:
        """Processes beside the trainings: sidecars, those that are just starting, and what starts them again."""
        return beside(self.runs)

    def settle(self, *, begun: bool = False) -> None:
        """Wait until no sidecar of these runs is left; with ``begun``, each run has one, which may just be starting."""
        if begun:
            until(lambda: len(self.sidecars()) >= len(self.directories()), self.patience)
        until(lambda: not self.beside(), self.patience)

    def until(self, condition) -> None:
        """Wait for something that has to happen."""
        until(condition)

    def delivery(self, name: str = "http") -> progress.State:
        """How far a backend is with the only run; nothing is known of it before it has begun."""
        return progress.states(self.only()).get(name, progress.State())

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        with contextlib.suppress(TimeoutError):
            self.settle()
        left = self.beside()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert not left, f"sidecars were left behind: {left}"


def beside(runs: Path) -> list[int]:
    """Sidecars of runs in that directory, those that are just starting, and what starts them again."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _is_beside(entry, runs)]


def _is_beside(entry: Path, runs: Path) -> bool:
    try:
        command = (entry / "cmdline").read_bytes()
    except OSError:
        return False
    return b"sidecar/__main__.py" in command and os.fsencode(runs) in command


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX" and b"autolog" in command


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.fixture
def lab(tmp_path: Path):
    lab = Lab(tmp_path)
    yield lab
    lab.close()


@pytest.fixture
def wait_until():
    return until
