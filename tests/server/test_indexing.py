"""The index: many runs at once, beside other servers; and runs that cannot be indexed now."""

import pytest
import sqlalchemy as sa

from autolog import events as e
from autolog.server import database, tables
from autolog.server.index import filling, indexing, news_feed, refreshing, writing
from autolog.server.storage.local import LocalStorage

RUNS = tables.INDEX["runs"]


def grow(root, place, *records):
    with (root / place[0] / place[1] / "journal.jsonl").open("ab") as journal:
        journal.write(b"".join(e.encode(record) + b"\n" for record in records))


def write(root, number, project="lab", lr=0.1):
    name = f"20261122-111134-{number:03}-9f3c2a81"
    directory = root / project / name
    directory.mkdir(parents=True)
    records = [
        e.RunStart(time=1000.0, id=name, name=f"run-{number}", project=project, pid=1),
        e.Params(time=1000.0, values={"lr": lr}),
        e.End(time=1001.0, status="completed"),
    ]
    (directory / "journal.jsonl").write_bytes(b"".join(e.encode(record) + b"\n" for record in records))
    return project, name


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, tmp_path):
    url = request.getfixturevalue("postgres").create() if request.param == "postgresql" else ""
    engine = database.connect(tmp_path / "database", url)
    database.migrate(engine)
    yield engine
    engine.dispose()


def indexed(engine):
    with engine.connect() as connection:
        return {tuple(row) for row in connection.execute(sa.select(RUNS.c.project, RUNS.c.run))}


def filled(engine, storage):
    steps = list(filling.fill(engine, storage, sorted(storage.places())))
    return [place for step in steps for place in step.done], [place for step in steps for place in step.left]


def test_runs_are_indexed_in_steps(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(filling, "_RUNS", 3)
    places = [write(tmp_path, number, project) for project in ("lab", "other") for number in range(4)]
    storage = LocalStorage(tmp_path)
    assert [len(step.done) for step in filling.fill(engine, storage, storage.places())] == [3, 3, 2]
    assert indexed(engine) == set(places)
    if database.is_postgres(engine):  # each is told
        assert [news_feed.current(engine, project) for project in ("lab", "other")] == [4, 4]


def test_what_is_there_already_stays_as_it_is(engine, tmp_path):
    first, second, gone = (write(tmp_path, number) for number in range(3))
    storage = LocalStorage(tmp_path)
    stamps = sorted(storage.places())
    refreshing.refresh(engine, storage, first)
    with engine.begin() as connection:
        connection.execute(sa.update(RUNS).values(note="mine"))
    (tmp_path / "lab" / gone[1] / "journal.jsonl").unlink()
    (step,) = filling.fill(engine, storage, stamps)
    assert (step.done, sorted(step.left)) == ([second], [first, gone])
    with engine.connect() as connection:
        notes = dict(connection.execute(sa.select(RUNS.c.run, RUNS.c.note)).all())
    assert notes == {first[1]: "mine", second[1]: ""}


def test_a_run_that_another_server_writes_now_is_not_waited_for(tmp_path, postgres):
    engine = database.connect(tmp_path / "database", postgres.create())
    database.migrate(engine)
    first, second = write(tmp_path, 1), write(tmp_path, 2)
    with database.locked(engine, "index", *first):
        assert filled(engine, LocalStorage(tmp_path)) == ([second], [first])
    assert filled(engine, LocalStorage(tmp_path)) == ([first], [second])
    engine.dispose()


def test_a_run_that_cannot_be_indexed_is_tried_again_without_news(engine, tmp_path, monkeypatch, caplog, eventually):
    monkeypatch.setattr(indexing, "_AGAIN", 0.01)
    places = [write(tmp_path, number) for number in range(3)]
    journal = tmp_path / "lab" / places[1][1] / "journal.jsonl"
    kept = journal.read_bytes()
    journal.unlink()
    journal.mkdir()  # what no reader reads
    indexer = indexing.Indexer(engine, LocalStorage(tmp_path))
    indexer.start()
    try:
        eventually(lambda: indexed(engine) == {places[0], places[2]} and caplog.text.count("cannot index lab/") > 1)
        journal.rmdir()
        journal.write_bytes(kept)
        eventually(lambda: indexed(engine) == set(places))
    finally:
        indexer.close()


def test_news_of_a_run_that_failed_are_looked_at_soon(engine, tmp_path, monkeypatch, caplog, eventually):
    monkeypatch.setattr(indexing, "_AGAIN", 500.0)
    place = write(tmp_path, 1)
    journal = tmp_path / "lab" / place[1] / "journal.jsonl"
    kept = journal.read_bytes()
    journal.unlink()
    journal.mkdir()
    indexer = indexing.Indexer(engine, LocalStorage(tmp_path))
    indexer.start()
    try:
        eventually(lambda: "cannot index lab/" in caplog.text)
        journal.rmdir()
        journal.write_bytes(kept)
        indexer.changed(place)
        eventually(lambda: indexed(engine) == {place})
    finally:
        indexer.close()


def values(engine, table, name):
    rows = tables.INDEX[table].c
    with engine.connect() as connection:
        return sorted(tuple(row) for row in connection.execute(sa.select(rows.run, rows[name])))


def together(engine, storage, places, written):
    stamps = ((place, "") for place in places)
    steps = list(filling.fill(engine, storage, stamps, refreshing.known(engine, places), written))
    return [place for step in steps for place in step.done], [place for step in steps for place in step.left]


@pytest.mark.parametrize("many", [False, True])
def test_a_run_whose_state_cannot_be_read_is_read_anew(engine, tmp_path, many):
    place = write(tmp_path, 1)
    storage = LocalStorage(tmp_path)
    refreshing.refresh(engine, storage, place)
    with engine.begin() as connection:
        connection.execute(sa.update(tables.INDEX["progress"]).values(state=b"of another version"))
    grow(tmp_path, place, e.Tags(time=1002.0, add=["new"]))
    if many:
        assert together(engine, storage, [place], writing.Written()) == ([place], [])
    else:
        refreshing.refresh(engine, storage, place)
    assert values(engine, "tags", "tag") == [(place[1], "new")]
    assert refreshing.known(engine, [place])[place].state is not None


def test_runs_that_grow_are_written_together(engine, tmp_path):
    storage, written = LocalStorage(tmp_path), writing.Written()
    places = [write(tmp_path, number) for number in range(3)]
    assert together(engine, storage, places, written) == (places, [])
    grow(tmp_path, places[0], e.Tags(time=1002.0, add=["good"]))
    grow(tmp_path, places[1], e.Metrics(time=1002.0, values={"loss": 0.5}))
    done, left = together(engine, storage, places, written)
    assert (sorted(done), left) == (places, [])
    assert values(engine, "tags", "tag") == [(places[0][1], "good")]
    assert [run for run, name in values(engine, "metrics", "name")] == [places[1][1]]
    assert all(refreshing.known(engine, places)[place].stamp == storage.stamp(place) for place in places)


def test_rows_that_stay_the_same_are_not_written_again(engine, tmp_path):
    storage, written = LocalStorage(tmp_path), writing.Written()
    place = write(tmp_path, 1)
    grow(tmp_path, place, e.Tags(time=1001.0, add=["first"]))
    tags = tables.INDEX["tags"]
    together(engine, storage, [place], written)
    with engine.begin() as connection:
        connection.execute(sa.update(tags).values(tag="a mark"))
    grow(tmp_path, place, e.Metrics(time=1002.0, values={"loss": 0.5}))
    together(engine, storage, [place], written)
    assert values(engine, "tags", "tag") == [(place[1], "a mark")]
    grow(tmp_path, place, e.Metrics(time=1003.0, values={"loss": 0.4}))
    refreshing.refresh(engine, storage, place)  # another server: what was remembered is old
    assert values(engine, "tags", "tag") == [(place[1], "first")]
    with engine.begin() as connection:
        connection.execute(sa.update(tags).values(tag="a mark"))
    grow(tmp_path, place, e.Metrics(time=1004.0, values={"loss": 0.3}))
    together(engine, storage, [place], written)
    assert values(engine, "tags", "tag") == [(place[1], "first")]
    grow(tmp_path, place, e.Tags(time=1005.0, add=["second"]))
    together(engine, storage, [place], written)
    assert values(engine, "tags", "tag") == [(place[1], "first"), (place[1], "second")]


def test_a_run_whose_rows_cannot_be_written_does_not_hold_up_others(
    engine, tmp_path, monkeypatch, caplog, eventually
):  # fmt: skip
    places = [write(tmp_path, number) for number in range(5)]
    entries = filling.index_entries

    def without_a_name(place, *rest):
        found = entries(place, *rest)
        return found if place != places[2] else {**found, "tags": [(*place, None)]}

    monkeypatch.setattr(filling, "index_entries", without_a_name)
    monkeypatch.setattr(refreshing, "index_entries", without_a_name)
    indexer = indexing.Indexer(engine, LocalStorage(tmp_path))
    indexer.start()
    try:
        eventually(
            lambda: indexed(engine) == {*places} - {places[2]} and f"cannot index lab/{places[2][1]}" in caplog.text
        )
        others = [place for place in places if place != places[2]]
        for place in others:
            grow(tmp_path, place, e.Tags(time=1002.0, add=["later"]))
        indexer.changed(*places)
        eventually(lambda: len(values(engine, "tags", "tag")) == len(others))
    finally:
        indexer.close()
