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
begun = time.perf_counter()
with autolog.start_run():
    for n in range(100):
        autolog.log_metric("loss", 1.0, step=n)
print((time.perf_counter() - begun) * 1000)
"""
_MODES = ("refuse", "reset", "hang", "500", "slow")


def measure(rounds: int = 11) -> list[Row]:
    """Begin of a run, a hundred values and its end, in the training's own process; the server behaves badly."""
    proxy = FaultProxy(1)
    took: dict[str, list[float]] = {"local": [], **{mode: [] for mode in _MODES}}
    try:
        for _ in range(rounds):
            for mode, times in took.items():
                proxy.mode = "pass" if mode == "local" else mode
                times.append(_once(proxy.url if mode != "local" else ""))
    finally:
        proxy.close()
    alone = statistics.median(took["local"])
    rows = [Row("a run with 100 values, kept locally", f"{alone:.1f} ms")]
    for mode in _MODES:
        more = statistics.median(took[mode]) - alone
        rows.append(Row(f"the same with a server: {mode}; more than locally", f"{more:+.1f} ms", "goal <= 30 ms"))
    return rows


def _once(url: str) -> float:
    more = {"AUTOLOG_BACKEND": "local,http", "AUTOLOG_URL": url} if url else {"AUTOLOG_BACKEND": "local"}
    environment = {**os.environ, **more, "AUTOLOG_EXIT_WAIT": "0.1"}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=environment, check=True, capture_output=True, text=True
    )  # fmt: skip
    return float(done.stdout)
