"""How a run stands: what its own process said and what the kernel said, merged into one status.

The rule, in order:

1. An ``end`` written while the process went on living (``finish()``, ``with start_run()``) is final: whatever
   happened to the process later is not this run's story.
2. An ``exit`` (the kernel's or a parent's word) outranks an ``end`` written while the process was ending.
3. An ``end`` alone counts as it stands.
4. Neither: the process itself is looked for. Gone without a word: killed, cause unknown. Out of sight (another
   machine, another boot, another pid namespace): lost once the heartbeats have stopped.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from autolog import process

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autolog import events

__all__ = ["STALE_AFTER", "Liveness", "liveness", "resolve", "signal_name", "strongest"]

Liveness: TypeAlias = Literal["alive", "gone", "rebooted", "unseen"]
"""``unseen``: this reader cannot see the process (another host or pid namespace, or no ``/proc``)."""

STALE_AFTER = 180.0
"""Seconds without any record after which a process out of sight counts as lost; the sidecar beats at least every 60."""

_RANK = {"pidfd": 0, "parent": 1, "zombie": 2, "faulthandler": 3, "none": 4}
_UNKNOWN_CAUSE = "the process is gone and left no word: killed, cause unknown"


def resolve(
    start: events.RunStart,
    end: events.End | None,
    exit: events.Exit | None,  # noqa: A002  (the record's own name)
    last_heartbeat: float,
    liveness: Liveness,
    *,
    now: float,
) -> tuple[events.Status, dict[str, Any]]:
    """The status of a run and how it ended; pure.

    Args:
        start: The run's newest ``run`` record of its main journal.
        end: The newest ``end`` after it, if any.
        exit: The :func:`strongest` ``exit`` after it, if any; one of another process is ignored.
        last_heartbeat: Time of the newest record of the run, of any kind (a sample is the usual one).
        liveness: What :func:`liveness` says of the run's process.
        now: The present, seconds since the epoch.

    Returns:
        The status, and a dictionary with those of ``exit_code``, ``signal`` (``"TERM"``), ``oom`` (only when true),
        ``exception``, ``source`` (who told: ``process`` or an ``exit`` source), ``cause`` (a sentence) that are known.
    """
    if exit is not None and exit.pid != start.pid:
        exit = None  # noqa: A001  (the same)
    if end is not None and (exit is None or not end.at_exit or exit.source == "none"):
        return _by_end(end)
    if exit is not None:
        return _by_exit(end, exit)
    return _by_sight(last_heartbeat, liveness, now)


def _by_end(end: events.End) -> tuple[events.Status, dict[str, Any]]:
    details: dict[str, Any] = {"source": "process"}
    if end.exit_code is not None:
        details["exit_code"] = end.exit_code
    if end.exception:
        details["exception"] = end.exception
    return end.status, details


def _by_exit(end: events.End | None, exit: events.Exit) -> tuple[events.Status, dict[str, Any]]:  # noqa: A002  (the same)
    details: dict[str, Any] = {"source": exit.source}
    if exit.detail:
        details["cause"] = exit.detail
    if end is not None and end.exception:
        details["exception"] = end.exception
    if exit.signal is not None:
        return _by_signal(end, exit.signal, details | ({"oom": True} if exit.oom else {}))
    if exit.exit_code is None:
        return "killed", {"cause": _UNKNOWN_CAUSE} | details
    details["exit_code"] = exit.exit_code
    if end is not None and end.status == "interrupted":
        return "interrupted", details
    if exit.exit_code != 0:
        return "failed", details
    details.pop("exception", None)
    return "completed", details


def _by_signal(end: events.End | None, number: int, details: dict[str, Any]) -> tuple[events.Status, dict[str, Any]]:
    details["signal"] = signal_name(number)
    if number == signal.SIGINT:
        return "interrupted", details
    if end is None:
        return "killed", details
    if end.status in ("failed", "interrupted"):
        return end.status, details
    return "killed", {"cause": "killed while shutting down, after the program had ended"} | details


def _by_sight(last_heartbeat: float, liveness: Liveness, now: float) -> tuple[events.Status, dict[str, Any]]:
    if liveness == "alive":
        return "running", {}
    if liveness == "gone":
        return "killed", {"source": "none", "cause": _UNKNOWN_CAUSE}
    if liveness == "rebooted":
        return "lost", {"source": "none", "cause": "the machine was restarted while the run was going on"}
    if now - last_heartbeat > STALE_AFTER:
        return "lost", {"source": "none", "cause": "the heartbeats stopped"}
    return "running", {}


def strongest(exits: Iterable[events.Exit], pid: int) -> events.Exit | None:
    """The most trustworthy ``exit`` record of process ``pid``: kernel, parent, zombie, signal dump, nothing."""
    mine = [record for record in exits if record.pid == pid]
    if not mine:
        return None
    best = min(mine, key=lambda record: _RANK.get(record.source, len(_RANK)))
    if any(record.oom for record in mine) and not best.oom and best.signal == signal.SIGKILL:
        best.oom = True
    return best


def signal_name(number: int) -> str:
    """``9`` → ``"KILL"``; an unnamed one (real-time signals) → its number."""
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return str(number)


def liveness(start: events.RunStart) -> Liveness:
    """Whether the process that wrote ``start`` is alive, as far as this process can see.

    Process ids are used again, so host, boot id, pid namespace and the process's start time must all agree.
    """
    here = process.identity()
    if not start.host or start.host != here.host or not start.boot or not here.boot:
        return "unseen"
    if start.boot != here.boot:
        return "rebooted"
    if start.pid_namespace and start.pid_namespace != here.pid_namespace:
        return "unseen"
    try:
        stat = Path(f"/proc/{start.pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "gone"
    fields = stat.rpartition(")")[2].split()
    if fields[0] in ("Z", "X") or float(fields[19]) != start.pid_started:
        return "gone"
    return "alive"
