"""autolog's own errors never reach the training they watch; in tests they do.

An error inside ``guard`` is logged once per place, counted, shown by ``autolog doctor``, and written on the run.
With the setting ``strict`` it is raised instead.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from autolog import config

__all__ = ["Failure", "failures", "guard", "listen", "report"]


class Failure:
    """Errors of one place inside autolog: how many, and the first one's text and traceback."""

    __slots__ = ("count", "error", "traceback")

    def __init__(self, error: str, traceback: str) -> None:
        self.count = 0
        self.error = error
        self.traceback = traceback


_failures: dict[str, Failure] = {}
_listeners: list[Callable[[str, Failure], None]] = []


def failures() -> dict[str, Failure]:
    """Errors of autolog itself in this process, by place."""
    return dict(_failures)


def listen(listener: Callable[[str, Failure], None]) -> None:
    """Call ``listener(where, failure)`` at every error from now on: a run writes them on its record."""
    _listeners.append(listener)


def report(where: str, error: BaseException) -> None:
    """Count an error of autolog's own and say it once per place.

    Args:
        where: the place, such as ``keras.on_epoch_end``.
        error: what was raised.

    Raises:
        BaseException: ``error`` itself, when the setting ``strict`` is on.
    """
    if _is_strict():
        raise error
    failure = _failures.get(where)
    known = failure is not None
    if failure is None:
        failure = _failures[where] = _failure(error)
    failure.count += 1
    try:
        if not known:
            _say(where, failure)
        for listener in _listeners:
            listener(where, failure)
    except Exception as later:  # no descriptor or memory is left, say: it stays counted here
        failure.traceback += f"\nwhile this was reported: {type(later).__name__}"


def _is_strict() -> bool:
    try:
        return config.settings().strict
    except Exception:  # what is reported may be that settings cannot be read
        return False


def _failure(error: BaseException) -> Failure:
    """The first error of a place; a bare name where even the text of it cannot be had."""
    try:
        import traceback

        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        return Failure(f"{type(error).__name__}: {error}", text)
    except Exception:  # its own __str__ fails, or no module can be loaded any more
        return Failure(type(error).__name__, "")


def _say(where: str, failure: Failure) -> None:
    import logging

    logging.getLogger("autolog").warning(
        "autolog: error in %s (training goes on; `autolog doctor` shows more): %s", where, failure.error
    )


class guard:  # noqa: N801  used as a statement: `with guard("keras.fit"):`
    """Context in which an ``Exception`` of ours is reported and swallowed.

    ``KeyboardInterrupt`` and ``SystemExit`` belong to the host and pass.
    """

    __slots__ = ("where",)

    def __init__(self, where: str) -> None:
        self.where = where

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        report(self.where, error)
        return True
