"""The bytes of runs in PostgreSQL and S3: cut, packed, copied, removed, and nothing left behind."""

from __future__ import annotations

import hashlib
import random
import threading

import boto3
import pytest
import sqlalchemy as sa

from autolog.server import database
from autolog.server.errors import ApiError
from autolog.server.storage import tables as storage_tables
from autolog.server.storage.contract import Wanted
from autolog.server.storage.objects import Objects
from autolog.server.storage.remote import RemoteStorage
from tests.servers import RUN

PLACE = ("lab", RUN)
LINE = b'{"type":"metrics","time":2.0,"values":{"loss":0.5},"step":1}\n'
HEADER = b'{"type":"run","time":1.0,"id":"%s","name":"calm-otter-01","project":"lab"}\n' % RUN.encode()


@pytest.fixture
def made(database_url, bucket, tmp_path, monkeypatch):
    """``made(cached=…)``: a storage; all of a test are over the same database and prefix."""
    for name, value in bucket.environment().items():
        monkeypatch.setenv(name, value)
    storages = []
    engine = database.connect(tmp_path, database_url)
    database.migrate(engine)

    def make(**options):
        objects = Objects(f"s3://{bucket.name}/{database_url.rpartition('/')[2]}/runs")
        storages.append(RemoteStorage(engine, objects, tmp_path / "cache", **options))
        return storages[-1]

    make.engine = engine
    yield make
    for storage in storages:
        storage.close()
    engine.dispose()
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.fixture
def storage(made):
    return made()


def content(storage, path="journal.jsonl", begin=0):
    stored = storage.open(PLACE, path)
    return None if stored is None else b"".join(stored.read(begin, stored.size))


def copied(storage, name="journal.jsonl"):
    with storage.directory(PLACE) as directory:
        return (directory / name).read_bytes()


def rows(made):
    with made.engine.connect() as connection:
        return {
            name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar()
            for name, table in storage_tables.metadata.tables.items()
        }


def keys(storage):
    client = boto3.client("s3")
    found = client.list_objects_v2(Bucket=storage._objects.bucket, Prefix=storage._objects.prefix)
    uploads = client.list_multipart_uploads(Bucket=storage._objects.bucket, Prefix=storage._objects.prefix)
    client.close()
    return [each["Key"] for each in found.get("Contents", [])] + uploads.get("Uploads", [])


def test_a_packed_journal_is_what_it_was_and_grows_on(made, storage):
    expected = HEADER + LINE * 80_000  # 5 MB: many rows, and more than is read at once
    assert storage.append(PLACE, "journal.jsonl", 0, HEADER + LINE) == len(HEADER + LINE)
    storage.append(PLACE, "journal.jsonl", len(HEADER), expected[len(HEADER) :])
    assert content(storage) == copied(storage) == expected
    old = storage.open(PLACE, "journal.jsonl")
    storage.pack(PLACE)
    assert rows(made)["chunks"] == 0
    assert b"".join(old.read(100, old.size)) == expected[100:]  # who has begun before
    assert content(storage) == copied(made()) == expected
    for _ in range(2):
        size = len(expected)
        expected += LINE
        assert storage.append(PLACE, "journal.jsonl", size - 5, expected[size - 5 :]) == len(expected)
        with pytest.raises(ApiError, match="other bytes"):
            storage.append(PLACE, "journal.jsonl", 10, b"x")
        assert content(storage, begin=99) == expected[99:]
        assert copied(storage) == copied(made()) == expected
        storage.pack(PLACE)
    assert storage.sizes(PLACE) == {"journal.jsonl": len(expected)}


def test_a_console_is_cut_anywhere(made, storage):
    rnd, expected = random.Random(5), b""
    for number in range(60):
        offset = rnd.randrange(len(expected) + 1)
        data = rnd.randbytes(rnd.choice([0, 1, 100, 300_000]))
        expected = expected[:offset] + data
        assert storage.overwrite(PLACE, "console.log", offset, data) == len(expected)
        if number % 20 == 10:
            storage.pack(PLACE)
        begin = rnd.randrange(len(expected) + 1)
        assert content(storage, "console.log", begin) == expected[begin:]
    with pytest.raises(ApiError, match="send from there"):
        storage.overwrite(PLACE, "console.log", len(expected) + 1, b"x")
    assert not storage.stamp(PLACE)  # a console alone is no run
    with pytest.raises(FileNotFoundError), storage.directory(PLACE):
        pass


def test_two_that_append_the_same_write_it_once(made):
    storages = [made(), made()]
    storages[0].append(PLACE, "journal.jsonl", 0, HEADER)
    ready = threading.Barrier(2)

    def append(storage):
        size = len(HEADER)
        for _ in range(50):
            ready.wait()
            size = storage.append(PLACE, "journal.jsonl", size, LINE)

    threads = [threading.Thread(target=append, args=(storage,)) for storage in storages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert content(storages[0]) == HEADER + 50 * LINE


def test_lines_of_the_server_itself_are_added_by_one_after_the_other(made):
    storages = [made(), made()]

    def extend(storage):
        for _ in range(20):
            storage.extend(PLACE, "journal.server.jsonl", HEADER, LINE)

    threads = [threading.Thread(target=extend, args=(storage,)) for storage in storages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert content(storages[0], "journal.server.jsonl") == HEADER + 40 * LINE


def test_a_file_of_many_pieces_is_checked_and_appears_whole(made, storage):
    data = random.Random(1).randbytes(20 << 20)
    wanted = Wanted("assets/x.bin", hashlib.sha256(data).hexdigest(), len(data))
    step = 6 << 20
    for offset in range(0, len(data), step):
        assert content(storage, wanted.path) is None
        taken = made().receive(PLACE, wanted, offset, data[offset : offset + step])
    assert taken.complete
    assert content(storage, wanted.path) == data
    assert len(keys(storage)) == 1  # the pieces are gone

    wrong = wanted._replace(path="assets/y.bin", digest="0" * 64)
    for offset in range(0, len(data) - step, step):
        storage.receive(PLACE, wrong, offset, data[offset : offset + step])
    with pytest.raises(ApiError, match="another hash"):
        storage.receive(PLACE, wrong, len(data) // step * step, data[len(data) // step * step :])
    assert storage.received(PLACE, wrong.path, wrong.digest).size == 0
    assert content(storage, wrong.path) is None
    assert storage.files(PLACE) == [(wanted.path, len(data))]


def test_copies_make_room_and_are_made_again(made):
    storage = made(cached=1000)
    for number in range(5):
        run = f"{RUN[:-1]}{number}"
        storage.append(("lab", run), "journal.jsonl", 0, HEADER + LINE * 10)
        with storage.directory(("lab", run)) as directory:
            assert directory.name == run
            assert len((directory / "journal.jsonl").read_bytes()) == len(HEADER + LINE * 10)
    assert len(list(storage._cache.root.rglob("*.jsonl"))) == 1
    with storage.directory(("lab", f"{RUN[:-1]}0")) as directory:
        assert (directory / "journal.jsonl").exists()


def test_a_run_that_begins_anew_is_another_one(made, storage):
    other = made()
    storage.append(PLACE, "journal.jsonl", 0, HEADER + LINE * 10)
    assert copied(other) == HEADER + LINE * 10
    first = storage.stamp(PLACE)
    storage.remove(PLACE)
    storage.append(PLACE, "journal.jsonl", 0, HEADER + LINE * 3 + LINE.replace(b"0.5", b"0.6") * 7)
    assert storage.stamp(PLACE) != first
    assert copied(other) == copied(storage) == HEADER + LINE * 3 + LINE.replace(b"0.5", b"0.6") * 7
    with pytest.raises(ApiError, match="is there"):
        storage.restore(PLACE)


def test_what_is_purged_leaves_nothing(made, storage, tmp_path):
    data = b"weights"
    wanted = Wanted("assets/x.bin", hashlib.sha256(data).hexdigest(), len(data))
    storage.append(PLACE, "journal.jsonl", 0, HEADER)
    storage.overwrite(PLACE, "console.log", 0, b"one")
    storage.receive(PLACE, wanted, 0, data)
    storage.receive(PLACE, wanted._replace(path="a", digest="1" * 64, size=100), 0, b"a part")
    storage.pack(PLACE)
    storage.remove(PLACE)
    assert (storage.sizes(PLACE), storage.files(PLACE), list(storage.places())) == ({}, [], [])
    storage.restore(PLACE)
    assert content(storage, "assets/x.bin") == data
    storage.remove(PLACE)
    (removed,) = storage.removed()
    storage.purge(removed)
    assert set(rows(made).values()) == {0}
    assert keys(storage) == []
    with pytest.raises(ApiError, match="taken away"):
        storage.restore(PLACE)


def test_what_is_published_is_an_object_of_that_name(made, storage, tmp_path):
    key, source = "project=lab/run=1/metrics.parquet", tmp_path / "x"
    assert storage.published(key) is None
    for text in (b"one", b"another"):
        source.write_bytes(text)
        storage.publish(key, source)
        assert storage.published(key).read_bytes() == made().published(key).read_bytes() == text
    assert keys(storage) == [f"{storage._objects.prefix}/parquet/{key}"]
    storage.unpublish(key)
    assert storage.published(key) is None
    assert keys(storage) == []


@pytest.mark.parametrize("url", ["s3:/bucket", "https://bucket", "bucket", "s3://", "s3://bucket/x?y=1"])
def test_a_url_that_is_no_bucket_is_said(url):
    with pytest.raises(ValueError, match="s3://bucket/prefix"):
        Objects(url)
