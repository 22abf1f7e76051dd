"""The part of a program's processor time that is autolog's, found by looking at its stack; see ``sampler``.

Two processor times compared tell little where others work on the same machine: of one program of 11 s, bare runs took
between 11.3 and 17.8 s. The share within one run is the same to a percent each time.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["SAMPLER", "Share", "share"]

SAMPLER = Path(__file__).with_name("sampler")
"""Folder for ``PYTHONPATH``."""


class Share(NamedTuple):
    """Where the processor time of a program under autolog went."""

    autolog: float
    """Seconds: of the command ``autolog run``, of importing autolog, and of all that it did in the program."""
    program: float
    """Seconds of the program itself, in the main threads of all its processes."""
    places: dict[str, float]
    """The functions of autolog's in which most of it was spent, with their seconds."""

    @property
    def ratio(self) -> float:
        """The program's time with autolog over that without."""
        return 1 + self.autolog / self.program


def share(files: Sequence[Path], start: float) -> Share:
    """What the sampler wrote of one program.

    Args:
        files: one of each process.
        start: seconds that Python takes to start without autolog.
    """
    places: Counter[str] = Counter()
    ours = program = 0.0
    for path in files:
        told: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if told["command"]:
            ours += told["all"] - start
            continue
        places.update(told["ours"])
        spent = sum(told["ours"].values()) + max(told["before"] - start, 0.0)
        ours += spent
        program += told["before"] + told["main"] - spent
    return Share(ours, max(program, 1e-9), dict(places.most_common(12)))
