"""The time that extras may take: what autolog computes itself, pictures of the estimator, fingerprints of data.

A fit is recorded in less than a millisecond without them. They are paid from an account: 100 ms for the process to
begin with, so that a small program has them all, and half a percent of the time of each fit. What an extra is expected
to cost is what it has cost before. One that cannot be paid is left out, and the fit says so.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Allowance", "allowance"]


class Allowance:
    """An account of seconds of this thread's CPU time.

    Args:
        seconds: what is on it.
        share: how much of a fit's duration is added.
    """

    def __init__(self, seconds: float = 0.1, share: float = 0.005) -> None:
        self.seconds = seconds
        self.share = share
        self._costs: dict[str, float] = {}

    def earn(self, duration: float) -> None:
        """A fit has taken so long."""
        self.seconds += self.share * duration

    def affords(self, extra: str, expected: float, reserve: float = 0.0) -> bool:
        """Whether an extra can be paid.

        Args:
            extra: what it is; what the last one of that name has cost counts more than ``expected``.
            expected: seconds, where nothing is known yet.
            reserve: seconds that must be left for extras that are worth more.
        """
        return self._costs.get(extra, expected) + reserve <= self.seconds

    @contextmanager
    def paying(self, extra: str) -> Iterator[None]:
        """A block that is paid for; its cost is remembered under the name."""
        begin = time.thread_time()
        try:
            yield
        finally:
            spent = time.thread_time() - begin
            self.seconds -= spent
            self._costs[extra] = (self._costs.get(extra, spent) + spent) / 2


allowance = Allowance()
