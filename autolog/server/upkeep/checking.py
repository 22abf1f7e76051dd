"""Whether all that a server holds is as it should be: journals, files, index; and making the index anew."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from autolog import events, journal
from autolog.server import tables
from autolog.server.accounts.rows import insert_once
from autolog.server.index import refreshing, writing
from autolog.server.index.rows import index_rows
from autolog.server.service import Service
from autolog.store import fold, reader, summary
from autolog.store.layout import Place
from autolog.store.summary import RunSummary

__all__ = ["Finding", "check", "reindex"]

_COMPARED = ("runs", "tags", "fields", "metrics")
_PASSING = {"row", "stamp", "status", "ended_at"}
"""Columns that are not compared: how a run without an end stands depends on the hour."""


class Finding(NamedTuple):
    """Something that is not as it should be."""

    place: str
    """Project and run, where it is about one."""
    problem: str
    repaired: bool = False
    """It was put right."""
    serious: bool = True
    """Something is lost or damaged; else it is only worth knowing."""


def check(service: Service, *, hashes: bool = True, repair: bool = False) -> Iterator[Finding]:
    """Look at every run.

    Args:
        service: of the server, which may run meanwhile: what it takes just now may then be found behind in the index.
        hashes: read every file and compare its hash.
        repair: make the index anew where it differs, and list projects that are not. Journals and files stay as they
            are.
    """
    projects = set()
    places = set()
    for place, stamp in service.storage.places():
        projects.add(place[0])
        places.add(place)
        try:
            yield from _run(service, place, stamp, hashes=hashes, repair=repair)
        except FileNotFoundError:
            continue  # deleted just now
        except Exception as error:  # one run's trouble does not end the check
            yield Finding("/".join(place), f"it cannot be read: {type(error).__name__}: {error}")
    yield from _orphans(service, places, repair=repair)
    yield from _projects(service, projects, repair=repair)


def reindex(service: Service, told: Callable[[Place], None] = lambda _: None) -> int:
    """Make the index of every run anew, from its journals; how many there are.

    Args:
        service: of the server, which may run meanwhile.
        told: called after each run.
    """
    there = dict(service.storage.places())
    for place in _indexed(service) - there.keys():
        writing.remove(service.engine, place)
    for place in there:
        writing.remove(service.engine, place)
        refreshing.refresh(service.engine, service.storage, place)
        told(place)
    return len(there)


def _run(service: Service, place: Place, stamp: str, *, hashes: bool, repair: bool) -> Iterator[Finding]:
    name = "/".join(place)
    with service.storage.directory(place) as directory:
        for path in journal.journals(directory):
            yield from (Finding(name, f"{path.name}: {problem}") for problem in _journal(path, place[1]))
        state = reader.read_state(directory)
        seen = summary.summarize(state, directory)
    for one in summary.descendants(seen):
        one.directory = ""
    yield from (Finding(name, problem) for problem in _assets(service, place, seen, hashes=hashes))
    expected = index_rows(place, seen, stamp, fold.dump_state(state))
    differs = _differs(service, place, expected)
    if differs and service.storage.stamp(place) == stamp:  # it has not just grown
        if repair:
            writing.remove(service.engine, place)
            refreshing.refresh(service.engine, service.storage, place)
        yield Finding(name, f"the index differs from the journals: {differs}", repaired=repair, serious=False)


def _journal(path: Path, run: str) -> Iterator[str]:
    if path.stat().st_size == 0:
        yield "it is empty"
        return
    broken = 0
    with path.open("rb") as file:
        for number, line in enumerate(file):
            try:
                record = events.decode(line)
            except ValueError:
                broken += 1
                continue
            if number == 0 and isinstance(record, events.RunStart) and record.id != run:
                yield f"it is of the run {record.id}"
            if number == 0 and not isinstance(record, events.RunStart):
                yield "it does not begin with whose it is"
        if not line.endswith(b"\n"):
            yield "its last line is not whole"
    if broken:
        yield f"{broken} lines are no records"


def _assets(service: Service, place: Place, seen: RunSummary, *, hashes: bool) -> Iterator[str]:
    known: dict[str, bool] = {}
    for one in summary.descendants(seen):
        for asset in one.assets:
            path, digest = asset.get("path"), str(asset.get("hash") or "").removeprefix("sha256:")
            if not path or path in known:
                continue
            known[path] = True
            stored = service.storage.open(place, path)
            if stored is None:
                yield f"{path} is not there"
            elif asset.get("size") is not None and stored.size != asset["size"]:
                yield f"{path} has {stored.size} bytes instead of {asset['size']}"
            elif hashes and len(digest) == 64:
                hasher = hashlib.sha256()
                for piece in stored.read(0, stored.size):
                    hasher.update(piece)
                if hasher.hexdigest() != digest:
                    yield f"{path} has another hash than its record says"


def _differs(service: Service, place: Place, expected: dict[str, list[dict[str, Any]]]) -> str:
    """Tables of the index that do not say what the journals do; empty: none."""
    found = []
    with service.engine.connect() as connection:
        for name in _COMPARED:
            table = tables.INDEX[name]
            mine = (table.c.project == place[0]) & (table.c.run == place[1])
            rows = [dict(row) for row in connection.execute(sa.select(table).where(mine)).mappings()]
            if _comparable(rows) != _comparable(expected.get(name, [])):
                found.append(name if rows or name != "runs" else "the run is not listed")
    return ", ".join(found)


def _comparable(rows: list[dict[str, Any]]) -> list[list[tuple[str, str]]]:
    def text(value: Any) -> str:
        return repr(float(value)) if isinstance(value, (int, float)) else repr(value)

    return sorted([(key, text(value)) for key, value in sorted(row.items()) if key not in _PASSING] for row in rows)


def _indexed(service: Service) -> set[Place]:
    runs = tables.INDEX["runs"].c
    with service.engine.connect() as connection:
        return {(project, run) for project, run in connection.execute(sa.select(runs.project, runs.run))}


def _orphans(service: Service, places: set[Place], *, repair: bool) -> Iterator[Finding]:
    for place in sorted(_indexed(service) - places):
        if service.storage.stamp(place):
            continue  # it has come just now
        if repair:
            writing.remove(service.engine, place)
        yield Finding("/".join(place), "it is in the index, but has no journals", repaired=repair)


def _projects(service: Service, projects: set[str], *, repair: bool) -> Iterator[Finding]:
    with service.engine.begin() as connection:
        known = set(connection.execute(sa.select(tables.projects.c.project)).scalars())
        for project in sorted(projects - known):
            if repair:
                insert_once(connection, tables.projects, project=project, created_at=0.0, public=False)
            yield Finding(project, "the project is not listed: only admins can see it", repaired=repair, serious=False)
