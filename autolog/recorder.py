"""What a run and its logging methods share: the journal's ``append``, the clock, the redactor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from autolog import events

if TYPE_CHECKING:
    from collections.abc import Callable

    from autolog.capture.redact import Redactor

__all__ = ["Clock", "Recorder", "texts"]


class Clock:
    """Where training stands, and the counts of metrics logged without a step. A run and its phases share one."""

    __slots__ = ("counts", "epoch", "step")

    def __init__(self) -> None:
        self.step: float | None = None
        self.epoch: float | None = None
        self.counts: dict[str, int] = {}


class Recorder:
    """The state that logging methods use; :class:`autolog.run.Run` is the only one there is."""

    __slots__ = ("_append", "_clock", "_prefix", "_redactor", "child_id", "name")

    _append: Callable[[events.Record], None]
    _clock: Clock
    _prefix: str
    _redactor: Redactor
    child_id: str | None
    """Id of this child run; ``None`` for the run itself."""
    name: str


def texts(values: Iterable[Any], what: str) -> list[str]:
    """``values``, all of them text.

    Raises:
        TypeError: one is not.
    """
    checked = list(values)
    for text in checked:
        if not isinstance(text, str):
            raise TypeError(f"a {what} must be text, got {text!r} of type {type(text).__name__}")
    return checked
