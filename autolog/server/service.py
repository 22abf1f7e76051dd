"""What every request of one server needs: its settings, database and data directory."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import sqlalchemy as sa

from autolog.server.accounts.remembering import Remembered
from autolog.server.database import is_postgres
from autolog.server.index.indexing import Indexer
from autolog.server.index.live_news import News
from autolog.server.limits import Limits
from autolog.server.storage.contract import Storage
from autolog.server.storage.storing import news_of, storage_of
from autolog.server.upkeep.usage import Usage
from autolog.server.watching.metering import Meter
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
    meter: Meter = msgspec.field(default_factory=Meter)
    """Counts of this process."""
    stopping: threading.Event = msgspec.field(default_factory=threading.Event)
    """The server is told to end: it answers what comes, and says that it should be asked no more."""
    usage: Usage
    """What projects hold, and may hold."""
    rights: Remembered
    """Who may deliver where, as far as that was asked a moment ago."""
    limits: Limits = Limits()
    trust_proxy: bool = False
    """Every request comes through a proxy of ours: what it says of the browser's address and host is believed."""


def service(
    data: Path, engine: sa.Engine, limits: Limits = Limits(), *, assets: str = ""  # noqa: B008  (it is frozen)
) -> Service:  # fmt: skip
    """A server over a data directory and a database of this version's schema; its index thread is to be started."""
    storage = storage_of(data, engine, assets)
    indexer, news = Indexer(engine, storage), news_of(engine)
    if not is_postgres(engine):  # it tells all servers itself, and this one hears it from there
        indexer.listeners.append(news.tell)
    return Service(
        data=data, engine=engine, storage=storage, indexer=indexer, news=news, usage=Usage(engine, storage, limits),
        rights=Remembered(engine), limits=limits,
    )  # fmt: skip
