"""``autolog doctor``: what backends have not got yet, or will never take, of the newest runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autolog import config
from autolog.cli.doctor_checks import Finding
from autolog.sidecar import progress
from autolog.sidecar.frame import may_go_on

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["delivery"]

_LOOKED_AT = 200
_SHOWN = 10


def delivery() -> Iterator[Finding]:
    """Runs that are over and not delivered, and why; of runs that go on only what fails."""
    found = sorted(config.runs_root().glob(f"*/*/{progress.FILE}"), key=lambda path: path.parent.name, reverse=True)
    waiting: dict[tuple[str, str], list[int]] = {}
    for path in found[:_LOOKED_AT]:
        for name, state in progress.states(path.parent).items():
            left = progress.undelivered(path.parent, [name], samples=True).get(name, 0)
            reason = state.refused or state.error
            if (left or not state.done) and (reason or not may_go_on(path.parent)):
                waiting.setdefault((name, reason), []).append(left)
    for (name, reason), sizes in list(waiting.items())[:_SHOWN]:
        told = f"{len(sizes)} runs wait, {sum(sizes)} bytes; `autolog sync` delivers them"
        yield Finding(name, False if reason else None, f"{told}: {reason}" if reason else told)
