"""``autolog doctor``'s test run: recorded by a real process beside a real sidecar, and killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autolog import events, journal
from autolog.cli.doctor_checks import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["recording"]

_PATIENCE = 20.0
"""Seconds that a sidecar has to show itself."""

_PROBE = """
import os, signal, sys, time
import autolog
run = autolog.start_run("doctor", project="doctor")
run.log_metric("probe", 1.0)
print(run.directory, flush=True)
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""


def recording() -> list[Finding]:
    """Record a real run in a process of its own, wait for its sidecar, kill the process and see who tells of it."""
    with tempfile.TemporaryDirectory(prefix="autolog-doctor-", ignore_cleanup_errors=True) as folder:
        environment = {name: text for name, text in os.environ.items() if not name.startswith("AUTOLOG")}
        environment |= {"AUTOLOG_DIR": folder, "AUTOLOG_SAMPLE_INTERVAL": "1"}
        with subprocess.Popen(
            [sys.executable, "-c", _PROBE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=environment, cwd=folder,
        ) as probe:  # fmt: skip
            return _watch(probe)


def _watch(probe: subprocess.Popen[str]) -> list[Finding]:
    if probe.stdin is None or probe.stdout is None or probe.stderr is None:
        raise RuntimeError("the probe was started without pipes")
    where = probe.stdout.readline().strip()
    if not where:
        lines = probe.stderr.read().strip().splitlines() or ["it said nothing"]
        return [Finding("recording", False, f"a test run could not be recorded: {lines[-1]}")]
    run = Path(where)
    sample = _await(run, events.System)
    findings = [_recorded(run)]
    if sample is None:
        text = f"no sign of it within {_PATIENCE:.0f} s; without it there are no system samples"
        findings.append(Finding("sidecar", False, text))
    else:
        findings.append(Finding("sidecar", True, "starts, and samples the system"))
    probe.stdin.write("\n")
    probe.stdin.flush()
    probe.wait()
    findings.append(_told(_await(run, events.Exit) if sample is not None else None))
    _settle(run)
    return findings


def _recorded(run: Path) -> Finding:
    found = [record for record in _records(run) if isinstance(record, events.Metrics)]
    text = "a test run was recorded and read back" if found else f"the test run in {run} lacks its metric"
    return Finding("recording", bool(found), text)


def _told(told: events.Exit | None) -> Finding:
    if told is None:
        return Finding("cause of death", None, "not told: a killed run will say killed, cause unknown")
    known = told.signal is not None
    return Finding("cause of death", known or None, f"told by {told.source}" + ("" if known else f": {told.detail}"))


def _await(run: Path, kind: type[Any]) -> Any:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        found = next((record for record in _records(run) if isinstance(record, kind)), None)
        if found is not None:
            return found
        time.sleep(0.05)
    return None


def _settle(run: Path) -> None:
    """Let the sidecar finish before its directory goes: it has nothing more to write once the files stay the same."""
    before: list[int] = []
    for _ in range(20):
        sizes = [path.stat().st_size for path in sorted(run.glob("*"))]
        if sizes == before:
            return
        before = sizes
        time.sleep(0.1)


def _records(run: Path) -> Iterator[events.Record]:
    for path in journal.journals(run):
        for record, _ in journal.read(path):
            yield record
