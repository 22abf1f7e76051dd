"""Columns of Python values as Arrow arrays, without ``pyarrow.array``.

That one imports pandas, where it is installed, only to see that a list is none of its series: 0.4 s of processor time
in the sidecar of every training.
"""

from __future__ import annotations

import array
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["floats", "texts"]

_EXACT = 2**53


def floats(values: Sequence[Any]) -> Any:
    """A ``float64`` array of numbers; ``None`` is null.

    Raises:
        OverflowError: an integer that no float is equal to.
    """
    import pyarrow as pa

    missing = None in values
    known = [0.0 if value is None else value for value in values] if missing else values
    for value in known:
        if isinstance(value, int) and not -_EXACT <= value <= _EXACT and int(float(value)) != value:
            raise OverflowError(f"no float is equal to {value}")
    validity = pa.py_buffer(_bits(values)) if missing else None
    return pa.Array.from_buffers(pa.float64(), len(values), [validity, pa.py_buffer(array.array("d", known))])


def texts(values: Sequence[str | None]) -> Any:
    """A ``string`` array; ``None`` is null."""
    import pyarrow as pa

    builder = pa.lib.StringBuilder()
    builder.append_values(values)
    return builder.finish()


def _bits(values: Sequence[Any]) -> bytes:
    """One bit for each value, the first in the lowest: whether it is there."""
    text = "".join("0" if value is None else "1" for value in reversed(values))
    return int(text, 2).to_bytes((len(values) + 7) // 8, "little")
