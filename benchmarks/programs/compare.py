"""A program run in turn bare and under ``autolog run``, and what differs."""

from __future__ import annotations

import json
import os
import statistics
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.programs.catalogue import GALLERY, Program
from benchmarks.programs.output import differences, lines, said
from benchmarks.programs.processes import Ended, run
from benchmarks.programs.share import SAMPLER, Share, share

__all__ = ["Compared", "compare"]

_LONG = 5.0
"""Seconds of processor time above which a program's is compared: below it, start and end of processes count most."""


class Compared(NamedTuple):
    """What came of one program."""

    name: str
    framework: str
    codes: tuple[int, int]
    """Exit codes, bare and under autolog."""
    differences: list[str]
    """Lines printed by one and not by the other."""
    said: list[str]
    """Lines that autolog printed."""
    problems: list[str]
    """Errors inside autolog, and records that cannot be read."""
    runs: int
    children: int
    """Runs and child runs that autolog recorded in one turn."""
    cpu: tuple[float, float]
    """Medians of the processor time, bare and under autolog."""
    ratio: float
    """Median of the ratios of each turn."""
    sidecar: float
    """Median of the processor time of autolog's own process."""
    share: Share | None
    """Where the time of a run of its own went, if that was asked for."""

    @property
    def is_long(self) -> bool:
        """Whether the program takes long enough for its processor time to be compared."""
        return self.cpu[0] >= _LONG

    @property
    def is_same(self) -> bool:
        """Whether a user could not tell the two apart but by their time."""
        return self.codes[0] == self.codes[1] and not self.differences and not self.problems


def compare(
    program: Program, data: Path, *, repeat: int, strict: bool, timeout: float, sampled: bool = False
) -> Compared:
    """Run a program bare and under autolog, in turn.

    Args:
        program: what to run.
        data: where :func:`benchmarks.programs.data.make` has put its files.
        repeat: how often each.
        strict: raise autolog's own errors in the program.
        timeout: seconds for one run.
        sampled: run it once more, and look at where its time goes.
    """
    bare: list[tuple[Ended, Path]] = []
    ours: list[tuple[Ended, Path]] = []
    told = _Told([], 0, 0)
    with tempfile.TemporaryDirectory(prefix="autolog-programs-") as place:
        for turn in range(repeat):
            pair = ["bare", "ours"] if turn % 2 == 0 else ["ours", "bare"]
            for side in pair:
                folder = Path(place) / f"{side}-{turn}"
                folder.mkdir()
                ended = _run(program, folder, data, ours=side == "ours", strict=strict, timeout=timeout)
                (bare if side == "bare" else ours).append((ended, folder))
        if all(not ended.timed_out for ended, _ in ours):
            told = _recorded(ours[-1][1])
        found = _sampled(program, Path(place), data, timeout) if sampled else None
    return _compared(program, bare, ours, told)._replace(share=found)


def _sampled(program: Program, place: Path, data: Path, timeout: float) -> Share:
    """The shares of one more run."""
    folders = {name: place / name for name in ("start", "sampled")}
    for folder in folders.values():
        folder.mkdir()
    variables = {name: _sampling(folder) for name, folder in folders.items()}
    run([sys.executable, "-c", "pass"], folders["start"], _variables(folders["start"], variables["start"]), timeout)
    (bare,) = folders["start"].glob("samples.*")
    chosen = program._replace(variables={**program.variables, **variables["sampled"]})
    _run(chosen, folders["sampled"], data, ours=True, strict=False, timeout=timeout)
    return share([*folders["sampled"].glob("samples.*")], json.loads(bare.read_text("utf-8"))["all"])


def _sampling(folder: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(SAMPLER), "AUTOLOG_BENCH_SAMPLES": str(folder / "samples")}


def _run(program: Program, folder: Path, data: Path, *, ours: bool, strict: bool, timeout: float) -> Ended:
    places = {"packages": sysconfig.get_path("purelib"), "gallery": str(GALLERY), "data": str(data)}
    words = [word.format(**places) if word.startswith("{") else word for word in program.words]
    before = ["-m", "autolog.cli", "run"] if ours else []
    variables = _variables(folder, program.variables) | ({"AUTOLOG_STRICT": "1"} if strict and ours else {})
    return run([sys.executable, *before, *words], folder, variables, timeout)


def _variables(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("AUTOLOG")}
    return kept | {
        "AUTOLOG_DIR": str(folder / "autolog-runs"),
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder / "hf"),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "MPLBACKEND": "agg",
        "COLUMNS": "120",
        **more,
    }


class _Told(NamedTuple):
    problems: list[str]
    runs: int
    children: int


def _recorded(folder: Path) -> _Told:
    from autolog.testing import recording

    root = folder / "autolog-runs"
    told = recording(root)
    return _Told(told.problems, len(list(root.glob("*/*/journal.jsonl"))), len(told.children))


def _compared(
    program: Program, bare: list[tuple[Ended, Path]], ours: list[tuple[Ended, Path]], told: _Told
) -> Compared:
    found: list[str] = []
    for stream in ("stdout", "stderr"):
        texts = [[lines(getattr(ended, stream), str(folder)) for ended, folder in side] for side in (bare, ours)]
        found += [f"{stream} {line}" for line in differences(*texts)]
    if any(ended.timed_out for ended, _ in (*bare, *ours)):
        found.append("timed out")
    talk = [line for ended, _ in ours for line in (ended.stdout + ended.stderr).splitlines() if said(line)]
    errors = [line for line in talk if "error in" in line]
    codes = (bare[0][0].code, next((ended.code for ended, _ in ours if ended.code != bare[0][0].code), ours[0][0].code))
    return Compared(
        program.name, program.framework, codes, found, list(dict.fromkeys(talk)),
        list(dict.fromkeys([*told.problems, *errors])), told.runs, told.children,
        (statistics.median(ended.cpu for ended, _ in bare), statistics.median(ended.cpu for ended, _ in ours)),
        statistics.median(mine.cpu / theirs.cpu for (theirs, _), (mine, _) in zip(bare, ours, strict=True)),
        statistics.median(ended.left_behind for ended, _ in ours),
        None,
    )  # fmt: skip
