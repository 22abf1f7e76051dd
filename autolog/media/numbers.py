"""What counts as a number: the values a metric accepts, and a clear error for every other."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["described", "number"]

_LARGEST = 2**63


def number(value: Any, name: str = "value") -> int | float:
    """One number from whatever a framework calls a number.

    Accepted are Python's ``int``, ``float`` and ``bool``, ``Decimal`` and ``Fraction``, numpy scalars, and arrays or
    tensors of torch, JAX, TensorFlow, numpy … that hold exactly one value, with a gradient or without, of any real
    element type. NaN and the infinities are numbers; a masked numpy value is NaN. An integer of more than 64 bits
    becomes the nearest float.

    Args:
        value: the value as the caller has it. A value on a GPU is copied from there, which waits for it.
        name: the metric's name, for the error.

    Returns:
        A Python ``int`` or ``float``.

    Raises:
        TypeError: it is not one real number. The message names the metric, what was given and what to do.
    """
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return _integer(int(value), name)
    if type(value).__module__ in ("numpy", "torch"):
        return _usual(value, name)
    if isinstance(value, (complex, str, bytes, bytearray)):
        raise _refusal(value, name)
    if type(value).__module__.partition(".")[0] in ("decimal", "_decimal", "_pydecimal", "fractions"):
        return _floated(value, value, name)
    return _single(value, name)


def _integer(value: int, name: str) -> int | float:
    if -_LARGEST <= value < _LARGEST:
        return value
    try:
        return float(value)
    except OverflowError:
        raise TypeError(f"metric {name!r}: an integer of {value.bit_length()} bits is larger than any float") from None


def _usual(value: Any, name: str) -> int | float:
    """A scalar of numpy or torch, by far the most that come here; whatever is not plain goes the long way."""
    try:
        element = value.item()
    except Exception:  # not one element: refused there, with what it is
        return _single(value, name)
    if type(element) is float:
        return element
    if type(element) is int and getattr(value.dtype, "kind", "i") in "iu":
        return _integer(element, name)
    return _single(value, name)


def _single(value: Any, name: str) -> int | float:
    """The one element of an array, a tensor or a scalar of a library."""
    if isinstance(value, type) or callable(value) or not _has_one(value):
        raise _refusal(value, name)
    if type(value).__name__ == "MaskedConstant":
        return math.nan
    if getattr(getattr(value, "dtype", None), "kind", "") in ("m", "M"):
        raise _refusal(value, name)  # a time span's .item() would be a number of unknown unit
    try:
        element = value.item() if hasattr(value, "item") else value.numpy().item()
    except Exception as error:
        raise _refusal(value, name) from error
    if isinstance(element, bool) or type(element) in (int, float):
        return number(element, name)
    if isinstance(element, (complex, str, bytes)) or not hasattr(element, "__float__"):
        raise _refusal(value, name)
    return _floated(element, value, name)  # bfloat16 and long double of numpy stay themselves after .item()


def _has_one(value: Any) -> bool:
    """Whether this is array-like and holds one element. Metric objects and data frames are not, or hold more."""
    try:
        if not (hasattr(value, "item") or hasattr(value, "numpy")):
            return False
        return math.prod(int(length) for length in value.shape) == 1
    except Exception:  # a symbolic tensor has no shape yet; attributes of others fail in ways of their own
        return False


def _floated(element: Any, value: Any, name: str) -> float:
    try:
        return float(element)
    except (ValueError, TypeError, OverflowError) as error:
        raise _refusal(value, name) from error


def _refusal(value: Any, name: str) -> TypeError:
    try:
        advice = _advice(value)
    except Exception:  # attributes of a foreign object may fail in any way
        advice = ""
    return TypeError(f"metric {name!r} must be one real number, given {described(value)}{advice}")


def described(value: Any) -> str:
    """What a value is, for an error message: its type, shape and element type, or a short text; never raises."""
    kind = type(value)
    label = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, (str, bytes, int, float, complex)) or value is None:
        shown = repr(value) if not isinstance(value, int) or value.bit_length() < 1000 else "a very large one"
        return label if value is None else f"{label} {shown if len(shown) <= 60 else shown[:57] + '...'}"
    try:
        shape = getattr(value, "shape", None)
        if shape is not None:
            return f"{label} of shape {tuple(shape)} and type {getattr(value, 'dtype', 'unknown')}"
        if isinstance(value, (list, tuple, dict, set, frozenset)):
            return f"{label} of length {len(value)}"
    except Exception:  # a symbolic tensor cannot say its shape
        return label
    return label


def _advice(value: Any) -> str:
    """What to do instead: the first rule that applies."""
    dtype = getattr(value, "dtype", None)
    kind = getattr(dtype, "kind", "")
    rules = (
        (value is None, "; there is nothing to record"),
        (isinstance(value, str), "; give float(...) of it, or keep text with log_param or log_other"),
        (isinstance(value, dict), "; log_metrics takes several at once"),
        (
            isinstance(value, complex) or kind == "c" or "complex" in str(dtype),
            "; log its .real and .imag, or its abs(), as metrics of their own",
        ),
        (kind in ("m", "M"), "; divide it by a unit first, e.g. / numpy.timedelta64(1, 's')"),
        (hasattr(value, "compute"), "; give the result of .compute()"),
        (callable(value), "; call it first"),
        (
            isinstance(value, (list, tuple, set)) or getattr(value, "shape", ()) != (),
            "; reduce it first, e.g. .mean(), or use log_histogram",
        ),
    )
    return next((text for applies, text in rules if applies), "")
