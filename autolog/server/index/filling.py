"""Many runs of the index in one transaction, which costs less than one by one: while many grow, and when the index of a
data directory is made for the first time, or anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from autolog.server.index.refreshing import Known
from autolog.server.index.rows import index_entries
from autolog.server.index.seeing import see
from autolog.server.index.writing import Read, Written, write_all
from autolog.server.storage.contract import Storage
from autolog.store import fold
from autolog.store.layout import Place

__all__ = ["Filled", "fill"]

_RUNS = 200
_BYTES = 8 << 20
"""Most runs, and about the most bytes, of one transaction: whoever waits for it does not wait long."""


class Filled(NamedTuple):
    """What became of some runs."""

    done: list[Place]
    """Their rows say what their journals said."""
    left: list[Place]
    """To be looked at one by one: another server writes them or has written them, they are gone, or cannot be read."""


def fill(
    engine: sa.Engine, storage: Storage, stamps: Iterable[tuple[Place, str]],
    known: Mapping[Place, Known] | None = None, written: Written | None = None,
) -> Iterator[Filled]:  # fmt: skip
    """Index runs; each step is a transaction.

    Args:
        engine: the database.
        storage: where the runs are.
        stamps: the runs with the stamps that they had a moment ago; an empty one is asked for.
        known: what the index has of them; of those that are not in it: no rows.
        written: what was written of them before.
    """
    written = written or Written()
    batch, same, left, size = dict[Place, Read](), list[Place](), list[Place](), 0
    for place, given in stamps:
        before = (known or {}).get(place, Known())
        try:
            stamp, seen, now = see(storage, place, given or storage.stamp(place), before.state)
            if (stamp, seen.status) == (before.stamp, before.status):
                same.append(place)
                continue
            state = fold.dump_state(now)
            batch[place] = Read(before.stamp, stamp, index_entries(place, seen, stamp, state))
        except Exception:  # one run's trouble: whoever looks at it alone says which it is
            left.append(place)
            continue
        size += 2 * len(state)
        if len(batch) >= _RUNS or size > _BYTES:
            ours = _written(engine, storage, batch, written)
            yield Filled([*same, *ours], [*left, *sorted(batch.keys() - ours)])
            batch, same, left, size = {}, [], [], 0
    if batch or same or left:
        ours = _written(engine, storage, batch, written)
        yield Filled([*same, *ours], [*left, *sorted(batch.keys() - ours)])


def _written(engine: sa.Engine, storage: Storage, batch: dict[Place, Read], written: Written) -> list[Place]:
    if not batch:
        return []
    try:
        return write_all(engine, storage, batch, written)
    except sa.exc.OperationalError:
        raise
    except Exception:  # rows of one of them: again, whoever looks at it alone says which it is
        return []
