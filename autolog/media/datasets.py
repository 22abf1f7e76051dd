"""Which data was it: type, schema, shape and a fingerprint of the content, without touching the data's own code.

No random number is drawn, no generator consumed and no user's ``Dataset`` iterated: of such an object its length and
the arrays, tensors, paths and lists in its attributes are read, nothing else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from autolog.media.arrays import as_numpy, is_torch, looks_like_array
from autolog.media.base import refusal
from autolog.media.digest import Digest, encoded
from autolog.media.files import fingerprint_path
from autolog.media.frames import fingerprint_frame, is_frame
from autolog.media.jsonable import jsonable

__all__ = ["ACCEPTED", "MAX_BYTES", "check", "fingerprint"]

ACCEPTED = (
    "pandas, polars and pyarrow tables, arrays and tensors, torch datasets and loaders, Hugging Face datasets, lists, "
    "dicts and tuples of these, and paths of files and folders"
)
MAX_BYTES = 1 << 27
"""128 MiB: a fraction of a second."""

Facts: TypeAlias = dict[str, Any]
_DEPTH = 6
_PARTS = 64


def check(data: Any) -> None:
    """Refuse what is no data.

    Raises:
        TypeError: a number, ``None``, a function, a class.
        FileNotFoundError: a path where nothing is.
    """
    if data is None or isinstance(data, (bool, int, float, complex, type)) or _is_function(data):
        raise refusal("log_dataset", data, ACCEPTED)
    if isinstance(data, (str, os.PathLike)) and "://" not in str(data) and not os.path.lexists(data):
        raise FileNotFoundError(f"log_dataset: there is no file or folder {os.fspath(data)!r}")


def _is_function(value: Any) -> bool:
    return callable(value) and hasattr(value, "__qualname__")


def fingerprint(data: Any, max_bytes: int = MAX_BYTES) -> Facts:
    """What a data set is.

    Args:
        data: see :data:`ACCEPTED`.
        max_bytes: how much content is hashed in full; beyond, evenly spaced parts.

    Returns:
        ``type``, what that type has (``shape``, ``dtype``, ``columns``, ``rows``, ``parts`` …), and ``fingerprint``,
        ``complete`` (the fingerprint covers every byte), ``hashed_bytes``, ``total_bytes``. Equal content has an equal
        fingerprint, on every machine. A text inside a list or dict is data, a ``Path`` there is a file.
    """
    digest = Digest(max_bytes)
    if isinstance(data, str) and "://" in data:
        digest.note(data)
        digest.skip(0)
        return {"type": "uri", "uri": data} | digest.result()
    return _facts(Path(data) if isinstance(data, str) else data, digest, 0) | digest.result()


def _facts(data: Any, digest: Digest, depth: int) -> Facts:
    """Describe one object and add its content to the digest."""
    facts: Facts = {"type": _named(data)}
    for fits, describe in _KINDS:
        if fits(data):
            return facts | describe(data, digest, depth)
    digest.note(facts["type"])
    digest.skip(0)
    return facts


def _named(data: Any) -> str:
    kind = type(data)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _array(data: Any, digest: Digest, _depth: int) -> Facts:
    shape = [int(length) for length in data.shape]
    dtype = str(data.dtype).removeprefix("torch.")
    digest.note(f"{dtype} {shape}")
    flat = data.reshape(-1) if not shape or _contiguous(data) else data
    if getattr(data.dtype, "kind", "") in ("O", "T"):
        digest.items(len(flat), 32, lambda start, stop: encoded(as_numpy(flat[start:stop]).tolist()))
    else:
        width = _itemsize(data) * _product(shape) / max(len(flat), 1)
        digest.items(len(flat), width, lambda start, stop: as_numpy(flat[start:stop]).tobytes())
    return {"shape": shape, "dtype": dtype} | ({"device": str(data.device)} if is_torch(data) else {})


def _contiguous(data: Any) -> bool:
    """Whether flattening it makes no copy."""
    if is_torch(data):
        return bool(data.is_contiguous())
    flags = getattr(data, "flags", None)
    return bool(flags is not None and getattr(flags, "c_contiguous", False))


def _itemsize(data: Any) -> int:
    size = getattr(data, "element_size", None)
    return int(size()) if callable(size) else int(getattr(getattr(data, "dtype", None), "itemsize", 8))


def _product(shape: list[int]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product


def _sparse(data: Any, digest: Digest, depth: int) -> Facts:
    for part in ("data", "indices", "indptr", "row", "col"):
        if looks_like_array(getattr(data, part, None)):
            _array(getattr(data, part), digest, depth)
    return {"shape": list(data.shape), "dtype": str(data.dtype), "stored": int(data.nnz)}


def _hugging_face(data: Any, digest: Digest, _depth: int) -> Facts:
    own = str(data._fingerprint)  # noqa: SLF001  (the library's own content fingerprint has no public name)
    digest.note(own)
    info = getattr(data, "info", None)
    named = {name: getattr(info, name, None) for name in ("dataset_name", "config_name", "version", "homepage")}
    return {
        "rows": data.num_rows,
        "columns": {name: str(feature) for name, feature in list(data.features.items())[:1000]},
        "split": str(data.split) if data.split is not None else None,
        "own_fingerprint": own,
    } | {name: str(value) for name, value in named.items() if value}


def _tensorflow(data: Any, digest: Digest, _depth: int) -> Facts:
    digest.note(spec := str(data.element_spec))
    digest.skip(0)
    return {"element_spec": spec}


def _mapping(data: Any, digest: Digest, depth: int) -> Facts:
    return _parts({str(key): value for key, value in data.items()}, digest, depth)


def _sequence(data: Any, digest: Digest, depth: int) -> Facts:
    if len(data) <= _PARTS and all(_is_data(part) for part in data):
        return _parts({str(index): part for index, part in enumerate(data)}, digest, depth)
    digest.note(f"{len(data)} items")
    digest.items(len(data), 32, lambda start, stop: encoded(list(data[start:stop])))
    return {"length": len(data), "first": jsonable(data[0], 200) if data else None}


def _parts(parts: dict[str, Any], digest: Digest, depth: int) -> Facts:
    if depth >= _DEPTH or len(parts) > _PARTS * 16:
        digest.skip(0)
        return {"length": len(parts)}
    facts = {}
    for name, part in parts.items():
        digest.note(name)
        facts[name] = _facts(part, digest, depth + 1) if _is_data(part) else _plain(part, digest)
    return {"parts": facts}


def _plain(part: Any, digest: Digest) -> Any:
    digest.note(repr(value := jsonable(part, 1000)))
    return value


def _is_data(value: Any) -> bool:
    return any(fits(value) for fits, _ in _KINDS)


def _user_dataset(data: Any, digest: Digest, depth: int) -> Facts:
    """A torch ``Dataset`` or ``DataLoader`` of anyone's making: its length, and the data among its attributes."""
    digest.note(_named(data))
    facts: Facts = {}
    if hasattr(type(data), "__len__"):
        try:
            facts["length"] = len(data)
        except Exception as error:  # an iterable data set's loader has no length: the user's code says so
            facts["length"] = f"unknown ({type(error).__name__})"
        digest.note(str(facts["length"]))
    digest.complete &= _is_library(type(data))  # its __getitem__ may do anything with what is described here
    attributes = {name: value for name, value in vars(data).items() if _telling(value) and not name.startswith("_")}
    return facts | _parts(attributes, digest, depth)


def _is_library(kind: type) -> bool:
    return kind.__module__.startswith("torch.utils.data") and kind.__name__ in (
        "TensorDataset",
        "Subset",
        "ConcatDataset",
    )


def _telling(value: Any) -> bool:
    return isinstance(value, (bool, int, float, str)) or (_is_data(value) and not isinstance(value, os.PathLike))


def _path(data: Any, digest: Digest, _depth: int) -> Facts:
    return fingerprint_path(Path(data), digest)


def _is_torch_dataset(data: Any) -> bool:
    module = sys.modules.get("torch.utils.data")
    return module is not None and isinstance(data, (module.Dataset, module.DataLoader))


_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Any, Digest, int], Facts]], ...] = (
    (lambda data: isinstance(data, os.PathLike), _path),
    (
        lambda data: hasattr(data, "_fingerprint") and hasattr(data, "features") and hasattr(data, "num_rows"),
        _hugging_face,
    ),
    (is_frame, lambda data, digest, _: fingerprint_frame(data, digest)),
    (_is_torch_dataset, _user_dataset),
    (lambda data: hasattr(data, "nnz") and hasattr(data, "tocsr"), _sparse),
    (lambda data: looks_like_array(data) and hasattr(data, "dtype"), _array),
    (lambda data: isinstance(data, Mapping), _mapping),
    (lambda data: isinstance(data, (list, tuple)), _sequence),
    (lambda data: hasattr(data, "element_spec"), _tensorflow),
)
