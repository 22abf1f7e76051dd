"""What importing autolog and listing runs cost, as whole processes."""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from autolog import events
from autolog.naming import new_id, readable_name
from benchmarks.timing import Row, processes

__all__ = ["imports", "listing"]

PEERS = ("wandb", "mlflow", "comet_ml", "clearml")


def imports(rounds: int = 15) -> list[Row]:
    """``import autolog`` over a bare interpreter, beside the imports of its peers that are installed."""
    peers = [name for name in PEERS if importlib.util.find_spec(name) is not None]
    commands = {name: [sys.executable, "-c", f"import {name}"] for name in ("autolog", *peers)}
    cpu = processes({"bare": [sys.executable, "-c", "pass"], **commands}, rounds, {})
    own = {name: (seconds - cpu["bare"]) * 1000 for name, seconds in cpu.items() if name != "bare"}
    rows = [Row("import autolog over a bare interpreter, CPU", f"{own['autolog']:.0f} ms", "goal <= 60 ms")]
    for name in peers:
        rows.append(Row(f"import {name} over a bare interpreter, CPU", f"{own[name]:.0f} ms"))
        rows.append(Row(f"autolog / {name}", f"1/{own[name] / own['autolog']:.1f}", "goal <= 1/8"))
    return rows


def listing(root: Path, runs: int = 1000, rounds: int = 7) -> list[Row]:
    """``autolog ls`` over many runs, cold (the index is built) and warm."""
    for number in range(runs):
        _write_run(root / "bench", number)
    command = [sys.executable, "-m", "autolog.cli", "ls"]
    environment = {"AUTOLOG_DIR": str(root)}
    cold = _seconds(command, environment)
    wall = statistics.median(_seconds(command, environment) for _ in range(rounds))
    warm = processes({"ls": command}, rounds, environment)["ls"]
    return [
        Row(f"autolog ls over {runs} runs, first time (builds the index)", f"{cold:.2f} s"),
        Row(f"autolog ls over {runs} runs, warm: wall, and CPU", f"{wall:.2f}, {warm:.2f} s", "goal <= 0.5 s"),
    ]


def _seconds(command: list[str], environment: dict[str, str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


def _write_run(project: Path, number: int) -> None:
    now = 1.7e9 + number
    run_id = new_id(now)
    folder = project / run_id
    folder.mkdir(parents=True)
    lines: list[events.Record] = [
        events.RunStart(time=now, id=run_id, name=readable_name(run_id), project="bench", pid=1, host="elsewhere"),
        events.Params(time=now, values={f"param_{index}": index * number for index in range(20)}),
    ]
    lines += [
        events.Metrics(time=now + step, values={"loss": 1 / (step + 1), "acc": step / 50}, step=step)
        for step in range(50)
    ]
    lines.append(events.End(time=now + 50, status="completed"))
    (folder / "journal.jsonl").write_bytes(b"".join(events.encode(line) + b"\n" for line in lines))
