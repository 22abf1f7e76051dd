"""Files of runs as objects: a file is there once its row is, which is written when its object is stored and checked."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from autolog.server.database import locked
from autolog.server.errors import ApiError
from autolog.server.shapes import Upload
from autolog.server.storage.contract import Wanted
from autolog.server.storage.garbage import discard
from autolog.server.storage.objects import Objects
from autolog.server.storage.tables import files, pieces
from autolog.store.layout import Place

__all__ = ["RemoteFile", "RemoteFiles"]


class RemoteFile(NamedTuple):
    """A file that is whole."""

    path: str
    object: str
    size: int
    sha256: str


class _Piece(NamedTuple):
    """A part of a file that is not whole yet."""

    begin: int
    size: int
    object: str


_COLUMNS = [files.c[name] for name in RemoteFile._fields]


class RemoteFiles:
    """All files of a database.

    Args:
        engine: PostgreSQL, with the rows.
        objects: the bytes.
    """

    def __init__(self, engine: sa.Engine, objects: Objects) -> None:
        self._engine = engine
        self._objects = objects

    def of(self, place: Place) -> list[RemoteFile]:
        """The files of a run, sorted by path."""
        select = sa.select(*_COLUMNS).where(_live(place)).order_by(files.c.path)
        with self._engine.connect() as connection:
            return [RemoteFile(*row) for row in connection.execute(select)]

    def named(self, place: Place, path: str) -> RemoteFile | None:
        """One of them."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(*_COLUMNS).where(_live(place), files.c.path == path)).one_or_none()
        return None if row is None else RemoteFile(*row)

    def read(self, file: RemoteFile, begin: int, end: int) -> Iterator[bytes]:
        """Its bytes from one offset to before another."""
        return self._objects.read(file.object, begin, end)

    def received(self, place: Place, path: str, digest: str) -> Upload:
        """See :meth:`autolog.server.storage.Storage.received`."""
        known = self.named(place, path)
        if known is not None and known.sha256 == digest:
            return Upload(complete=True, size=known.size)
        return Upload(complete=False, size=_size(self._pieces(place, digest)))

    def receive(self, place: Place, wanted: Wanted, offset: int, data: bytes) -> Upload:
        """See :meth:`autolog.server.storage.Storage.receive`."""
        known = self.named(place, wanted.path)
        if known is not None and (known.sha256, known.size) == (wanted.digest, wanted.size):
            return Upload(complete=True, size=wanted.size)
        found = self._pieces(place, wanted.digest)
        size = _size(found)
        if offset > size:
            raise ApiError(409, "gap", f"{wanted.path} has {size} bytes: send from there", size=size)
        rest = data[size - offset :]
        if size or len(rest) < wanted.size:
            found = self._add(place, wanted.digest, size, rest) if rest else found
            size = _size(found)
            if size < wanted.size:
                return Upload(complete=False, size=size)
            self._finish(place, wanted, found)
        else:
            _check([rest], wanted.digest)
            self._store(place, wanted, rest)
        return Upload(complete=True, size=wanted.size)

    def _pieces(self, place: Place, digest: str) -> list[_Piece]:
        select = sa.select(pieces.c.begin, pieces.c.size, pieces.c.object).where(_of(place, digest))
        with self._engine.connect() as connection:
            return [_Piece(*row) for row in connection.execute(select.order_by(pieces.c.begin))]

    def _add(self, place: Place, digest: str, begin: int, data: bytes) -> list[_Piece]:
        """Store a piece; where another server has just taken one that begins there, that one counts."""
        key = self._objects.key("pieces", *place, digest, f"{begin}-{secrets.token_hex(8)}")
        self._objects.put(key, data)
        values = {"project": place[0], "run": place[1], "sha256": digest, "begin": begin, "size": len(data)}
        with self._engine.begin() as connection:
            added = insert(pieces).values(**values, object=key).on_conflict_do_nothing().returning(pieces.c.begin)
            if connection.execute(added).first() is None:
                discard(connection, place[0], [key])
        return self._pieces(place, digest)

    def _finish(self, place: Place, wanted: Wanted, found: list[_Piece]) -> None:
        """Make the file of its pieces; they are forgotten where they have another hash."""

        def content() -> Iterator[bytes]:
            for piece in found:
                yield from self._objects.read(piece.object, 0, piece.size)

        try:
            self._store(place, wanted, _checked(content(), wanted.digest))
        except ApiError as error:
            if error.code == "hash":
                with self._engine.begin() as connection:
                    _forget_pieces(connection, place, wanted.digest)
            raise

    def _store(self, place: Place, wanted: Wanted, data: bytes | Iterator[bytes]) -> None:
        key = self._objects.key("files", *place, f"{wanted.digest}-{secrets.token_hex(8)}")
        self._objects.put(key, data)
        self._name(place, wanted, key)

    def _name(self, place: Place, wanted: Wanted, key: str) -> None:
        """Let a path mean an object that is stored."""
        values = {"project": place[0], "run": place[1], "path": wanted.path, "removed": 0.0}
        told = {"object": key, "size": wanted.size, "sha256": wanted.digest}
        with locked(self._engine, "files", *place) as connection:
            old = connection.execute(
                sa.select(files.c.object).where(_live(place), files.c.path == wanted.path)
            ).scalar()
            added = insert(files).values(**values, **told)
            connection.execute(added.on_conflict_do_update(index_elements=list(values), set_=told))
            _forget_pieces(connection, place, wanted.digest)
            if old is not None:
                discard(connection, place[0], [old])


def _forget_pieces(connection: sa.Connection, place: Place, digest: str) -> None:
    gone = connection.execute(sa.delete(pieces).where(_of(place, digest)).returning(pieces.c.object)).scalars().all()
    discard(connection, place[0], gone)


def _size(found: list[_Piece]) -> int:
    """How much is there without a gap."""
    size = 0
    for piece in found:
        if piece.begin != size:
            break
        size += piece.size
    return size


def _checked(content: Iterator[bytes], digest: str) -> Iterator[bytes]:
    """Passes on what comes; raises at its end where it has another hash."""
    hasher = hashlib.sha256()
    for piece in content:
        hasher.update(piece)
        yield piece
    if hasher.hexdigest() != digest:
        raise ApiError(422, "hash", "the bytes that came have another hash; send the file again from its beginning")


def _check(content: list[bytes], digest: str) -> None:
    for _ in _checked(iter(content), digest):
        pass


def _live(place: Place) -> Any:
    return sa.and_(files.c.project == place[0], files.c.run == place[1], files.c.removed == 0)


def _of(place: Place, digest: str) -> Any:
    return sa.and_(pieces.c.project == place[0], pieces.c.run == place[1], pieces.c.sha256 == digest)
