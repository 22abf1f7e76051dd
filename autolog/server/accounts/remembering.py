"""Who may deliver to a project, remembered for a moment: with every batch of every run that is asked again.

What this process changes of accounts counts at once: whatever is written through its engine to a table that decides
who may do what makes it forget everything. What another process has changed counts after :data:`KEPT` seconds at the
latest.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import sqlalchemy as sa

from autolog.server.accounts.access import hashed
from autolog.server.accounts.identify import Credentials

__all__ = ["KEPT", "Remembered"]

KEPT = 3.0
"""Seconds for which it is believed that somebody may still do what they could."""
_DECIDING = frozenset({"tokens", "users", "members", "projects", "workspaces", "workspace_members"})
"""Tables that say who may write where."""
_MOST = 20_000
_MARK = "autolog: changes who may do what"


class _Right(NamedTuple):
    user: str
    until: float
    """By the clock of this class."""
    ends_at: float
    """When the token ends, by the clock of the wall."""
    state: object
    renewed: bool = False
    """Somebody asks the database again, before this is forgotten."""


class Remembered:
    """What tokens may write in which projects.

    Args:
        engine: all of this process' changes are made with it.
        clock: tells seconds.
    """

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[tuple[str, str], _Right] = {}
        self._state = object()
        """Another one whenever somebody's rights may have changed."""
        sa.event.listen(engine, "after_execute", _mark)
        sa.event.listen(engine, "checkin", self._look)

    def _look(self, _: Any, record: Any) -> None:
        """A connection comes back to the pool: its transaction is over, and nobody has been told yet that it is."""
        if record.record_info.pop(_MARK, False):
            self._state = object()
            self._known = {}

    def state(self) -> object:
        """To be asked before the database is, and given to :meth:`remember` with what that has said."""
        return self._state

    def remember(self, given: Credentials, project: str, user: str, ends_at: float | None, state: object) -> None:
        """The database has said that a token may write in a project.

        Args:
            given: what the request has brought. Sessions are not remembered.
            project: where.
            user: whose token it is.
            ends_at: when it ends.
            state: what :meth:`state` was before that was asked.
        """
        if not given.secret:
            return
        if len(self._known) >= _MOST:
            self._known = {}
        until = self._clock() + KEPT
        ends_at = math.inf if ends_at is None else ends_at
        self._known[hashed(given.secret), project] = _Right(user, until, ends_at, state)

    def who(self, given: Credentials | None, project: str) -> str | None:
        """The user who may write in a project with this, as far as that is remembered; ``None``: ask the database.

        Called by the event loop's thread.
        """
        if given is None or not given.secret:
            return None
        key, now = (hashed(given.secret), project), self._clock()
        right = self._known.get(key)
        if right is None or right.state is not self._state or right.until < now or right.ends_at < time.time():
            return None
        if right.until < now + KEPT / 2 and not right.renewed:  # one asks in time, so that not all ask at once
            self._known[key] = right._replace(renewed=True)
            return None
        return right.user


def _mark(connection: sa.Connection, clause: Any, *_: Any) -> None:
    """Something was executed: if it changes who may do what, that is known when the transaction is over."""
    if getattr(clause, "is_dml", False) and clause.table.name in _DECIDING:
        info = connection.connection.record_info
        if info is not None:
            info[_MARK] = True
