"""The end of the training process: wait a little for the delivery to other places than the run's directory.

Only once, when the process ends, and for all its runs together: a program that makes hundreds of runs in turn is
held up by none of them.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from autolog import config
from autolog.saying import say
from autolog.sidecar import progress

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["remember", "wait"]

_SHOWN_FROM = 0.3
"""Seconds of waiting before that is shown."""
_EVERY = 0.05
_ended: dict[Path, tuple[str, list[str]]] = {}
"""Runs of this process that have ended: their ids, and the backends that are to get them."""
_owner: list[int] = []
"""The process whose runs these are: a fork has not to wait for those of its parent."""


def remember(run: Run) -> None:
    """A run has ended: at the end of the process, its delivery is waited for."""
    settings = config.settings()
    names = progress.remote(settings)
    if names and settings.sidecar:
        if _owner != [os.getpid()]:
            _owner[:] = [os.getpid()]
            _ended.clear()
        _ended[run.directory] = run.id, names


def wait() -> None:
    """Wait until what this process has recorded is delivered, at most the setting ``exit_wait``; say what remains."""
    if not _ended or _owner != [os.getpid()]:
        return
    begun = time.monotonic()
    until = begun + config.settings().exit_wait
    shown = False
    try:
        while (left := _left()) and (now := time.monotonic()) < until:
            if now - begun > _SHOWN_FROM:
                shown = _show(left) or shown
            time.sleep(_EVERY)
    except KeyboardInterrupt:  # the person has no wish to wait; that it is said what remains is the answer to it
        left = _left()
    finally:
        if shown:
            _draw("")
    _say_refused()
    if left:
        _say(left)
    _ended.clear()


def _left() -> dict[Path, dict[str, int]]:
    """Bytes that backends lack, by run and backend; backends that refuse a run for good are not waited for."""
    left = {}
    for directory, (_, names) in list(_ended.items()):
        known = progress.states(directory)
        lacking = progress.undelivered(directory, names)
        if not lacking:
            del _ended[directory]
        elif waiting := {
            name: count for name, count in lacking.items() if name not in known or not known[name].refused
        }:
            left[directory] = waiting
    return left


def _say_refused() -> None:
    for directory, (run_id, names) in _ended.items():
        known = progress.states(directory)
        for name in names:
            if name in known and known[name].refused:
                say(f"{name} does not take the run {run_id}: {known[name].refused}. The record is in {directory}.")


def _say(left: dict[Path, dict[str, int]]) -> None:
    reasons: dict[str, str] = {}
    size: dict[str, int] = {}
    for directory, lacking in left.items():
        known = progress.states(directory)
        for name, count in lacking.items():
            reasons[name] = (known[name].error if name in known else "") or reasons.get(name, "")
            size[name] = size.get(name, 0) + count
    told = ", ".join(
        f"{name} ({_bytes(size[name])} left{f': {reason}' if reason else ''})" for name, reason in reasons.items()
    )
    if len(left) == 1:
        (directory,) = left
        where, what = str(directory), f"`autolog sync {_ended[directory][0]}`"
    else:
        where, what = f"{len(left)} runs below {_common(list(left))}", "`autolog sync`"
    say(
        f"not everything has reached {told} yet. The record is complete in {where}; the sidecar goes on trying for a "
        f"while, and {what} delivers what is left."
    )


def _common(directories: list[Path]) -> str:
    return os.path.commonpath([str(directory) for directory in directories])


def _show(left: dict[Path, dict[str, int]]) -> bool:
    """Show what is being waited for, where somebody sees it; whether it was shown."""
    parts = []
    for directory, lacking in left.items():
        known = progress.states(directory)
        for name, count in lacking.items():
            doing = known[name].doing if name in known else ""
            failing = known[name].error if name in known else ""
            parts.append(f"{name}: {doing or failing or f'{_bytes(count)} left'}")
    return _draw("autolog: delivering to " + "; ".join(parts))


def _draw(text: str) -> bool:
    """Write on the line below the cursor, which stays where the program has left it; whether there is a terminal."""
    try:
        if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
            return False
        width = (os.get_terminal_size(sys.stderr.fileno()).columns or 80) - 1
        # Down and up again: at the bottom of the screen that makes room, which moves what is saved afterwards.
        sys.stderr.write(f"\033D\033M\0337\r\n\033[K{text[:width]}\0338")
        sys.stderr.flush()
    except Exception:  # no terminal after all, or none any more
        return False
    return True


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
