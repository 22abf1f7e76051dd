"""Read runs: from their journals, never from what wrote them.

Heavier parts are modules of their own, imported where they are used: ``series`` (points), ``export``, ``diff``,
``edit`` (tags, note, name, removal), ``checkout``, ``compact``.
"""

from autolog.store.columns import UnknownColumn, column_value
from autolog.store.find import AmbiguousRun, UnknownRun, find_run
from autolog.store.layout import root_directory
from autolog.store.query import QueryError
from autolog.store.reader import read_run
from autolog.store.rows import Runs, runs
from autolog.store.summary import MetricSummary, RunSummary

__all__ = [
    "AmbiguousRun",
    "MetricSummary",
    "QueryError",
    "RunSummary",
    "Runs",
    "UnknownColumn",
    "UnknownRun",
    "column_value",
    "find_run",
    "read_run",
    "root_directory",
    "runs",
]
