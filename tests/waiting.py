"""Waiting in tests: for what has to happen, never for a time."""

import time
from collections.abc import Callable

__all__ = ["LONG", "PATIENCE", "until"]

PATIENCE = 120.0
"""Seconds until what has to happen is taken not to happen: far more than it takes on slow cores that others use too,
since a sidecar gives way to everybody else, and an answer costs nothing."""

LONG = 800.0
"""The same of programs that import whole frameworks and train with them; a little less than pytest's own limit."""


def until(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not happen")
        time.sleep(0.02)
