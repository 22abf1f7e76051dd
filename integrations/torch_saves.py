"""Files that another integration reports as parts of a folder, so that they are not reported each for itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["are_reported", "reported"]

_reported: ContextVar[bool] = ContextVar("autolog_torch_saves", default=False)


@contextmanager
def reported() -> Iterator[None]:
    """A block that saves a folder, which is reported after it."""
    token = _reported.set(True)
    try:
        yield
    finally:
        _reported.reset(token)


def are_reported() -> bool:
    """Whether the files that are saved now are reported by the one who saves them."""
    return _reported.get()
