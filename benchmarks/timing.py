"""Measuring: medians and ratios of things taken in turn within one run, because machines are noisy."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

__all__ = ["Row", "child", "in_turn", "processes", "quantile", "show"]


class Row(NamedTuple):
    """One figure: what, how much, and the goal it is held against, if there is one."""

    what: str
    value: str
    goal: str = ""


def show(title: str, rows: Sequence[Row]) -> None:
    """Print figures as a table."""
    print(f"\n{title}")
    for row in rows:
        print(f"  {row.what:<58} {row.value:>16}  {row.goal}")


def quantile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of ``values`` do not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def processes(commands: Mapping[str, Sequence[str]], rounds: int, environment: Mapping[str, str]) -> dict[str, float]:
    """Median CPU seconds (user and system) of whole processes, run in turn.

    Args:
        commands: what to run, by name.
        rounds: how often each.
        environment: added to the processes' environment.
    """
    spent: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise RuntimeError(f"{command} failed with {process.returncode}")
            if number:  # the first round warms the file cache
                spent[name].append(usage.ru_utime + usage.ru_stime)
    return {name: statistics.median(values) for name, values in spent.items()}


def child(code: str, environment: Mapping[str, str]) -> str:
    """What a Python process prints that runs ``code``."""
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, check=True, capture_output=True, text=True
    )
    return done.stdout


def in_turn(actions: Mapping[str, Callable[[], object]], times: int) -> dict[str, list[int]]:
    """Nanoseconds of each single call, the actions taken in turn."""
    spent: dict[str, list[int]] = {name: [] for name in actions}
    clock = time.perf_counter_ns
    pairs = [(action, spent[name].append) for name, action in actions.items()]
    for _ in range(times):
        for action, keep in pairs:
            begin = clock()
            action()
            keep(clock() - begin)
    return spent
