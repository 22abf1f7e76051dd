"""What a fit got: shapes and types by the names the method gives its arguments, the program's names for them."""

from __future__ import annotations

import inspect
from typing import Any

from autolog.integrations.shapes import describe
from autolog.integrations.sklearn_allowance import allowance
from autolog.integrations.sklearn_names import Names

__all__ = ["Data"]

_RATE = 3e8
"""Bytes a second that are hashed, at the least."""
_FULL = 1 << 18
"""Bytes of one argument that are hashed in full; of larger ones 64 parts of 64 KiB."""


class Data:
    """The arguments of a fit.

    Args:
        method: the function that gets them, ``self`` first.
        args: those by position, without ``self``.
        kwargs: those by name.
        names: what the program calls them.
    """

    __slots__ = ("given", "left_out", "names", "places")

    def __init__(self, method: Any, args: tuple[Any, ...], kwargs: dict[str, Any], names: Names) -> None:
        code = getattr(inspect.unwrap(method), "__code__", None)
        parameters = code.co_varnames[1 : code.co_argcount] if code is not None else ()
        parameters = (*parameters, *(f"argument {place}" for place in range(len(parameters), len(args))))
        self.given = {**dict(zip(parameters, args, strict=False)), **kwargs}
        self.names = names
        self.left_out: list[str] = []
        """What there was no time for."""
        self.places = {name: place for place, name in enumerate(parameters)}

    def variable(self, name: str) -> str | None:
        """What the program calls an argument."""
        return self.names.of(self.places.get(name, len(self.names.positional)), name)

    def described(self) -> dict[str, Any]:
        """Shapes of ``X``, ``y``, ``sample_weight`` …, names, and fingerprints where there is time for them."""
        told = {name: describe(value) for name, value in self.given.items() if value is not None}
        for name, facts in told.items():
            if variable := self.variable(name):
                facts["variable"] = variable
            size = _size(self.given[name])
            if size is not None and not _fingerprint(self.given[name], size, facts):
                self.left_out.append(f"fingerprint of {name}")
        return told


def _fingerprint(value: Any, size: int, facts: dict[str, Any]) -> bool:
    """Add the fingerprint of an argument to what is known of it, if there is time."""
    expected = 0.0002 + (size if size <= _FULL else 64 * 65536) / _RATE
    extra = f"fingerprint of 2**{size.bit_length()}"
    if not allowance.affords(extra, expected):
        return False
    from autolog.media.datasets import fingerprint

    with allowance.paying(extra):
        found = fingerprint(value, _FULL)
    facts |= {key: found[key] for key in ("fingerprint", "complete")}
    return True


def _size(value: Any) -> int | None:
    """Bytes of an array, a frame of numbers, or a sparse matrix; ``None`` for what is not hashed here."""
    root = type(value).__module__.partition(".")[0]
    if root == "numpy":
        size = getattr(value, "nbytes", None)
        return size if isinstance(size, int) and value.dtype.kind in "biufcSU" else None
    if root == "scipy" and hasattr(value, "data"):
        size = getattr(value.data, "nbytes", None)
        return 2 * size if isinstance(size, int) else None
    if root == "pandas" and hasattr(value, "shape"):
        return 64 * 16 * int(value.size) if _objects(value) else 16 * int(value.size)
    return None


def _objects(frame: Any) -> bool:
    dtypes = frame.dtypes if hasattr(frame, "columns") else [frame.dtype]
    return any(getattr(dtype, "kind", "O") == "O" for dtype in dtypes)
