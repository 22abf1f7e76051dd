"""What other programs read in place: the points of finished runs, as Parquet in folders ``project=…/run=…``.

Names of projects are written as Hive, Spark, DuckDB and Arrow read them: with ``%`` and two digits for each byte that
is no letter, digit or one of ``_.-~``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from autolog import journal
from autolog.server.storage.contract import Storage
from autolog.store.layout import Place
from autolog.store.parquet import Stored, open_stored

__all__ = ["finder", "key", "metric_journals", "stored"]


def key(place: Place, name: str) -> str:
    """Under which a file of a run is published."""
    project, run = place
    return f"project={quote(project, safe='')}/run={run}/{name}"


def metric_journals(sizes: dict[str, int]) -> dict[str, int]:
    """Of a run's journals those that can hold points."""
    return {name: size for name, size in sizes.items() if not journal.is_edits(name) and not journal.is_system(name)}


def finder(storage: Storage, place: Place) -> Callable[[str], Path | None]:
    """Where the files of a run lie that were published, or that its own sidecar has left in its directory."""

    def find(name: str) -> Path | None:
        found = storage.published(key(place, name))
        if found is not None:
            return found
        held = storage.open(place, name)
        return held.path if held is not None else None

    return find


def stored(storage: Storage, place: Place, sizes: dict[str, int]) -> Stored | None:
    """The compacted points of a run whose journals have these sizes; ``None``: its journals are to be read."""
    return open_stored(finder(storage, place), metric_journals(sizes))
