"""Fixtures for those who write integrations: a strict run in a temporary directory, and its records read back.

In a ``conftest.py``::

    pytest_plugins = ["autolog.testing"]

Then a test trains, and looks at what was recorded::

    def test_fit(autolog_run):
        model.fit(x, y)
        (fit,) = autolog_run.read().children
        assert fit.params["epochs"] == 3
        assert fit.series("loss") == [(10, 0.5), (20, 0.25)]

An error inside an integration is raised there, not swallowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from autolog import config, current, events, journal, plugins
from autolog.captures import Captured

__all__ = ["Recorded", "Recording", "Runs", "autolog_run", "missing", "recording"]


@dataclass
class Recorded:
    """What was recorded of a run itself, or of one child run of it."""

    id: str | None = None
    """Id of the child run; ``None`` for the run itself."""
    name: str = ""
    kind: str = "run"
    parent: str | None = None
    integration: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str | None] = field(default_factory=dict)
    """Where each parameter was read."""
    metrics: list[events.Metrics] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    assets: list[events.Asset] = field(default_factory=list)
    end: events.ChildEnd | events.End | None = None
    records: list[events.Record] = field(default_factory=list)
    """All records, in order."""

    @property
    def status(self) -> str:
        """``running`` where no end is on record."""
        return "running" if self.end is None else self.end.status

    def series(self, name: str) -> list[tuple[float | None, float]]:
        """All values of one metric as ``(step, value)``, in the order of recording."""
        return [
            (record.step, events.from_wire(record.values[name])) for record in self.metrics if name in record.values
        ]

    def points(self, name: str) -> list[tuple[float | None, float | None, float]]:
        """All values of one metric as ``(step, epoch, value)``."""
        return [
            (record.step, record.epoch, events.from_wire(record.values[name]))
            for record in self.metrics
            if name in record.values
        ]

    @property
    def metric_names(self) -> set[str]:
        """Names of all metrics."""
        return {name for record in self.metrics for name in record.values}


@dataclass
class Recording:
    """Everything below one runs directory, normally of one run."""

    root: Path
    records: list[events.Record] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Lines that could not be read, and errors inside autolog that the run tells of."""
    run: Recorded = field(default_factory=Recorded)
    children: list[Recorded] = field(default_factory=list)
    """Child runs in the order of their beginning."""


def recording(root: Path) -> Recording:
    """Read every journal below a runs directory back.

    Args:
        root: what ``AUTOLOG_DIR`` was.

    Returns:
        What was recorded; an empty one where there is nothing.
    """
    told = Recording(root)
    for directory in sorted(root.glob("*/*/")):
        for path in journal.journals(directory):
            told.records += [record for record, _ in journal.read(path, problems=told.problems)]
    found: dict[str | None, Recorded] = {None: told.run}
    for record in told.records:
        if isinstance(record, events.Child):
            child = Recorded(record.child, record.name, record.kind, record.parent, record.integration)
            found[record.child] = child
            told.children.append(child)
        elif isinstance(record, events.Health) and record.kind in ("lost", "error"):
            told.problems.append(f"{record.where}: {record.detail}")
        _add(found[record.child], record)
    return told


def _add(entry: Recorded, record: events.Record) -> None:
    entry.records.append(record)
    if isinstance(record, events.Params):
        entry.params |= record.values
        entry.sources |= dict.fromkeys(record.values, record.source)
    elif isinstance(record, events.Metrics):
        entry.metrics.append(record)
    elif isinstance(record, events.Fact):
        entry.facts[record.name] = entry.facts.get(record.name, []) + record.value if record.append else record.value
    elif isinstance(record, events.Asset):
        entry.assets.append(record)
    elif isinstance(record, (events.ChildEnd, events.End)):
        entry.end = record
    elif isinstance(record, events.RunStart):
        entry.name = record.name


def missing(captures: Iterable[Captured], *recordings: Recording) -> list[str]:
    """What an integration says it captures, and what none of these recordings has.

    Args:
        captures: an integration's ``captures``.
        *recordings: real trainings, which together meet every circumstance a row names.

    Returns:
        ``"metric lr-*: the learning rate"`` for each pattern that nothing matches.
    """
    found: dict[str, set[str]] = {"child": set(), "params": set(), "metric": set(), "fact": set(), "asset": set()}
    for told in recordings:
        found["child"] |= {child.kind for child in told.children}
        for entry in (told.run, *told.children):
            found["params"] |= {source for source in entry.sources.values() if source}
            found["metric"] |= entry.metric_names
            found["fact"] |= set(entry.facts)
            found["asset"] |= {asset.name for asset in entry.assets}
    return [
        f"{row.place} {pattern}: {row.what}"
        for row in captures
        for pattern in row.names
        if not any(fnmatchcase(name, pattern) for name in found[row.place])
    ]


class Runs:
    """The runs of one test; see the fixture :func:`autolog_run`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        """The runs directory."""

    def read(self) -> Recording:
        """End the run, if one has begun, and read everything back."""
        current.finish()
        return recording(self.root)


@pytest.fixture
def autolog_run(tmp_path: Path) -> Iterator[Runs]:
    """Record below ``tmp_path``, strictly: an error of autolog's own fails the test. No sidecar, no facts of the host.

    The run begins as it does for a user: with the first fit or the first logged value.
    """
    root = tmp_path / "autolog-runs"
    current.finish()
    config.configure(dir=str(root), strict=True, sidecar=False)
    facts = [name for name in plugins.FACTS if not plugins.is_disabled(name)]
    plugins.disable(*facts)
    try:
        yield Runs(root)
    finally:
        current.finish()
        plugins.enable(*facts)
        config.configure(dir=None, strict=None, sidecar=None)
