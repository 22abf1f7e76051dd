"""Whether what is sent to a run is taken at all: not of a deleted one, and not beyond what its project may hold."""

from __future__ import annotations

from autolog.server.service import Service
from autolog.server.upkeep import deleting
from autolog.store.layout import Place

__all__ = ["admit"]


def admit(service: Service, place: Place, size: int, *, begins: bool) -> None:
    """Let through what is about to be written. Called right before that, beside the event loop.

    Args:
        service: the server.
        place: the run.
        size: how many bytes.
        begins: it may be the first of the run. What comes later needs what came before, which a deleted run has not.

    Raises:
        ApiError: 410 ``deleted``; 507 ``quota``.
    """
    if begins:
        deleting.check(service.engine, place)
    service.usage.admit(place, size, begins=begins)
