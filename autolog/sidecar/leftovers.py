"""What earlier runs have left undelivered: the sidecar of a later run takes it along, behind its own."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from autolog.plugins import RunEnd, RunHeader
from autolog.sidecar import progress
from autolog.sidecar.deliver import Delivery
from autolog.sidecar.frame import frame, may_go_on, write_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from autolog.config import Settings

__all__ = ["Leftovers", "deliver_rest", "leftovers"]

_LOOKED_AT = 1000
"""So many of the newest runs are looked at, and not all that there ever were."""
_PATIENCE = 20.0
"""Seconds for which a backend may stand still with a run that was left."""


def leftovers(root: Path, settings: Settings, but: Path) -> Iterator[tuple[Path, list[str]]]:
    """Runs that are over and that a backend of the settings has not got all of, newest first, and these backends.

    Only what was meant for the very place that the settings name: a run that was recorded for this machine alone, or
    for another server, stays where it is.
    """
    found = sorted(root.glob(f"*/*/{progress.FILE}"), key=lambda path: path.parent.name, reverse=True)
    for path in found[:_LOOKED_AT]:
        directory = path.parent
        if directory == but:
            continue
        with contextlib.suppress(OSError):  # taken away meanwhile
            names = [
                name
                for name, state in progress.states(directory).items()
                if name in settings.backend
                and state.target == progress.target(name, settings)
                and not state.refused
                and not (state.done and name not in progress.undelivered(directory, [name], samples=True))
            ]
            if names and not may_go_on(directory):
                yield directory, names


def deliver_rest(
    directory: Path, settings: Settings, say: Callable[[str, str, str], None], *, only: list[str], linger: float,
    again: bool = False,
) -> bool | None:  # fmt: skip
    """Deliver what is left of a run, its end included if it is over; its directory goes where it was only a spool.

    Args:
        directory: the run's.
        settings: where to.
        say: takes ``kind, where, detail`` of what is worth knowing.
        only: the backends that are meant.
        linger: seconds for which a backend may stand still.
        again: try also what a backend has refused for good.

    Returns:
        Whether everything was delivered; ``None`` where the run has no header.
    """
    known = frame(directory)
    if known is None:
        return None
    delivery = Delivery(settings, RunHeader(known.start, str(directory)), say, only=only, again=again)
    if not delivery.await_turn(linger):
        return False
    known = write_end(directory, known)
    goes_on = known.end is None and known.exit is None and may_go_on(directory)
    delivery.start()
    whole = delivery.close(None if goes_on else RunEnd(known.end, known.exit), linger=linger)
    if not goes_on and delivery.spent():
        delivery.remove()
    return whole


class Leftovers(threading.Thread):
    """Deliver them one by one, and stop where a backend does not get on.

    Args:
        root: the runs directory.
        settings: those of the run whose sidecar this is.
        own: that run's directory.
    """

    def __init__(self, root: Path, settings: Settings, own: Path) -> None:
        super().__init__(name="leftovers", daemon=True)
        self._root, self._settings, self._own = root, settings, own
        self._closed = threading.Event()

    def close(self) -> None:
        """Take up no other run."""
        self._closed.set()

    def run(self) -> None:
        stuck: set[str] = set()
        for directory, names in leftovers(self._root, self._settings, self._own):
            wanted = [name for name in names if name not in stuck]
            if self._closed.is_set() or not wanted:
                return
            deliver_rest(directory, self._settings, _nobody, only=wanted, linger=_PATIENCE)
            stuck |= progress.undelivered(directory, wanted).keys()


def _nobody(*_: str) -> None:
    """What fails stands in the state of the run, where ``autolog sync --status`` reads it."""
