"""Numbers as 64-bit floats, which is what files of points hold; a number that would be another one then is refused."""

from __future__ import annotations

__all__ = ["EXACT", "NONE", "double"]

NONE = float("nan")
"""Stands for a step or epoch that is not there: no step is NaN."""
EXACT = 2**53
"""Up to here every integer is a float."""


def double(number: float | None) -> float:
    """The float that is equal to a number; :data:`NONE` for none.

    Raises:
        OverflowError: an integer that no float is equal to.
    """
    if number is None:
        return NONE
    if isinstance(number, int) and not -EXACT <= number <= EXACT and int(float(number)) != number:
        raise OverflowError(f"no float is equal to {number}")
    return number
