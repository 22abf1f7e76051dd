"""Passes over data loaders: which one the training is in, and how far it has got."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from weakref import ref

from autolog.integrations.torch_facts import length

__all__ = ["Pass", "Passes", "loader_fact"]

_MOST = 16


class Pass:
    """One ``iter(loader)``, from then on; it keeps neither the iterator alive, nor the loader without it."""

    __slots__ = (
        "__weakref__", "_before", "_held", "_is_sized", "_loader", "_rows", "_size", "_told_rows", "_whole", "ended",
        "iterator", "over", "seen", "told",
    )  # fmt: skip

    def __init__(self, loader: Any, iterator: Any) -> None:
        self._loader = ref(loader)
        # `for batch in DataLoader(...)` keeps the iterator only; with persistent workers the loader keeps that.
        self._held = None if getattr(loader, "_iterator", None) is iterator else loader
        self.over: Callable[[Pass], None] | None = None
        """Called when the program lets go of the iterator, which a loop over it does at its end."""
        self.iterator = ref(iterator, self._let_go)
        self.seen = 0
        """Batches taken, when last looked at."""
        self.ended = self.told = time.perf_counter()
        """When batches were last seen to have been taken; when the speed was last told."""
        self._before = (0, self.ended)
        self._told_rows = 0
        self._size: int | None = None
        self._is_sized = False
        self._whole: int | None = None
        self._rows: int | None = None

    def _let_go(self, _: object) -> None:
        self._held = None
        if self.over is not None:
            self.over(self)

    def loader(self) -> Any:
        """The loader, if it is still there."""
        return self._loader()

    def is_going_on(self) -> bool:
        """Whether batches can still be taken."""
        return self.iterator() is not None

    def moved(self) -> bool:
        """Whether batches have been taken since the last time."""
        taken = getattr(self.iterator(), "_num_yielded", 0)
        if taken <= self.seen:
            return False
        self._before = self.seen, self.ended
        self.seen, self.ended = taken, time.perf_counter()
        return True

    def know(self, loader: Any) -> None:
        """This pass is one of a training: keep how large its batches are, for when the loader is gone."""
        self._held = None
        self._size = _batch_size(loader)
        self._is_sized = bool(loader.drop_last) or not _is_iterable(loader)
        if not _is_iterable(loader) and not loader.drop_last:
            self._whole, self._rows = length(loader), length(loader.sampler)

    def speed(self, *, last: bool) -> float | None:
        """Rows per second since this was last asked.

        Args:
            last: the pass is over. The last batch of a loader that does not know its length may be a smaller one: it
                is left out.

        Returns:
            ``None`` where the loader does not say how many rows a batch has.
        """
        if self._size is None:
            return None
        seen, ended = (self.seen, self.ended) if self._is_sized or not last else self._before
        rows = self._rows if self._rows is not None and seen == self._whole else int(seen * self._size)
        new, seconds = rows - self._told_rows, ended - self.told
        if new <= 0 or seconds <= 0:
            return None
        self._told_rows, self.told = rows, ended
        return new / seconds


class Passes:
    """The passes of one thread that may still go on."""

    __slots__ = ("_live", "_settled")

    def __init__(self) -> None:
        self._live: list[Pass] = []
        self._settled = True

    def begin(self, loader: Any, iterator: Any) -> Pass:
        """``iter(loader)`` has returned ``iterator``."""
        self._live = [known for known in self._live if known.iterator() not in (None, iterator)][-_MOST:]
        begun = Pass(loader, iterator)
        self._live.append(begun)
        self._settled = False
        return begun

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
        "batch_size": _batch_size(loader),
        "train_rows": length(getattr(loader, "dataset", None)),
        "dataset": type(getattr(loader, "dataset", None)).__name__,
        "workers": getattr(loader, "num_workers", None),
        "drop_last": getattr(loader, "drop_last", None),
    }


def _batch_size(loader: Any) -> int | None:
    """Rows of a batch; also of a loader that has been given its batches by a plain sampler, as accelerate's are."""
    size = getattr(loader, "batch_size", None)
    if size is None:
        sampler = getattr(loader, "batch_sampler", None)
        plain = type(sampler).__module__.partition(".")[0] in ("torch", "accelerate")
        size = getattr(sampler, "batch_size", None) if plain and getattr(sampler, "num_processes", 1) == 1 else None
    return size if isinstance(size, int) else None


def _is_iterable(loader: Any) -> bool:
    return getattr(loader, "_dataset_kind", 0) != 0  # torch's _DatasetKind.Map
