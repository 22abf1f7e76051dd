"""The data sets of a ``Trainer``: what they are, and their fingerprints. No row is computed for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["log_datasets"]

_MAX_BYTES = 1 << 20
"""Content read for the fingerprint of data without one of its own: a few milliseconds."""
_LOOKED_AT = 64


def log_datasets(run: Run, datasets: Mapping[str, Any]) -> None:
    """Record data sets as assets; of a dict of them each, as ``eval_dataset/<name>``.

    Args:
        run: where.
        datasets: by what they are called; ``None`` is none.
    """
    for name, data in datasets.items():
        parts = {f"{name}/{part}": value for part, value in data.items()} if _is_several(data) else {name: data}
        for title, part in parts.items():
            if part is not None and not _is_on_device(part):
                run.log_dataset(title, part, name.partition("_")[0], max_bytes=_MAX_BYTES)


def _is_several(data: Any) -> bool:
    return isinstance(data, Mapping)


def _is_on_device(data: Any) -> bool:
    """Whether reading it would wait for a device."""
    if isinstance(data, (list, tuple)):
        values = [*data[:1]]
    else:
        values = list(getattr(data, "__dict__", {}).values())[:_LOOKED_AT]
    for value in values:
        inside = list(value.values()) if isinstance(value, Mapping) else value
        parts = inside[:_LOOKED_AT] if isinstance(inside, (list, tuple)) else [inside]
        if any(getattr(getattr(part, "device", None), "type", "cpu") != "cpu" for part in parts):
            return True
    return False
