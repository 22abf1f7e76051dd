"""What foreign objects consist of: the named fields, the items, or the one word that says what they are."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from autolog.media import summary

__all__ = ["MISSING", "fields", "items", "word"]

MISSING: Any = object()
"""No single word says what the value is."""

_TORCHLIKE = ("torch", "jax", "jaxlib", "tensorflow")
_WORDS = ("device", "dtype", "DType", "Device", "layout", "memory_format")
_FRACTIONS = ("decimal", "_decimal", "_pydecimal", "fractions")


def word(value: Any) -> Any:
    """A value that is one text or number as ``str``, ``int``, ``float`` or ``bool``, else :data:`MISSING`.

    Subclasses of these types, paths, bytes, classes and functions, decimals, dates, dtypes, devices, numpy scalars.
    """
    for base in (bool, int, float):
        if isinstance(value, base):
            return base(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return summary.of_bytes(bytes(value[:64]), len(value))
    if callable(value) and isinstance(getattr(value, "__qualname__", None), str):
        return f"{value.__module__ or 'builtins'}.{value.__qualname__}".removeprefix("builtins.")
    return _library_word(value, type(value).__module__.partition(".")[0])


def _library_word(value: Any, root: str) -> Any:
    if root in _FRACTIONS:
        return float(value)
    clock = sys.modules.get("datetime")
    if clock and isinstance(value, (clock.date, clock.time)):
        return value.isoformat()
    if clock and isinstance(value, clock.timedelta):
        return str(value)
    if root == "uuid" or (root in _TORCHLIKE and type(value).__name__ in _WORDS):
        return str(value)
    numpy = sys.modules.get("numpy")
    if numpy and isinstance(value, numpy.dtype):
        return str(value)
    return _unboxed(value) if numpy and isinstance(value, numpy.generic) else MISSING


def _unboxed(scalar: Any) -> Any:
    """A numpy scalar as Python's; those Python has no type for (long double, bfloat16) as float."""
    if scalar.dtype.kind in "mMc" or scalar.dtype.names:
        return str(scalar)
    element = scalar.item()
    return element if isinstance(element, (bool, int, float, str)) else float(element)


def fields(value: Any) -> Mapping[Any, Any] | None:
    """The named parts of a mapping or a configuration object, or ``None``. Properties and iterators are left alone."""
    kind = type(value)
    if kind.__module__ == "omegaconf.dictconfig":
        return _omegaconf(value)
    if isinstance(value, Mapping):
        return dict(value.items())
    for mark, read in _RECORDS:
        if hasattr(kind, mark):
            return read(value, kind)
    argparse = sys.modules.get("argparse")
    if kind.__name__ == "SimpleNamespace" or (argparse and isinstance(value, argparse.Namespace)):
        return dict(vars(value))
    if (kind.__module__, kind.__qualname__) == ("functools", "partial"):
        return {"function": value.func, "args": list(value.args), "keywords": value.keywords}
    return None


def _read(value: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def _pydantic(value: Any, _kind: type) -> dict[str, Any]:
    return dict(vars(value)) | (getattr(value, "__pydantic_extra__", None) or {})


_RECORDS: tuple[tuple[str, Callable[[Any, type], Mapping[Any, Any]]], ...] = (
    ("__pydantic_fields__", _pydantic),
    ("__pydantic_validator__", _pydantic),
    ("__dataclass_fields__", lambda value, kind: _read(value, kind.__dataclass_fields__)),  # type: ignore[attr-defined]  # the dataclass mark
    ("__attrs_attrs__", lambda value, kind: _read(value, [field.name for field in kind.__attrs_attrs__])),  # type: ignore[attr-defined]  # attrs' own mark
    ("__struct_fields__", lambda value, kind: _read(value, kind.__struct_fields__)),  # type: ignore[attr-defined]  # msgspec's own mark
    ("_fields", lambda value, kind: dict(zip(kind._fields, value, strict=False))),  # type: ignore[attr-defined]  # a named tuple's
)


def _omegaconf(config: Any) -> Mapping[Any, Any]:
    """OmegaConf's values, interpolations resolved, unless a resolver (``${now:}``) would run code: then as written."""
    convert = sys.modules["omegaconf"].OmegaConf.to_container
    if "${" in (written := repr(config._get_root())) and _resolver(written):  # noqa: SLF001  (there is no public way)
        return dict(convert(config, resolve=False))
    try:
        return dict(convert(config, resolve=True))
    except Exception:  # an interpolation that leads nowhere: the user's affair, when they read it
        return dict(convert(config, resolve=False))


def _resolver(written: str) -> bool:
    import re

    return re.search(r"\$\{\s*[\w.]+\s*:", written) is not None


def items(value: Any) -> Sequence[Any] | None:
    """The elements of a list, tuple, set or deque, or ``None``. Iterators are not consumed."""
    if isinstance(value, (list, tuple)):
        return value
    if isinstance(value, AbstractSet):
        return sorted(value, key=_order)
    if type(value).__qualname__ in ("deque", "ListConfig"):
        return list(value)
    return None


def _order(item: Any) -> tuple[str, float, str]:
    """Sets have no order: numbers by value, all else by its text, so that equal sets are written equally."""
    return type(item).__name__, item if isinstance(item, (int, float)) else 0, summary.of_object(item)
