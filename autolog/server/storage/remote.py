"""Runs in PostgreSQL and S3: the servers over them keep nothing of their own but copies to read from."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from autolog.server.errors import ApiError
from autolog.server.shapes import Upload
from autolog.server.storage.cache import Cache, Source
from autolog.server.storage.contract import Append, Removed, Stored, Wanted
from autolog.server.storage.garbage import discard, sweep
from autolog.server.storage.objects import Objects
from autolog.server.storage.remote_files import RemoteFile, RemoteFiles
from autolog.server.storage.streams import Stream, Streams, stamp_of
from autolog.server.storage.tables import chunks, files, pieces, published, streams
from autolog.server.tables import INDEX
from autolog.store.layout import Place

__all__ = ["RemoteStorage"]

_CACHED = 2 << 30
_PUBLISHED = "parquet"
_LATELY = 900.0
"""Seconds that :meth:`RemoteStorage.behind` looks back."""


class RemoteStorage:
    """A :class:`~autolog.server.storage.Storage`; what it has returned from is committed.

    Args:
        engine: PostgreSQL.
        objects: the bucket.
        folder: where copies to read from are kept, at most ``cached`` bytes of them.
    """

    def __init__(self, engine: sa.Engine, objects: Objects, folder: Path, *, cached: int = _CACHED) -> None:
        self._engine = engine
        self._objects = objects
        self._streams = Streams(engine, objects)
        self._files = RemoteFiles(engine, objects)
        self._cache = Cache(folder, cached)

    # -- journals

    def sizes(self, place: Place) -> dict[str, int]:
        return {one.name: one.size for one in self._journals(place)}

    def _journals(self, place: Place) -> list[Stream]:
        return [one for one in self._streams.of(place) if one.name.endswith(".jsonl")]

    def append(self, place: Place, name: str, offset: int, data: bytes) -> int:
        return self._streams.append(place, name, offset, data)

    def append_all(self, wanted: Sequence[Append]) -> Sequence[int | Exception]:
        return self._streams.append_all(wanted)

    def extend(self, place: Place, name: str, header: bytes, data: bytes) -> int:
        return self._streams.extend(place, name, header, data)

    def overwrite(self, place: Place, name: str, offset: int, data: bytes) -> int:
        return self._streams.overwrite(place, name, offset, data)

    def pack(self, place: Place) -> None:
        self._streams.pack(place)

    # -- files

    def received(self, place: Place, path: str, digest: str) -> Upload:
        return self._files.received(place, path, digest)

    def receive(self, place: Place, wanted: Wanted, offset: int, data: bytes) -> Upload:
        taken = self._files.receive(place, wanted, offset, data)
        if taken.complete:
            self._sweep()
        return taken

    def open(self, place: Place, path: str) -> Stored | None:
        file = self._files.named(place, path)
        if file is not None:
            return Stored(file.size, file.sha256, _reader(self._files, file))
        stream = None if "/" in path else self._streams.named(place, path)
        if stream is None:
            return None
        return Stored(stream.size, f"{stream.stream}-{stream.size}", _reader(self._streams, stream))

    def files(self, place: Place) -> list[tuple[str, int]]:
        consoles = [(one.name, one.size) for one in self._streams.of(place) if not one.name.endswith(".jsonl")]
        return sorted([*consoles, *((one.path, one.size) for one in self._files.of(place))])

    # -- runs

    def directory(self, place: Place) -> AbstractContextManager[Path]:
        return self._cache.directory(place, lambda: self._sources(place))

    def _sources(self, place: Place) -> list[Source]:
        journals = self._journals(place)
        if not stamp_of(journals):
            raise FileNotFoundError(f"there is no run {place[1]} in {place[0]}")
        return [Source(one.name, one.stream, one.size, _reader(self._streams, one), one.changed_at) for one in journals]

    def stamp(self, place: Place, connection: sa.Connection | None = None) -> str:
        return stamp_of(self._streams.of(place, connection))

    def places(self) -> Iterator[tuple[Place, str]]:
        for place, found in self._streams.runs():
            if stamp := stamp_of(found):
                yield place, stamp

    def behind(self) -> list[Place]:
        now = sa.func.date_part("epoch", sa.func.clock_timestamp())
        recent = sa.select(streams.c.project, streams.c.run).where(streams.c.changed_at > now - _LATELY)
        found = dict(self._streams.runs(sa.tuple_(streams.c.project, streams.c.run).in_(recent)))
        indexed = INDEX["runs"].c
        select = sa.select(indexed.project, indexed.run, indexed.stamp)
        with self._engine.connect() as connection:
            rows = connection.execute(select.where(sa.tuple_(indexed.project, indexed.run).in_(recent)))
            known = {(project, run): stamp for project, run, stamp in rows}
        return [place for place, each in found.items() if (stamp := stamp_of(each)) and known.get(place) != stamp]

    def remove(self, place: Place) -> None:
        now = time.time()
        with self._engine.begin() as connection:
            gone = connection.execute(sa.update(streams).where(_live(streams, place)).values(removed=now))
            if not gone.rowcount:
                raise ApiError(404, "not_found", f"there is no run {place[1]} in {place[0]}")
            connection.execute(sa.update(files).where(_live(files, place)).values(removed=now))

    def restore(self, place: Place) -> None:
        found = [one for one in self.removed() if one.place == place]
        if not found:
            raise ApiError(404, "not_found", f"no run {place[1]} was taken away lately")
        try:
            with self._engine.begin() as connection:
                for table in (streams, files):
                    lying = _of(table, place) & (table.c.removed == found[-1].at)
                    connection.execute(sa.update(table).where(lying).values(removed=0.0))
        except sa.exc.IntegrityError:
            raise ApiError(409, "conflict", f"the run {place[1]} is there") from None

    def removed(self) -> list[Removed]:
        select = sa.select(streams.c.project, streams.c.run, streams.c.removed).where(streams.c.removed != 0).distinct()
        with self._engine.connect() as connection:
            rows = connection.execute(select.order_by(streams.c.removed)).all()
        return [Removed((project, run), at) for project, run, at in rows]

    def purge(self, removed: Removed) -> None:
        place = removed.place
        with self._engine.begin() as connection:
            lying = _of(streams, place) & (streams.c.removed == removed.at)
            gone = connection.execute(
                sa.delete(streams).where(lying).returning(streams.c.stream, streams.c.object)
            ).all()
            held = chunks.c.stream.in_([row.stream for row in gone])
            connection.execute(sa.delete(chunks).where(chunks.c.project == place[0], held))
            keys = [row.object for row in gone if row.object is not None]
            lying = _of(files, place) & (files.c.removed == removed.at)
            keys += connection.execute(sa.delete(files).where(lying).returning(files.c.object)).scalars()
            keys += connection.execute(sa.delete(pieces).where(_of(pieces, place)).returning(pieces.c.object)).scalars()
            discard(connection, place[0], keys)
        self._sweep()

    # -- the place itself

    def publish(self, key: str, source: Path) -> None:
        self._objects.put_file(self._objects.key(_PUBLISHED, key), source)
        told = {"version": secrets.token_hex(8), "size": source.stat().st_size}
        added = insert(published).values(key=key, **told).on_conflict_do_update(index_elements=["key"], set_=told)
        with self._engine.begin() as connection:
            connection.execute(added)

    def published(self, key: str) -> Path | None:
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(published).where(published.c.key == key)).one_or_none()
        if row is None:
            return None
        folder, _, name = key.rpartition("/")
        at = self._objects.key(_PUBLISHED, key)
        source = Source(name, row.version, row.size, lambda begin, end: self._objects.read(at, begin, end))
        with self._cache.directory((_PUBLISHED, f"{folder}/{name}"), lambda: [source]) as directory:
            return directory / name

    def unpublish(self, key: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.delete(published).where(published.c.key == key))
        self._objects.delete([self._objects.key(_PUBLISHED, key)])

    def check(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(sa.select(1))
        self._objects.check()

    def close(self) -> None:
        self._cache.close()
        self._objects.close()

    def _sweep(self) -> None:
        """Delete what nothing names any more; if not now, with the next."""
        try:
            sweep(self._engine, self._objects)
        except ApiError as error:
            logging.getLogger("autolog.server").warning("objects were not deleted yet: %s", error)


def _reader(source: Any, what: Stream | RemoteFile) -> Any:
    return lambda begin, end: source.read(what, begin, end)


def _of(table: sa.Table, place: Place) -> Any:
    return (table.c.project == place[0]) & (table.c.run == place[1])


def _live(table: sa.Table, place: Place) -> Any:
    return _of(table, place) & (table.c.removed == 0)
