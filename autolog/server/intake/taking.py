"""Batches of journals, several at once: let through, put on disk together, and the index told of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from starlette.requests import Request

from autolog import events
from autolog.server.intake.admission import admit
from autolog.server.intake.gathering import Gathered
from autolog.server.runs import changing
from autolog.server.service import Service
from autolog.server.storage.contract import Append

__all__ = ["Taken", "Taking", "taking", "taking_of"]

_AHEAD = 300.0
"""Seconds by which a machine's clock may be ahead without a word."""
_THREADS = 6
"""That wait for disks or the database at the same time."""
_MOST = 24
"""Batches that are put on disk, or committed, together."""


class Taken(NamedTuple):
    """A batch whose form has been looked at."""

    append: Append
    begun: events.RunStart | None
    """Its first record, where it is the beginning of a journal."""


Taking: TypeAlias = "Gathered[Taken, int]"
"""Takes batches; of each comes the journal's size now."""


def taking(service: Service) -> Taking:
    """What takes batches for a server."""
    return Gathered(partial(_take, service), "autolog-intake", threads=_THREADS, most=_MOST)


def taking_of(request: Request) -> Taking:
    """That of the server that a request came to."""
    found: Taking = request.app.state.taking
    return found


def _take(service: Service, batches: Sequence[Taken]) -> list[int | Exception]:
    """Take batches. Those that a run may not bring, or cannot, are nothing to the others.

    Returns:
        For each its journal's size, which is durable, or why nothing of it was taken.
    """
    results: list[int | Exception] = [_refused(service, batch) or 0 for batch in batches]
    admitted = [index for index, result in enumerate(results) if result == 0]
    appended = service.storage.append_all([batches[index].append for index in admitted])
    for index, result in zip(admitted, appended, strict=True):
        results[index] = result
        begun, place = batches[index].begun, batches[index].append.place
        if begun is not None and isinstance(result, int) and begun.time > time.time() + _AHEAD:
            changing.say_ahead(service, place, begun)
    service.indexer.changed(*(batches[index].append.place for index in admitted if isinstance(results[index], int)))
    return results


def _refused(service: Service, batch: Taken) -> Exception | None:
    try:
        admit(service, batch.append.place, len(batch.append.data), begins=batch.begun is not None)
    except Exception as error:  # it is raised where the batch is waited for
        return error
    return None
