"""A query means the same on PostgreSQL, on SQLite and on the machine where the runs were recorded; so does an order."""

from __future__ import annotations

import itertools
import math
import random

import pytest
import sqlalchemy as sa

from autolog import events as e
from autolog import store
from autolog.server import database, tables
from autolog.server.index import filling, refreshing
from autolog.server.runs import listing
from autolog.server.storage.local import LocalStorage

START = 1_795_000_000.0
TEXTS = [
    "relu", "Relu", "RELU", "re_lu%", "ähnlich", "zebra", "Äpfel", "日本", "a*b", "x'; DROP TABLE runs; --", " 1 ",
    "1e-3", "0.5", "nan", "inf", "-inf", "True", "\\", "😀", "e\u0301", "\u00e9", "\ufffd", "B", "a", "_", "1_0",
]  # fmt: skip
NUMBERS = [0, 1, 0.5, -2, 1e-3, 1e308, -1e308, 5e-324, math.inf, -math.inf, 2**53 + 1, 10**30, -0.0]
VALUES = [*TEXTS, *NUMBERS, "", True, False, None, [1, 2], "NaN", "Infinity"]
POINTS = [0.5, 1.0, -2.0, 1e308, math.nan, math.inf, -math.inf, 0.0, -0.0]
OPERATORS = ("==", "!=", "<", "<=", ">", ">=")
QUERIES = [
    *(f"params.x {op} {value}" for op in OPERATORS for value in (0, 0.5, "inf", "-inf", 1e308)),
    *(f"params.x {op} '{value}'" for op in OPERATORS for value in ("relu", "Relu", "a", "B", "Äpfel", "1e-3", "")),
    *(f"metrics.loss{stat} {op} {value}" for stat in ("", ".min", ".max", ".count") for op in ("<", ">=", "!=")
      for value in (0.5, "inf", "-inf")),
    *(f"matches(params.x, {pattern!r})" for pattern in ("r*", "R*", "*l?", "re_lu%", "\\*", "?", "*é*", "*", "")),
    *(f"{text!r} in {field}" for text in ("e", "E", "%", "_", "ä", "😀") for field in ("params.x", "name", "note")),
    "isnan(metrics.loss)", "not isnan(metrics.loss)", "metrics.loss", "not metrics.loss", "params.x", "not params.x",
    "params.x is None", "params.x is not None", "metrics.loss is None", "metrics['val/loss'] < metrics.loss",
    "params.x == params.y", "params.x != params.y", "params.x < params.y", "params.x == True", "params.x == 'True'",
    "name.startswith('R')", "name.startswith('r')", "name.endswith('%')", "name < 'a'", "name >= 'zebra'",
    "note", "not note",
    "'base line' in tags", "'Base' in tags", "tags", "not tags", "status == 'completed'", "status != 'completed'",
    "children.metrics.loss > 0.5", "children.params.x == 'relu'", "not (children.params.x < 1)", "duration < 300",
    "started_at > '2026-11-20'", "facts.git.dirty", "other.z > 0 or params.x < 0 and not tags",
    "params['a\\x00b'] == 1", f"params.{'n' * 3000} == 7",
]  # fmt: skip
SORTS = ["name", "note", "status", "started_at", "duration", "params.x", "params.y", "metrics.loss", "metrics.loss.min",
         "metrics.loss.max", "metrics.loss.count", "metrics.nothing", "facts.git.commit"]  # fmt: skip


def wire(value):
    return e.to_wire(value) if isinstance(value, float) else value


def records(number, rnd):
    """A run of every kind of value."""
    yield e.RunStart(time=START + number, id=run_id(number), name=rnd.choice(TEXTS), project="lab", pid=1)
    for child in (None, "c1"):
        if child:
            yield e.Child(time=START, child=child, name=child, kind="trial")
        chosen = {name: wire(rnd.choice(VALUES)) for name in ("x", "y") if rnd.random() < 0.8}
        yield e.Params(time=START, child=child, values=chosen)
        for name, step in itertools.product(("loss", "val/loss"), range(3)):
            if rnd.random() < 0.6:
                values = {name: wire(rnd.choice(POINTS))}
                yield e.Metrics(time=START + step, child=child, values=values, step=rnd.choice([step, None]))
    if number % 10 == 0:
        yield e.Params(time=START, values={"a\0b": 1, "n" * 3000: 7, "x": "nothing\0follows", "y": "x" * 100_000})
    yield e.Other(time=START, values={"z": rnd.choice([-1, 0, 1])})
    yield e.Fact(time=START, name="git", value={"commit": rnd.choice(TEXTS), "dirty": rnd.random() < 0.5})
    yield e.Tags(time=START, add=[tag for tag in ("a", "b%", "base line", "Base") if rnd.random() < 0.4])
    if rnd.random() < 0.5:
        yield e.Note(time=START, text=rnd.choice(TEXTS))
    yield e.End(time=START + number + rnd.randrange(500), status=rnd.choice(["completed", "failed"]))


def run_id(number):
    return f"20261122-111134-{number:03}-9f3c2a81"


@pytest.fixture(scope="module")
def places(tmp_path_factory, postgres):
    """A runs directory, and the indexes that servers over SQLite and PostgreSQL make of it."""
    root, rnd = tmp_path_factory.mktemp("runs"), random.Random(11)
    for number in range(120):
        directory = root / "lab" / run_id(number)
        directory.mkdir(parents=True)
        (directory / "journal.jsonl").write_bytes(b"".join(e.encode(each) + b"\n" for each in records(number, rnd)))
    engines = [
        database.connect(tmp_path_factory.mktemp(name), url)
        for name, url in [("sqlite", ""), ("pg", postgres.create())]
    ]
    for engine in engines:
        database.migrate(engine)
    storage = LocalStorage(root)
    for number in range(120):  # one by one here, all at once there
        refreshing.refresh(engines[0], storage, ("lab", run_id(number)))
    for filled in filling.fill(engines[1], storage, storage.places()):
        assert (len(filled.done), filled.left) == (120, [])
    yield root, *engines
    for engine in engines:
        engine.dispose()


def listed(engine, **options):
    with engine.connect() as connection:
        return [run.id for run in listing.page(connection, ["lab"], limit=1000, **options).runs]


def test_the_rows_are_the_same(places):
    for table in tables.INDEX.values():
        keys = [column for column in table.c if column.primary_key]
        found = []
        for engine in places[1:]:
            with engine.connect() as connection:
                found.append([tuple(row) for row in connection.execute(sa.select(table).order_by(*keys))])
        assert found[0] == found[1] != []


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query[:60])
def test_a_query_finds_the_same_runs(places, query):
    root, lite, postgres = places
    here = sorted(run.id for run in store.runs(where=query, dir=root))
    assert sorted(listed(lite, where=query)) == here
    assert sorted(listed(postgres, where=query)) == here


def test_the_queries_tell_runs_apart(places):
    """Else the test above would show little."""
    found = [len(listed(places[1], where=query)) for query in QUERIES]
    assert sum(0 < number < 120 for number in found) > 0.8 * len(QUERIES)


@pytest.mark.parametrize("column", SORTS)
@pytest.mark.parametrize("sign", ["", "-"])
def test_an_order_is_the_same(places, column, sign):
    _, lite, postgres = places
    assert listed(lite, sort=sign + column) == listed(postgres, sort=sign + column)


@pytest.mark.parametrize(
    ("sort", "where"),
    [("", ""), *((f"{sign}{column}", "") for column in SORTS for sign in ("", "-")),
     *((column, "params.x != 'relu'") for column in ("", "-params.x", "metrics.loss"))],
)  # fmt: skip
def test_pages_put_together_are_the_whole(places, sort, where):
    for engine in places[1:]:
        whole, seen, cursor = listed(engine, sort=sort, where=where), [], ""
        with engine.connect() as connection:
            while cursor is not None:
                page = listing.page(connection, ["lab"], sort=sort, where=where, limit=23, cursor=cursor)
                assert page.total == len(whole) > 23
                seen += [run.id for run in page.runs]
                cursor = page.cursor
        assert seen == whole


def test_a_page_goes_on_where_the_last_run_was_taken_away(places):
    for engine in places[1:]:
        with engine.connect() as connection:
            whole = listed(engine, sort="-params.x")
            cursor = listing.page(connection, ["lab"], sort="-params.x", limit=10).cursor
            runs = tables.INDEX["runs"]
            connection.execute(sa.delete(runs).where(runs.c.run == whole[9]))  # never committed
            page = listing.page(connection, ["lab"], sort="-params.x", limit=110, cursor=cursor)
            assert [run.id for run in page.runs] == whole[10:]
            assert (page.total, page.cursor) == (119, None)


def test_what_is_told_of_runs_is_the_same(places):
    _, lite, postgres = places
    wanted = ["metrics.loss", "metrics.loss.min", "metrics.val/loss.max", "params.x", "params.y", "facts.git.commit"]
    told = []
    for engine in (lite, postgres):
        with engine.connect() as connection:
            page = listing.page(connection, ["lab"], limit=1000, wanted=wanted)
            for run in page.runs:
                run.tags.sort()
            told.append((page.runs, listing.column_names(connection, ["lab"])))
    assert told[0] == told[1]
