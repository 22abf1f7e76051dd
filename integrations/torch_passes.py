"""Passes over data loaders: which one the training is in, and how far it has got."""

from __future__ import annotations

import time
from typing import Any
from weakref import ref

from autolog.integrations.torch_facts import length

__all__ = ["Pass", "Passes", "loader_fact"]

_MOST = 16


class Pass:
    """One ``iter(loader)``, from then on; it keeps neither the loader nor the iterator alive."""

    __slots__ = ("began", "ended", "iterator", "loader", "rows", "seen", "size", "whole")

    def __init__(self, loader: Any, iterator: Any) -> None:
        self.loader = ref(loader)
        self.iterator = ref(iterator)
        self.seen = 0
        """Batches taken, when last looked at."""
        self.began = time.perf_counter()
        self.ended = self.began
        self.size: int | None = None
        self.whole: int | None = None
        self.rows: int | None = None

    def moved(self) -> bool:
        """Whether batches have been taken since the last time."""
        taken = getattr(self.iterator(), "_num_yielded", 0)
        if taken <= self.seen:
            return False
        self.seen, self.ended = taken, time.perf_counter()
        return True

    def samples(self) -> int | None:
        """How many rows the batches taken had; ``None`` where the loader does not say."""
        if self.size is None:
            return None
        return self.rows if self.seen == self.whole else int(self.seen * self.size)

    def know(self, loader: Any) -> None:
        """This pass is one of a training: keep how large its batches are, for when the loader is gone."""
        self.size = getattr(loader, "batch_size", None)
        if not _is_iterable(loader) and not loader.drop_last:
            self.whole, self.rows = length(loader), length(loader.sampler)


class Passes:
    """The passes of one thread that may still go on."""

    __slots__ = ("_live", "_settled")

    def __init__(self) -> None:
        self._live: list[Pass] = []
        self._settled = True

    def begin(self, loader: Any, iterator: Any) -> None:
        """``iter(loader)`` has returned ``iterator``."""
        self._live = [known for known in self._live if known.iterator() not in (None, iterator)][-_MOST:]
        self._live.append(Pass(loader, iterator))
        self._settled = False

    def current(self, last: Pass | None) -> Pass | None:
        """The pass that the step belongs to which is made now: one of which batches have been taken since the last.

        Args:
            last: the pass of the last step; it wins over later ones, such as a validation in the middle of it.
        """
        if self._settled:
            if last is not None:
                last.moved()
            return last
        self._live = [known for known in self._live if known.iterator() is not None]
        moved = [known for known in self._live if known.moved()]
        self._settled = len(self._live) < 2 and bool(moved)
        if last in moved or not moved:
            return last
        same = [known for known in moved if last is not None and known.loader() is last.loader()]
        return (same or moved)[-1]


def loader_fact(loader: Any) -> dict[str, Any]:
    """Batches, batch size, rows and workers of a loader."""
    return {
        # The length of an iterable data set's loader is not asked for: torch would remember that it was.
        "train_batches": None if _is_iterable(loader) else length(loader),
        "batch_size": getattr(loader, "batch_size", None),
        "train_rows": length(getattr(loader, "dataset", None)),
        "dataset": type(getattr(loader, "dataset", None)).__name__,
        "workers": getattr(loader, "num_workers", None),
        "drop_last": getattr(loader, "drop_last", None),
    }


def _is_iterable(loader: Any) -> bool:
    return getattr(loader, "_dataset_kind", 0) != 0  # torch's _DatasetKind.Map
