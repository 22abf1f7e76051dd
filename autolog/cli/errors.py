"""Errors that a person made or can mend: one clear line, no traceback."""

from __future__ import annotations

__all__ = ["CommandError"]


class CommandError(Exception):
    """What to tell the person, and the exit code: 1 not found or failed, 2 wrong use."""

    def __init__(self, message: str, *, code: int = 1) -> None:
        super().__init__(message)
        self.code = code
