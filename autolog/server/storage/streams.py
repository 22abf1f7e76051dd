"""Journals and consoles in PostgreSQL: rows of bytes at offsets, written under a lock on the stream's own row.

So two servers never interleave in one journal. What a commit has confirmed is durable. The beginning of a stream that
has been quiet for long may lie in an object instead (:meth:`Streams.pack`); whoever reads sees no difference.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from autolog.server.errors import ApiError
from autolog.server.storage.contract import Append
from autolog.server.storage.garbage import discard
from autolog.server.storage.objects import Objects
from autolog.server.storage.tables import chunks, streams
from autolog.store.layout import Place

__all__ = ["Stream", "Streams", "stamp_of"]

_PIECE = 256 << 10
"""Most bytes of a row: a range is read without reading much around it."""
_WINDOW = 4 << 20
"""Most bytes that are read at once."""
_NOW = sa.func.date_part("epoch", sa.func.clock_timestamp())
_APPEND = sa.text(
    "WITH given AS (SELECT * FROM unnest(CAST(:projects AS text[]), CAST(:runs AS text[]), CAST(:names AS text[]),"
    "  CAST(:begins AS bigint[]), CAST(:datas AS bytea[])) AS given (project, run, name, begin, data)),"
    " held AS MATERIALIZED (SELECT streams.stream, given.* FROM streams JOIN given USING (project, run, name)"
    "  WHERE streams.removed = 0 AND streams.size = given.begin FOR UPDATE OF streams SKIP LOCKED),"
    " grown AS (UPDATE streams SET size = size + length(held.data), changed_at = date_part('epoch', clock_timestamp())"
    "  FROM held WHERE streams.project = held.project AND streams.run = held.run AND streams.name = held.name"
    "  AND streams.removed = 0 AND streams.stream = held.stream AND streams.size = held.begin"
    "  RETURNING held.*),"
    " put AS (INSERT INTO chunks (project, stream, begin, data) SELECT project, stream, begin, data FROM grown)"
    " SELECT project, run, name FROM grown"
)
"""The usual case, of many streams in one round trip and one commit: the bytes belong where each stream ends.

It is decided under the locks of the streams' rows. Whoever else holds one is not waited for: that stream is left out.
"""


class Stream(NamedTuple):
    """A journal or console as it stands."""

    project: str
    run: str
    name: str
    stream: str
    size: int
    packed: int
    object: str | None
    changed_at: float
    """When bytes came in last, seconds since the epoch by the database's clock."""


_COLUMNS = [streams.c[name] for name in Stream._fields]


class Streams:
    """All streams of a database.

    Args:
        engine: PostgreSQL.
        objects: where quiet streams are packed.
    """

    def __init__(self, engine: sa.Engine, objects: Objects) -> None:
        self._engine = engine
        self._objects = objects

    def of(self, place: Place, connection: sa.Connection | None = None) -> list[Stream]:
        """The streams of a run, sorted by name."""
        select = sa.select(*_COLUMNS).where(_live(place)).order_by(streams.c.name)
        if connection is not None:
            return [Stream(*row) for row in connection.execute(select)]
        with self._engine.connect() as own:
            return [Stream(*row) for row in own.execute(select)]

    def named(self, place: Place, name: str) -> Stream | None:
        """One of them."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(*_COLUMNS).where(_live(place), streams.c.name == name)).one_or_none()
        return None if row is None else Stream(*row)

    def runs(self, where: Any = None) -> Iterator[tuple[Place, list[Stream]]]:
        """All runs with their streams, sorted; or those for which a condition holds."""
        select = sa.select(*_COLUMNS).where(streams.c.removed == 0)
        if where is not None:
            select = select.where(where)
        select = select.order_by(streams.c.project, streams.c.run, streams.c.name)
        place, found = ("", ""), list[Stream]()
        with self._engine.connect() as connection, connection.execution_options(yield_per=1000).execute(select) as rows:
            for row in rows:
                one = Stream(*row)
                if (one.project, one.run) != place:
                    if found:
                        yield place, found
                    place, found = (one.project, one.run), []
                found.append(one)
        if found:
            yield place, found

    def append(self, place: Place, name: str, offset: int, data: bytes) -> int:
        """See :meth:`autolog.server.storage.Storage.append`."""
        with self._engine.begin() as connection:
            stream = _held(connection, place, name, make=offset == 0)
            size = _checked_size(stream, name, offset)
            assert stream is not None  # noqa: S101  a stream that is not there has a gap before every offset but 0
            known = data[: size - offset]
            if known and known != b"".join(self.read(stream, offset, offset + len(known), connection)):
                raise ApiError(409, "conflict", f"{name} holds other bytes from {offset} on", size=size)
            _add(connection, stream, data[len(known) :])
        return max(size, offset + len(data))

    def append_all(self, wanted: Sequence[Append]) -> Sequence[int | Exception]:
        """See :meth:`autolog.server.storage.Storage.append_all`."""
        together: dict[tuple[str, str, str], Append] = {}
        for one in wanted:
            if one.offset and 0 < len(one.data) <= _PIECE:
                together.setdefault((*one.place, one.name), one)
        done = self._append(together) if together else set()
        return [
            one.offset + len(one.data) if key in done and together[key] is one else self._tried(one)
            for one, key in ((one, (*one.place, one.name)) for one in wanted)
        ]

    def _append(self, wanted: dict[tuple[str, str, str], Append]) -> set[tuple[str, str, str]]:
        """Append to each of several streams where it ends; those for which that was possible."""
        values = {
            "projects": [key[0] for key in wanted], "runs": [key[1] for key in wanted],
            "names": [key[2] for key in wanted], "begins": [one.offset for one in wanted.values()],
            "datas": [one.data for one in wanted.values()],
        }  # fmt: skip
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            return {(project, run, name) for project, run, name in connection.execute(_APPEND, values)}

    def _tried(self, one: Append) -> int | Exception:
        try:
            return self.append(one.place, one.name, one.offset, one.data)
        except (ApiError, sa.exc.SQLAlchemyError) as error:
            return error

    def extend(self, place: Place, name: str, header: bytes, data: bytes) -> int:
        """See :meth:`autolog.server.storage.Storage.extend`."""
        with self._engine.begin() as connection:
            stream = _held(connection, place, name, make=True)
            assert stream is not None  # noqa: S101  it was just made
            added = data if stream.size else header + data
            _add(connection, stream, added)
        return stream.size + len(added)

    def overwrite(self, place: Place, name: str, offset: int, data: bytes) -> int:
        """See :meth:`autolog.server.storage.Storage.overwrite`."""
        with self._engine.begin() as connection:
            stream = _held(connection, place, name, make=offset == 0)
            _checked_size(stream, name, offset)
            assert stream is not None  # noqa: S101  as above
            if offset < stream.size:
                stream = self._cut(connection, stream, offset)
            _add(connection, stream, data)
        return offset + len(data)

    def _cut(self, connection: sa.Connection, stream: Stream, offset: int) -> Stream:
        """Take away what is behind an offset."""
        begin = connection.execute(
            sa.select(sa.func.max(chunks.c.begin)).where(_mine(stream), chunks.c.begin <= offset)
        ).scalar()
        if begin is None or offset < stream.packed:
            begin = 0
        kept = b"".join(self.read(stream, begin, offset, connection))
        connection.execute(sa.delete(chunks).where(_mine(stream), chunks.c.begin >= begin))
        if begin == 0 and stream.object is not None:
            discard(connection, stream.project, [stream.object])
            stream = stream._replace(packed=0, object=None)
        stream = stream._replace(size=begin)
        _add(connection, stream, kept)
        return stream._replace(size=offset)

    def read(
        self, stream: Stream, begin: int, end: int, connection: sa.Connection | None = None
    ) -> Iterator[bytes]:  # fmt: skip
        """The bytes of a stream from one offset to before another, or to where it was cut meanwhile."""
        if connection is None:
            while begin < end:  # who reads slowly holds no connection meanwhile
                with self._engine.connect() as own:
                    window = list(self.read(stream, begin, min(begin + _WINDOW, end), own))
                if not window:
                    return
                begin += sum(map(len, window))
                yield from window
            return
        while begin < end:
            before = begin
            if begin < stream.packed and stream.object is not None:
                for piece in self._objects.read(stream.object, begin, min(end, stream.packed)):
                    begin += len(piece)
                    yield piece
            for piece in _rows(connection, stream, begin, end):
                begin += len(piece)
                yield piece
            if begin < end:  # it was packed, or cut, since the caller looked
                row = connection.execute(sa.select(*_COLUMNS).where(_same(stream))).one_or_none()
                if row is None or (begin == before and Stream(*row).packed == stream.packed):
                    return
                stream = Stream(*row)

    def pack(self, place: Place) -> None:
        """Move a run's streams, as they are, out of the database into an object each."""
        for stream in self.of(place):
            if stream.size == stream.packed:
                continue
            key = self._objects.key("streams", *place, f"{stream.name}-{secrets.token_hex(8)}")
            self._objects.put(key, self.read(stream, 0, stream.size))
            with self._engine.begin() as connection:
                row = connection.execute(sa.select(*_COLUMNS).where(_same(stream)).with_for_update()).one_or_none()
                if row is None or Stream(*row) != stream:  # it has grown: another time
                    discard(connection, stream.project, [key])
                    continue
                values = {"packed": stream.size, "object": key}
                connection.execute(sa.update(streams).where(_same(stream)).values(**values))
                connection.execute(sa.delete(chunks).where(_mine(stream)))
                if stream.object is not None:
                    discard(connection, stream.project, [stream.object])


def stamp_of(found: Sequence[Stream]) -> str:
    """Changes whenever one of the journals does; empty where there is none but a sidecar's, or a console."""
    journals = [one for one in found if one.name.endswith(".jsonl")]
    if not any(one.name.startswith("journal") for one in journals):
        return ""
    return "|".join(f"{one.name}:{one.size}:{one.stream}" for one in journals)


def _held(connection: sa.Connection, place: Place, name: str, *, make: bool) -> Stream | None:
    """A stream, with the lock on its row."""
    if make:
        values = {"project": place[0], "run": place[1], "name": name, "removed": 0.0, "stream": secrets.token_hex(8),
                  "size": 0, "packed": 0, "changed_at": _NOW}  # fmt: skip
        connection.execute(insert(streams).values(**values).on_conflict_do_nothing())
    select = sa.select(*_COLUMNS).where(_live(place), streams.c.name == name).with_for_update()
    row = connection.execute(select).one_or_none()
    return None if row is None else Stream(*row)


def _checked_size(stream: Stream | None, name: str, offset: int) -> int:
    size = 0 if stream is None else stream.size
    if offset > size:
        raise ApiError(409, "gap", f"{name} has {size} bytes: send from there", size=size)
    return size


def _add(connection: sa.Connection, stream: Stream, data: bytes) -> None:
    """Put bytes at the end of a stream whose row is locked."""
    rows = [
        {"project": stream.project, "stream": stream.stream, "begin": stream.size + at, "data": data[at : at + _PIECE]}
        for at in range(0, len(data), _PIECE)
    ]
    if rows:
        connection.execute(sa.insert(chunks), rows)
    values = {"size": stream.size + len(data), "packed": stream.packed, "object": stream.object, "changed_at": _NOW}
    connection.execute(sa.update(streams).where(_same(stream)).values(**values))


def _rows(connection: sa.Connection, stream: Stream, begin: int, end: int) -> Iterator[bytes]:
    first = sa.select(sa.func.max(chunks.c.begin)).where(_mine(stream), chunks.c.begin <= begin).scalar_subquery()
    select = sa.select(chunks.c.begin, chunks.c.data).where(
        _mine(stream), chunks.c.begin >= sa.func.coalesce(first, begin), chunks.c.begin < end
    )
    with connection.execute(select.order_by(chunks.c.begin), execution_options={"yield_per": 16}) as found:
        for at, data in found:
            if at > begin:  # what was between has been packed since
                return
            piece = bytes(data[begin - at : end - at])
            begin += len(piece)
            if piece:
                yield piece


def _live(place: Place) -> Any:
    return sa.and_(streams.c.project == place[0], streams.c.run == place[1], streams.c.removed == 0)


def _same(stream: Stream) -> Any:
    return sa.and_(
        streams.c.project == stream.project, streams.c.run == stream.run, streams.c.name == stream.name,
        streams.c.stream == stream.stream,
    )  # fmt: skip


def _mine(stream: Stream) -> Any:
    return sa.and_(chunks.c.project == stream.project, chunks.c.stream == stream.stream)
