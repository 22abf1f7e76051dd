"""What a server that is dead, hangs or fails costs the training process: nothing beside a run that is kept locally."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from benchmarks.timing import Row
from tests.fault_proxy import FaultProxy

__all__ = ["measure"]

_PROGRAM = """
import sys, time
import autolog
begun, used = time.perf_counter(), time.process_time()
with autolog.start_run():
    for n in range(100):
        autolog.log_metric("loss", 1.0, step=n)
print((time.perf_counter() - begun) * 1000, (time.process_time() - used) * 1000)
"""
_MODES = ("refuse", "reset", "hang", "500", "slow")


def measure(rounds: int = 11) -> list[Row]:
    """Begin of a run, a hundred values and its end, in the training's own process; the server behaves badly."""
    proxy = FaultProxy(1)
    took: dict[str, list[tuple[float, float]]] = {"local": [], **{mode: [] for mode in _MODES}}
    try:
        for _ in range(rounds):
            for mode, times in took.items():
                proxy.mode = "pass" if mode == "local" else mode
                times.append(_once(proxy.url if mode != "local" else ""))
    finally:
        proxy.close()
    alone, used = _medians(took["local"])
    rows = [Row("a run with 100 values, kept locally: wall, and CPU", f"{alone:.1f} ms, {used:.1f} ms")]
    for mode in _MODES:
        wall, cpu = _medians(took[mode])
        more = f"{wall - alone:+.1f} ms, {cpu - used:+.1f} ms"
        rows.append(Row(f"the same with a server: {mode}; more than locally", more, "goal <= 30 ms"))
    return rows


def _medians(times: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(wall for wall, _ in times), statistics.median(cpu for _, cpu in times)


def _once(url: str) -> tuple[float, float]:
    """Milliseconds, and those of CPU: what other processes do at the same time is not in those."""
    more = {"AUTOLOG_BACKEND": "local,http", "AUTOLOG_URL": url} if url else {"AUTOLOG_BACKEND": "local"}
    environment = {**os.environ, **more, "AUTOLOG_EXIT_WAIT": "0.1"}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=environment, check=True, capture_output=True, text=True
    )  # fmt: skip
    wall, cpu = done.stdout.split()
    return float(wall), float(cpu)
