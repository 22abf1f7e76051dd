"""When weights and gradients are looked at, how much time that may take, what is written. No framework here.

A snapshot holds the histograms of all tensors of one kind (``weights``, ``gradients``, ``activations``) in one asset.
It is taken as often as the setting ``weights`` says and as the budget allows: autolog's own time, that of the device
included, may be the share ``weights_budget`` of the time in which the process has trained, beside a little that every
process has for a start. What is due and would cost more is left out, and the fact ``weights`` says so.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from autolog import config, patching
from autolog.captures import Captured

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["CAPTURES", "DETAILS", "Budget", "Detail", "Snapshots", "begin", "checked", "due", "every", "total_norm"]

CAPTURES = (
    Captured("histograms of weights and biases, all of a moment in one asset", "asset", ("weights",)),
    Captured("histograms of gradients", "asset", ("gradients",), "trained with torch"),
    Captured("histograms of what the layers put out", "asset", ("activations",), "with `activations`, torch modules"),
    Captured("the norm of all weights that are trained", "metric", ("autolog/weight_norm",)),
    Captured("the norm of all gradients of a step", "metric", ("autolog/gradient_norm",), "trained with torch"),
    Captured("how many there are, what was left out and why, what it took", "fact", ("weights",)),
)

GRACE = 0.1
"""Seconds that a process may spend beyond its share: a short training has its snapshots too."""
_PATIENCE = 4
_DECAY = 0.9
_NAMED = 20


class Detail(NamedTuple):
    """How much of a model one snapshot shows."""

    bins: int
    tensors: int
    """At most so many, those with the most elements."""


DETAILS = (Detail(32, 512), Detail(16, 64), Detail(16, 16))
"""From the full one to the least. The numbers of bins are powers of two: their widths are then exact."""


def every(asked: str | None = None) -> str | int | None:
    """When snapshots are due: ``"epoch"``, a number of steps, or ``None`` where nothing is to be recorded.

    Args:
        asked: what a callback asks for its training, see :func:`checked`; without it, the setting ``weights``.
    """
    chosen = config.settings()
    schedule = chosen.weights if asked is None else asked
    if schedule == "off" or chosen.weights_budget <= 0:
        return None
    return "epoch" if schedule == "epoch" else int(schedule)


def checked(asked: Any, source: str) -> str | None:
    """The option ``weights`` of a callback or logger, as :func:`every` takes it.

    Args:
        asked: ``"epoch"``, ``"off"`` or a number of steps; ``None``: as the setting says.
        source: who was given it, for the message.

    Raises:
        ValueError: it is none of these.
    """
    return None if asked is None else config.weights_schedule(asked, source)


def due(schedule: str | int, before: int, now: int, *, epochs: bool) -> bool:
    """Whether a snapshot is due at step ``now``, the last look having been at step ``before``.

    Args:
        schedule: see :func:`every`.
        before: an earlier step.
        now: the step reached.
        epochs: whether the training has epochs; one without has its snapshots at the steps 1, 2, 4, 8 …
    """
    if isinstance(schedule, int):
        return now // schedule > before // schedule
    return not epochs and now.bit_length() > before.bit_length()


class Budget:
    """Time spent and time trained, of all trainings of a process together.

    Spent is processor time of this thread, which other programs beside it cannot make longer. Trained is time passed,
    or the processor time of the whole process where that is less: waiting for others is no training.

    Args:
        grace: seconds that may be spent before anything has been trained.
        clock: seconds passed.
        work: seconds of processor time of the process.
        cpu: seconds of processor time of this thread.
    """

    def __init__(
        self,
        grace: float = GRACE,
        clock: Callable[[], float] = time.perf_counter,
        work: Callable[[], float] = time.process_time,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self.clock = clock
        self.work = work
        self.cpu = cpu
        self.spent = 0.0
        self._grace = grace
        self._trained = 0.0
        self._open = 0
        self._since = (0.0, 0.0)

    def begin(self) -> None:
        """A training begins."""
        if not self._open:
            self._since = self.clock(), self.work()
        self._open += 1

    def end(self) -> None:
        """A training that has begun ends."""
        self._open -= 1
        if not self._open:
            self._trained += self._passed()

    def _passed(self) -> float:
        passed, worked = self._since
        return min(self.clock() - passed, self.work() - worked)

    def left(self, share: float) -> float:
        """Seconds that may be spent now; negative after a snapshot that took longer than expected."""
        trained = self._trained + (self._passed() if self._open else 0.0)
        return self._grace + share * trained - self.spent


process_budget = Budget()


class Snapshots:
    """The snapshots of one training: whether the next one can be had, what it costs, its record."""

    def __init__(self, run: Run, schedule: str | int, budget: Budget) -> None:
        self.run = run
        self.schedule = schedule
        self.budget = budget
        self.share = config.settings().weights_budget
        self._level = 0
        self._expected: dict[tuple[str, int], float] = {}
        self._skipped_in_a_row = 0
        self._taken: dict[str, int] = {}
        self._skipped: dict[str, int] = {}
        self._absent: dict[str, dict[str, None]] = {}
        self._spent = 0.0
        self._costs: dict[str, float] = {}
        self._said: dict[str, Any] = {}

    def knows(self, kind: str) -> bool:
        """Whether it is known what such a snapshot costs: else :meth:`detail` needs an estimate."""
        return (kind, self._level) in self._expected

    def detail(self, kind: str, estimate: Callable[[Detail], float] | None = None) -> Detail | None:
        """How much the snapshot that is due may show; ``None``: the budget does not allow for it, it is skipped.

        After some skipped in a row the following ones show less, for good: a series should stay comparable.

        Args:
            kind: ``weights``, ``gradients``, ``activations``.
            estimate: seconds such a snapshot may take, where none has been taken yet; without it none at all.
        """
        key = (kind, self._level)
        detail = DETAILS[self._level]
        if estimate is not None and key not in self._expected:
            self._expected[key] = estimate(detail)
        if self._expected.get(key, 0.0) < self.budget.left(self.share):
            self._skipped_in_a_row = 0
            return detail
        self._costs.pop(kind, None)
        if key in self._expected:
            self._expected[key] *= _DECAY  # one slow measurement must not silence the rest
        self._skipped[kind] = self._skipped.get(kind, 0) + 1
        self._skipped_in_a_row += 1
        if self._skipped_in_a_row >= _PATIENCE and self._level + 1 < len(DETAILS):
            self._level += 1
            self._skipped_in_a_row = 0
        if sum(self._skipped.values()) in (1, _PATIENCE):
            self.say()
        return None

    @contextmanager
    def spending(self, kind: str = "") -> Iterator[None]:
        """A block whose time is counted, as part of what a snapshot of this kind costs."""
        began = self.budget.cpu()
        try:
            yield
        finally:
            self.spend(kind, self.budget.cpu() - began)

    def spend(self, kind: str, seconds: float) -> None:
        """Count time of ours, such as a device's."""
        self.budget.spent += seconds
        self._spent += seconds
        self._costs[kind] = self._costs.get(kind, 0.0) + seconds

    def finished(self, kind: str) -> None:
        """A snapshot is on record: the next one is expected to cost as much. The first one loads what it needs, too."""
        cost, key = self._costs.pop(kind, 0.0), (kind, self._level)
        first = self._taken.get(kind, 0) < 2
        self._expected[key] = min(cost, self._expected.get(key, cost)) if first else cost

    def absent(self, reason: str, name: str) -> None:
        """A tensor that is not shown, and why."""
        self._absent.setdefault(reason, {})[name] = None

    def write(
        self, kind: str, histograms: Mapping[str, Mapping[str, Any]], step: float | None, epoch: float | None
    ) -> None:
        """Put one snapshot on record."""
        if not histograms or self.run.ended or patching.is_silent():
            return
        self._taken[kind] = self._taken.get(kind, 0) + 1
        self.run.log_histograms(kind, histograms, step, epoch=epoch)

    def norm(self, name: str, value: float | None, step: float | None, epoch: float | None) -> None:
        """Put the norm over all tensors on record, as ``autolog/<name>``."""
        if value is not None:
            self.run.captured_metrics({f"autolog/{name}": value}, step, epoch)

    def say(self) -> None:
        """Record the fact ``weights``, where there is something new to say."""
        told: dict[str, Any] = {
            "every": self.schedule if self.schedule == "epoch" else f"{self.schedule} steps",
            "budget": self.share,
            "snapshots": dict(self._taken),
        }
        if self._skipped:
            told["skipped_for_budget"] = dict(self._skipped)
        if self._level:
            told["reduced_to"] = DETAILS[self._level]._asdict()
        if self._absent:
            told["absent"] = {
                reason: {"count": len(names), "names": list(names)[:_NAMED]} for reason, names in self._absent.items()
            }
        if told != self._said:
            self._said = told
            self.run.log_fact("weights", {**told, "seconds": round(self._spent, 6)})

    def end(self) -> None:
        """The training has ended."""
        self.budget.end()
        if self._taken or self._skipped or self._absent:
            self.say()


def begin(run: Run, budget: Budget | None = None, asked: str | None = None) -> Snapshots | None:
    """The snapshots of a training that begins; ``None`` where the settings want none, or another process reports.

    Args:
        run: its run.
        budget: whose time is spent; without it, the process's.
        asked: see :func:`every`.
    """
    schedule = every(asked)
    if schedule is None or patching.is_silent():
        return None
    budget = budget or process_budget
    budget.begin()
    return Snapshots(run, schedule, budget)


def total_norm(norms: Mapping[str, float]) -> float | None:
    """The norm over several tensors, of each one's; ``None`` of none."""
    if not norms:
        return None
    try:
        return math.sqrt(math.fsum(norm * norm for norm in norms.values()))
    except (OverflowError, ValueError):  # fsum refuses sums of infinities
        return math.nan if any(norm != norm for norm in norms.values()) else math.inf
