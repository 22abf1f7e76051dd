"""What of a program's output must be the same: all but durations, places, addresses, redrawn lines, progress bars."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

__all__ = ["differences", "lines", "said"]

_NUMBER = r"[-+]?\d+(?:[.,]\d+)?(?:e[-+]?\d+)?"
_UNITS = (
    r"(?:s|sec|secs|second|seconds|ms|us|µs|ns|min|minutes|h|it/s|s/it|ms/it|B/s|kB/s|MB/s|examples/s|\?it/s"
    r"|ms/step|s/step|us/step|µs/step|ms/epoch|s/epoch| examples/s| samples/s)"
)
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\x1b\[[0-9;?]*[A-Za-z]"), ""),
    (re.compile(r"\d{4}-\d\d-\d\d[ T_]\d\d[:-]\d\d[:-]\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b[EWI]\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+"), "<time>"),  # absl: level, time, process
    (re.compile(r"0x[0-9a-fA-F]{6,}"), "<address>"),
    (re.compile(r"/tmp/[\w./-]*"), "<temporary>"),
    (re.compile(r"(?<![\w.])\d+:\d\d(?::\d\d)?(?:\.\d+)?(?![\w.])"), "<duration>"),
    (
        re.compile(r"(\w*(?:runtime|_per_second|duration|_time|elapsed)\w*['\"]?\s*[:=]\s*['\"]?)" + _NUMBER),
        r"\1<speed>",
    ),
    (re.compile(rf"(?<![\w.])(?:{_NUMBER}|\?)\s*{_UNITS}(?![\w/])"), "<duration>"),
    (re.compile(r"\b(localhost|127\.0\.0\.1|\[::1?\]):\d+"), r"\1:<port>"),
    (re.compile(r"\b(pid|process|PID|Process)([ =:]+)\d+"), r"\1\2<process>"),
    (re.compile(r"\s+<duration>"), " <duration>"),  # columns are padded
    (re.compile(r"^=+ (.*<duration>.*?) =+$"), r"\1"),  # pytest fills its last line up to the width
    (re.compile(r" +$"), ""),
)


_BAR = re.compile(r"\d+%\|[^|]*\| *\d+")
"""A progress bar of tqdm: how often it is drawn, and in what state it is left, depends on time."""


def lines(text: str, folder: str) -> list[str]:
    """A program's output as it is compared.

    Args:
        text: what was printed.
        folder: its working directory, which differs from run to run.
    """
    shown = [line.rstrip("\r").rpartition("\r")[2].replace("\b", "") for line in text.split("\n")]
    kept = []
    for line in shown:
        if _BAR.search(line):
            continue
        seen = line.replace(folder, "<folder>")
        for pattern, replacement in _RULES:
            seen = pattern.sub(replacement, seen)
        if not said(seen):
            kept.append(seen)
    return kept


def said(line: str) -> bool:
    """Whether a line is autolog's own."""
    return line.startswith("autolog: ")


def differences(bare: Sequence[Sequence[str]], ours: Sequence[Sequence[str]]) -> list[str]:
    """What one of ``ours`` shows and none of ``bare``, or the other way round, as lines of a diff.

    Lines in which the bare runs differ among themselves are no difference.
    """
    common = set(bare[0]).intersection(*bare[1:])
    ever = set().union(*bare)
    for text in ours:
        if text in bare:
            continue
        more = [f"+ {line}" for line in text if line not in ever]
        less = [f"- {line}" for line in common if line not in set(text)]
        stable = len({tuple(each) for each in bare}) == 1
        found = more + less if not stable else [each for each in difflib.ndiff(bare[0], text) if each[:1] in "+-"]
        if found:
            return found
    return []
