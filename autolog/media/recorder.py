"""From media to the record: the asset is stored, then a line in the journal says so."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from autolog import events, guard
from autolog.media.jsonable import jsonable
from autolog.media.numbers import described, number
from autolog.media.storage import Stored, store
from autolog.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from autolog.media.base import Media

__all__ = ["AssetRecorder", "Metadata"]

Metadata = Mapping[str, Any] | None


class AssetRecorder(Recorder):
    """What the ``log_*`` methods for media share. The run gives the directory, the journal and the redaction."""

    __slots__ = ()

    if TYPE_CHECKING:
        directory: Path

        @property
        def step(self) -> float | None: ...
        @step.setter
        def step(self, value: float | None) -> None: ...
        @property
        def epoch(self) -> float | None: ...
        @epoch.setter
        def epoch(self, value: float | None) -> None: ...
        @property
        def recording(self) -> bool: ...
        def append(self, record: events.Record) -> None: ...
        def _masked(self, where: str, values: dict[str, Any]) -> dict[str, Any]: ...

    def _log(
        self,
        name: str,
        make: Callable[[], list[Media]],
        step: float | None,
        epoch: float | None,
        metadata: Metadata,
    ) -> None:
        """Make the media, store it and put it on record, unless this run keeps nothing.

        Args:
            name: the asset's name.
            make: makes it, mostly one; its errors are the caller's and pass.
            step: as given by the user.
            epoch: as given by the user.
            metadata: as given by the user, added to what the media says of itself.
        """
        if not self.recording:
            return
        asset = self._asset(name, step, epoch, metadata)
        for media in make():
            if stored := self._stored(media.data, media.extension, f"{media.kind} {name!r}"):
                self._put(asset, media, stored)

    def _asset(self, name: str, step: float | None, epoch: float | None, metadata: Metadata) -> events.Asset:
        """The record without its content, the arguments checked.

        Raises:
            TypeError: the name is no text, step or epoch no number, the metadata no mapping.
        """
        if not isinstance(name, str) or not name:
            raise TypeError(f"the name comes first and must be a text that is not empty, given {described(name)}")
        if metadata is not None and not isinstance(metadata, Mapping):
            raise TypeError(f"metadata must be a mapping, given {described(metadata)}")
        return events.Asset(
            time=time.time(),
            child=self.child_id,
            name=jsonable(name),
            kind="file",
            step=self.step if step is None else number(step, "step"),
            epoch=self.epoch if epoch is None else number(epoch, "epoch"),
            metadata=self._masked("assets", jsonable(metadata or {})),
        )

    def _put(self, asset: events.Asset, media: Media, stored: Stored) -> None:
        asset.kind, asset.media_type = media.kind, media.media_type
        asset.path, asset.hash, asset.size = stored
        own = asset.metadata
        asset.metadata = jsonable(media.metadata) | own
        self.append(asset)
        asset.metadata = own

    def _stored(self, source: bytes | Path | BinaryIO, extension: str, what: str) -> Stored | None:
        """The content, stored; ``None`` where the disk refused it, which is counted and said, never raised."""
        with guard.guard("media.store"):
            try:
                return store(self.directory, source, extension)
            except OSError as error:
                self._lost(what, error)
        return None

    def _lost(self, what: str, error: OSError) -> None:
        """Count what a disk refused, and say it once per kind of fault: training goes on."""
        detail = self._masked("assets", {"detail": f"{what}: {error}"})["detail"]
        self.append(events.Health(time=time.time(), child=self.child_id, kind="lost", where="assets", detail=detail))
        if error.errno not in _said:
            _said.add(error.errno)
            import logging

            logging.getLogger("autolog").warning("autolog: not stored (training goes on): %s", detail)


_said: set[int | None] = set()
