"""The child runs that one process opens: their ids, and which are open."""

from __future__ import annotations

from itertools import count
from typing import Any

__all__ = ["Children"]


class Children:
    """Ids of child runs, unique within the run: ``1``, ``2`` …; in other processes' journals ``w123.1``."""

    __slots__ = ("_numbers", "_prefix", "opened")

    def __init__(self) -> None:
        self.begin("")
        self.opened: dict[str | None, Any] | None = None
        """Child runs that are open by id, where they do not share the end of their run."""

    def begin(self, prefix: str, number: int = 1) -> None:
        """The next id is ``prefix`` and ``number``."""
        self._prefix = prefix
        self._numbers = count(number)  # one step of it is atomic: two threads never get the same

    def next(self) -> str:
        """An id that nobody has had."""
        return f"{self._prefix}{next(self._numbers)}"
