"""What every request of one server needs: its settings, database and data directory."""

from __future__ import annotations

from pathlib import Path

import msgspec
import sqlalchemy as sa

from autolog.server.indexing import Indexer
from autolog.server.limits import Limits
from autolog.server.live_news import News
from autolog.server.storage import Storage
from autolog.server.storage_local import LocalStorage
from autolog.store.growing import Kept

__all__ = ["Service", "service"]


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One server."""

    data: Path
    """The data directory: a runs directory, or what a server needs for itself where runs are kept elsewhere."""
    engine: sa.Engine
    storage: Storage
    """The bytes of runs."""
    indexer: Indexer
    news: News
    kept: Kept = msgspec.field(default_factory=Kept)
    """Points of runs that still run, ready for charts."""
    limits: Limits = Limits()
    trust_proxy: bool = False
    """Every request comes through a proxy of ours: what it says of the browser's address and host is believed."""


def service(data: Path, engine: sa.Engine) -> Service:
    """A server over a data directory and a database of this version's schema; its index thread is to be started."""
    storage = LocalStorage(data)
    indexer, news = Indexer(engine, storage), News()
    indexer.listeners.append(news.tell)
    return Service(data=data, engine=engine, storage=storage, indexer=indexer, news=news)
