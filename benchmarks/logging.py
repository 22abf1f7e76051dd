"""What a logged value, a run's begin and end, and a wrapped call cost the training process."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

from benchmarks.timing import Row, child, in_turn, quantile

__all__ = ["begin_and_end", "memory", "scalars", "wrapped_call"]


def scalars(times: int = 50_000) -> list[Row]:
    """``log_metric`` and ``log_metrics`` of ten, beside a bare ``os.write`` of as many bytes."""
    import autolog

    run = autolog.start_run()
    autolog.log_metric("loss", 0.123456789, 1)
    line = (run.directory / "journal.jsonl").read_bytes().splitlines(keepends=True)[-1]
    ten = {f"metric_{number}": number / 7 for number in range(10)}
    with tempfile.TemporaryDirectory(dir=run.directory) as folder:
        file = os.open(Path(folder) / "bare", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        spent = in_turn(
            {
                "log_metric": lambda: autolog.log_metric("loss", 0.123456789, 1),
                "os.write": lambda: os.write(file, line),
                "log_metrics": lambda: autolog.log_metrics(ten, 1),
            },
            times,
        )
        os.close(file)
    autolog.finish()
    p50 = {name: statistics.median(values) / 1000 for name, values in spent.items()}
    return [
        Row("log_metric, p50", f"{p50['log_metric']:.2f} us", "goal <= 2.5 us"),
        Row("log_metric, p99", f"{quantile(spent['log_metric'], 0.99) / 1000:.2f} us", "goal <= 20 us"),
        Row("os.write of as many bytes, p50", f"{p50['os.write']:.2f} us"),
        Row("log_metric / os.write, p50", f"{p50['log_metric'] / p50['os.write']:.2f}", "goal <= 2.5"),
        Row("log_metrics of ten, p50", f"{p50['log_metrics']:.2f} us", "goal <= 6 us"),
    ]


def wrapped_call(times: int = 100_000) -> list[Row]:
    """A function with a hook around it, beside the bare function."""
    import types

    from autolog.patching import Call, patch

    def bare(x: int, y: int = 2) -> int:
        return x + y

    module: Any = types.ModuleType("bench")
    module.function = bare

    def hook(_: Call) -> Generator[None, Any, None]:
        yield

    undo = patch(module, "function", hook)
    spent = in_turn({"bare": lambda: bare(1), "wrapped": lambda: module.function(1)}, times)
    undo()
    own = (statistics.median(spent["wrapped"]) - statistics.median(spent["bare"])) / 1000
    return [Row("a wrapped call's own overhead, p50", f"{own:.2f} us", "goal <= 5 us")]


_BEGIN_AND_END = """
import time, json, autolog
times = [time.perf_counter(), time.process_time()]
autolog.start_run()
times += [time.perf_counter(), time.process_time()]
autolog.log_metric("loss", 1.0)
times += [time.perf_counter(), time.process_time()]
autolog.finish()
times += [time.perf_counter(), time.process_time()]
print(json.dumps(times))
"""


def begin_and_end(rounds: int = 15) -> list[Row]:
    """Begin and end of a run as the training process sees them, sidecar included, each in a fresh process."""
    found = [json.loads(child(_BEGIN_AND_END, {})) for _ in range(rounds)]
    wall = {"start": (2, 0), "finish": (6, 4)}
    rows = []
    for name, (after, before) in wall.items():
        seen = statistics.median(times[after] - times[before] for times in found) * 1000
        cpu = statistics.median(times[after + 1] - times[before + 1] for times in found) * 1000
        rows.append(Row(f"{name} of a run: wall, and CPU of the process", f"{seen:.1f}, {cpu:.1f} ms", "goal <= 30 ms"))
    return rows


_MEMORY = """
import sys
{code}
fields = [line for line in open("/proc/self/smaps_rollup") if line.startswith("Private")]
print(sum(int(line.split()[1]) for line in fields))
"""


def memory(rounds: int = 5) -> list[Row]:
    """Private memory of a process that records 100,000 values, beside the same process without autolog."""
    recording = "import autolog\nfor i in range(100_000): autolog.log_metric('loss', i * 0.5, i)"
    bare = "for i in range(100_000): i * 0.5"
    kilobytes = {
        name: statistics.median(int(child(_MEMORY.format(code=code), {})) for _ in range(rounds))
        for name, code in {"recording": recording, "bare": bare}.items()
    }
    more = (kilobytes["recording"] - kilobytes["bare"]) / 1024
    return [Row("memory of the training process, more than without", f"{more:.1f} MiB", "goal <= 15 MB")]
