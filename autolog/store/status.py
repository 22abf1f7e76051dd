"""How a run stands: what its own process said and what the kernel said, merged into one status.

The rule, in order:

1. An ``end`` written while the process went on living (``finish()``, ``with start_run()``) is final: whatever
   happened to the process later is not this run's story.
2. An ``exit`` (the kernel's or a parent's word) outranks an ``end`` written while the process was ending.
3. An ``end`` alone counts as it stands.
4. Neither: the process itself is looked for. Gone without a word: killed, cause unknown. Out of sight (another
   machine, another boot, another pid namespace): lost once the heartbeats have stopped.

A job stands as its rank 0 does; :func:`of_job` has the one exception.
"""

from __future__ import annotations

import math
import signal
from typing import TYPE_CHECKING, Any, NamedTuple

from autolog.process import Liveness, liveness

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from autolog import events

__all__ = ["STALE_AFTER", "Fate", "Liveness", "liveness", "of_job", "resolve", "signal_name", "strongest", "unheard"]

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


def unheard(others: Sequence[Fate]) -> Fate:
    """Rank 0 of a run in which only other ranks have said anything: ended before its first word, once they have."""
    if any(fate.status == "running" for fate in others):
        return Fate(0, "running", {}, math.inf)
    return Fate(0, "killed", {"source": "none", "cause": _UNKNOWN_CAUSE}, math.inf)


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


class Fate(NamedTuple):
    """How one rank of a job ended."""

    rank: int
    status: events.Status
    details: dict[str, Any]
    """As of :func:`resolve`."""
    time: float
    """When; infinite where nobody knows."""


def of_job(main: Fate, others: Iterable[Fate]) -> tuple[events.Status, dict[str, Any]]:
    """The status of a run of several ranks: that of rank 0, with the rank that failed before it named; pure.

    Where rank 0 did not fail but was only ended by its launcher after that, the run ended as the failed rank did; so it
    did where nobody knows how rank 0 ended.

    Args:
        main: Rank 0.
        others: The other ranks.

    Returns:
        The status, and details as of :func:`resolve`; ``rank`` is among them where another rank failed first.
    """
    own = main.status, main.details
    if main.status not in ("failed", "killed"):
        return own
    ended_by = main.details.get("signal")
    failed = [fate for fate in others if fate.time <= main.time and _failed_by_itself(fate, ended_by)]
    if not failed:
        return own
    first = min(failed, key=lambda fate: fate.time)
    if main.status == "killed" and ended_by in ("TERM", "KILL", None) and not main.details.get("oom"):
        then = f"was then ended by signal {ended_by}" if ended_by else "left no word of its end"
        cause = f"rank {first.rank} {first.status} first; rank {main.rank} {then}"
        return first.status, first.details | {"rank": first.rank, "cause": cause}
    return main.status, main.details | {"rank": first.rank, "cause": f"rank {first.rank} {first.status} first"}


def _failed_by_itself(fate: Fate, ended_by: str | None) -> bool:
    """A launcher ends all ranks by the same signal, and that first of all by SIGTERM."""
    number = fate.details.get("signal")
    if fate.status == "killed":
        return number != "TERM" and (number != ended_by or "oom" in fate.details)
    return fate.status == "failed"


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
