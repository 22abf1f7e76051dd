"""How fast a Lightning trainer goes: optimizer steps and rows over the time its batches take.

Only shapes of tensors are read, which no device has to be waited for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

__all__ = ["Speed", "rows_of"]

_now = time.perf_counter
_LONG = 60.0
_DEPTH = 4


class Speed:
    """A stopwatch that runs from one training batch to the next, and stands while is validated.

    Attributes:
        replicas: how many processes train on as many rows at the same time.
    """

    __slots__ = ("_ended", "_rows", "_seconds", "_since", "_step", "replicas")

    def __init__(self, replicas: int = 1) -> None:
        self.replicas = replicas
        self._since: float | None = None
        self._ended = 0.0
        self._seconds = 0.0
        self._rows: int | None = 0
        self._step: int | None = None

    def begin(self, batch: Any, step: int) -> None:
        """A training batch begins, at the optimizer step ``step``."""
        if self._since is None:
            self._since = self._ended = _now()
        if self._step is None:
            self._step = step
        if self._rows is not None:
            rows = rows_of(batch)
            self._rows = None if rows is None else self._rows + rows * self.replicas

    def end(self) -> bool:
        """A training batch is over. Returns whether the last figures are long ago."""
        self._ended = _now()
        return self._since is not None and self._ended - self._since > _LONG

    def pause(self) -> None:
        """Something else than training begins."""
        if self._since is not None:
            self._seconds += self._ended - self._since
            self._since = None

    def take(self, step: int) -> dict[str, float]:
        """The figures since the last time, and begin anew; nothing where no step was made."""
        self.pause()
        figures: dict[str, float] = {}
        if self._step is not None and step > self._step and self._seconds > 0:
            figures["autolog/steps_per_second"] = (step - self._step) / self._seconds
            if self._rows:
                figures["autolog/samples_per_second"] = self._rows / self._seconds
        self._seconds, self._rows, self._step = 0.0, 0, None
        return figures


def rows_of(batch: Any, depth: int = 0) -> int | None:
    """Rows of a batch: the first dimension of the first tensor in it, as Lightning takes it; ``None`` without one."""
    shape = getattr(batch, "shape", None)
    if shape is not None and hasattr(batch, "dtype"):
        return int(shape[0]) if len(shape) else 1
    if depth == _DEPTH:
        return None
    if isinstance(batch, Mapping):
        batch = batch.values()
    elif not isinstance(batch, (list, tuple)):
        return None
    return next((rows for part in batch if (rows := rows_of(part, depth + 1)) is not None), None)
