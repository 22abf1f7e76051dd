"""Where a server keeps runs, by its settings."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import sqlalchemy as sa

from autolog.server import database
from autolog.server.index import news_feed
from autolog.server.index.live_news import News
from autolog.server.storage.contract import Storage
from autolog.server.storage.local import LocalStorage

__all__ = ["StorageError", "news_of", "storage_of"]

_CACHE = "cache"
"""Folder of the data directory for copies to read from, where runs are kept elsewhere."""


class StorageError(Exception):
    """The settings do not say where runs are kept; the message says what to do."""


def storage_of(data: Path, engine: sa.Engine, assets: str = "") -> Storage:
    """Where runs are kept.

    Args:
        data: the data directory.
        engine: the database.
        assets: ``s3://bucket/prefix``; empty: runs are in the data directory.

    Raises:
        StorageError: only one of database and assets is elsewhere, or ``assets`` is no URL of a bucket.
    """
    if not assets and not database.is_postgres(engine):
        return LocalStorage(data)
    if not assets or not database.is_postgres(engine):
        raise StorageError(
            "--database postgresql://… and --assets s3://… go together: journals are in the one, files in the other"
        )
    from autolog.server.storage.objects import Objects
    from autolog.server.storage.remote import RemoteStorage

    try:
        objects = Objects(assets)
    except ValueError as error:
        raise StorageError(str(error)) from None
    return RemoteStorage(engine, objects, data / _CACHE)


def news_of(engine: sa.Engine) -> News:
    """News as this process counts them, or as the database does for all servers over it."""
    return News(partial(news_feed.current, engine)) if database.is_postgres(engine) else News()
