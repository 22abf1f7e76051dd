"""Values on their way from a device: written in order, once they are there; training never waits for them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from autolog.events import to_wire
from autolog.integrations.torch_values import Reading

__all__ = ["Waiting"]

_MOST = 10_000
_PATIENCE = 10.0
"""Seconds that the end of a run waits for a device; one that hangs must not keep the program from ending."""


class Waiting:
    """Records of which at least one value has not arrived yet, in the order of their making."""

    __slots__ = ("_records", "_write", "lost")

    def __init__(self, write: Callable[[dict[str, Any], int, float | None], None]) -> None:
        self._records: deque[tuple[dict[str, Any], int, float | None]] = deque()
        self._write = write
        self.lost = 0
        """Values that a device has not given."""

    def __bool__(self) -> bool:
        return bool(self._records)

    def put(self, values: dict[str, Any], step: int, epoch: float | None) -> None:
        """Write these values when they have arrived."""
        if len(self._records) < _MOST:
            self._records.append((values, step, epoch))
        else:
            self.lost += 1

    def settle(self) -> None:
        """Write what has arrived by now."""
        records = self._records
        while records:
            values, step, epoch = records[0]
            if not all(value.ready() for value in values.values() if type(value) is Reading):
                return
            records.popleft()
            arrived = {
                name: to_wire(value.value()) if type(value) is Reading else value for name, value in values.items()
            }
            self._write(arrived, step, epoch)

    def finish(self) -> None:
        """Write the rest, and wait for it a while."""
        deadline = time.monotonic() + _PATIENCE
        self.settle()
        while self._records and time.monotonic() < deadline:
            time.sleep(0.001)
            self.settle()
        self.lost += len(self._records)
        self._records.clear()
