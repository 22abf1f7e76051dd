"""How fast a ``Trainer`` goes: rows and tokens of the batches it fetches, over the time its steps take.

Only shapes of tensors are read, which no device has to be waited for.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["Speed"]

_now = time.perf_counter


class Speed:
    """A stopwatch that runs while batches are fetched and trained on, and stands while is evaluated and saved.

    Attributes:
        batch_size: rows that a full batch is made of.
        rows: rows of the data set, if it has a length.
        processes: how many processes fetch as many batches at the same time.
    """

    __slots__ = (
        "_began",
        "_copies",
        "_ended",
        "_seconds",
        "_seen",
        "_steps",
        "_tokens",
        "batch_size",
        "processes",
        "rows",
    )

    def __init__(self, batch_size: int | None, rows: int | None, processes: int) -> None:
        self.batch_size = batch_size
        self.rows = rows
        self.processes = processes
        self._copies: int | None = None
        """Rows of a batch for each row of the data set: 2 for pairs; 0 where they do not correspond."""
        self._began: float | None = None
        self._ended = 0.0
        self._clear()

    def _clear(self) -> None:
        self._seconds = 0.0
        self._steps = self._seen = self._tokens = 0

    def fetch(self) -> None:
        """The batches of a step are going to be fetched."""
        self._began = _now()

    def fetched(self, batches: Any) -> None:
        """They are here.

        Args:
            batches: a list of what the collator makes.
        """
        if not isinstance(batches, list):
            return
        for batch in batches:
            rows, tokens = _size(batch)
            if self._copies is None:
                self._copies = self._copies_in(rows)
            self._seen += rows
            self._tokens += tokens

    def _copies_in(self, rows: int) -> int:
        """Batches may hold several rows for one of the data set (pairs), or none that can be told (packed texts)."""
        size = self.batch_size
        if rows and rows == self.rows:
            return 1
        return rows // size if size and rows % size == 0 else 0

    def stepped(self) -> None:
        """The optimizer has stepped."""
        if self._began is not None:
            self._ended = _now()
            self._seconds += self._ended - self._began
            self._began = None
            self._steps += 1

    def take(self) -> dict[str, float]:
        """Speeds since the last time. Called when the trainer logs a loss: it has just waited for the device."""
        if not self._steps:
            return {}
        # The trainer logs directly after the last step: that it waits for the device belongs to the steps.
        seconds = self._seconds + _now() - self._ended
        told = {"autolog/steps_per_second": self._steps / seconds}
        if self._copies:
            told["autolog/samples_per_second"] = self._seen / self._copies * self.processes / seconds
        if self._tokens:
            told["autolog/tokens_per_second"] = self._tokens * self.processes / seconds
        self._clear()
        return told


def _size(batch: Any) -> tuple[int, int]:
    """Rows and tokens (padding among them) of a batch; 0 where they cannot be told from shapes."""
    if not isinstance(batch, Mapping):
        return 0, 0
    rows = next((int(part.shape[0]) for part in batch.values() if _is_array(part)), 0)
    return rows, sum(int(part.numel()) for part in _tokens(batch))


def _tokens(batch: Mapping[Any, Any]) -> Iterable[Any]:
    # sentence-transformers: `anchor_input_ids`, `positive_input_ids` …; an encoder's input, not a decoder's.
    for name, part in batch.items():
        own = isinstance(name, str) and name.endswith("input_ids") and name != "decoder_input_ids"
        if own and hasattr(part, "numel"):
            yield part


def _is_array(part: Any) -> bool:
    return len(getattr(part, "shape", ())) > 0
