"""The ``log_*`` methods for files, models and data sets: stored as they are, or known by where and what they are."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from autolog import guard
from autolog.media.recorder import AssetRecorder, Metadata

if TYPE_CHECKING:
    from autolog import events
    from autolog.media.files import Entry
    from autolog.media.storage import Stored

__all__ = ["FileLog"]

DATASET = "application/vnd.autolog.dataset+json"


class FileLog(AssetRecorder):
    """Mixed into the run; see :class:`autolog.media.logging.MediaLog` for what holds for all methods."""

    __slots__ = ()

    def log_asset(
        self,
        source: str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO,
        name: str | None = None,
        step: float | None = None,
        *,
        epoch: float | None = None,
        metadata: Metadata = None,
    ) -> None:
        """Store any file, exactly; large ones are copied piece by piece.

        Args:
            source: a path, bytes, or an open file. One that can seek is stored whole and left where it stood.
            name: what it is called; without it the file's own name. Bytes need one.
            step: see :class:`~autolog.media.logging.MediaLog`.
            epoch: see :class:`~autolog.media.logging.MediaLog`.
            metadata: see :class:`~autolog.media.logging.MediaLog`.

        Raises:
            TypeError: the source is none of these, or the name is missing.
            FileNotFoundError: there is no such file.
            IsADirectoryError: it is a folder; ``log_asset_folder`` takes these.
        """
        from autolog.media.base import existing_file, refusal

        if not self.recording:
            return
        content: Any = source
        if isinstance(source, (str, os.PathLike)):
            content = existing_file(source, "log_asset")
        elif isinstance(source, (bytearray, memoryview)):
            content = bytes(source)
        elif not isinstance(source, bytes) and not hasattr(source, "read"):
            raise refusal("log_asset", source, "a path, bytes, or an open file")
        own = getattr(content, "name", None)
        title = name if name is not None else Path(own).name if isinstance(own, str) else None
        if title is None:
            raise TypeError("log_asset: bytes and open files without a name need name=")
        asset = self._asset(title, step, epoch, metadata)
        file_name = own if isinstance(own, str) else title
        self._keep(asset, content, file_name)

    def _keep(self, asset: events.Asset, content: Any, file_name: str) -> None:
        """Store a file's content and put it on record under its file name's type."""
        from autolog.media.base import Media, media_type

        extension = "".join(Path(file_name).suffixes[-2:] if file_name.endswith((".gz", ".bz2", ".xz", ".zst")) else [])
        extension = extension or Path(file_name).suffix
        if stored := self._stored(content, extension, f"file {asset.name!r}"):
            with guard.guard("media.sniff"):
                start = self._start(stored)
                kind = media_type(file_name, start)
                made = Media(data=b"", kind="file", media_type=kind, extension=extension)
                self._put(asset, made, stored)

    def _start(self, stored: Stored) -> bytes:
        with (self.directory / stored.path).open("rb", buffering=0) as file:
            return file.read(512)

    def log_asset_folder(
        self,
        folder: str | os.PathLike[str],
        name: str | None = None,
        step: float | None = None,
        *,
        epoch: float | None = None,
        metadata: Metadata = None,
    ) -> int:
        """Store every file of a folder and the folders in it, each as an asset ``name/path/in/folder``.

        Links to files are followed, links to folders are not. The directory in which autolog keeps runs is left out.

        Args:
            folder: the folder.
            name: what it is called; without it the folder's own name.
            step: see :class:`~autolog.media.logging.MediaLog`.
            epoch: see :class:`~autolog.media.logging.MediaLog`.
            metadata: see :class:`~autolog.media.logging.MediaLog`.

        Returns:
            How many files there were. Those that could not be read or stored are counted on the run.

        Raises:
            NotADirectoryError: there is no such folder.
        """
        from autolog.media.files import walk

        if not self.recording:
            return 0
        root = Path(folder)
        if not root.is_dir():
            raise NotADirectoryError(f"log_asset_folder: there is no folder {str(root)!r}")
        title = name if name is not None else root.resolve().name
        self._asset(title, step, epoch, metadata)
        count = 0
        with guard.guard("media.folder"):
            unread = partial(self._lost, f"folder {title!r}")
            for entry in walk(root, [self.directory.parent.parent], unread):
                self._keep(self._asset(f"{title}/{entry.name}", step, epoch, metadata), entry.path, entry.name)
                count += 1
        return count

    def log_model(
        self,
        name: str,
        path: str | os.PathLike[str],
        step: float | None = None,
        *,
        upload: bool = False,
        checksum: bool = True,
        epoch: float | None = None,
        metadata: Metadata = None,
    ) -> None:
        """Record where a saved model is: host, absolute path, size, and the hash of its content.

        A folder's hash is that of its manifest (names, sizes and hashes of its files), which is stored.

        Args:
            name: what it is called, such as ``best``.
            path: a file or folder that holds the saved model, or a URI such as ``s3://…``, which is kept as it is.
            step: see :class:`~autolog.media.logging.MediaLog`.
            upload: store the content too, once, with the run's other assets.
            checksum: read the content for its hash (a second for about a gigabyte); without it only names and sizes.
            epoch: see :class:`~autolog.media.logging.MediaLog`.
            metadata: see :class:`~autolog.media.logging.MediaLog`.

        Raises:
            TypeError: it is no path. Save the model with its own library first.
            FileNotFoundError: nothing is there.
        """
        from autolog.media.base import refusal
        from autolog.media.files import location

        if not self.recording:
            return
        if not isinstance(path, (str, os.PathLike)):
            raise refusal("log_model", path, "the path of a saved model; save it first, e.g. torch.save or .save")
        asset = self._asset(name, step, epoch, metadata)
        asset.kind = "model"
        if "://" in str(path):
            asset.uri = str(self._masked("assets", {"uri": str(path)})["uri"])
            self.append(asset)
            return
        source = Path(path)
        if not source.exists():
            raise FileNotFoundError(f"log_model: there is no file or folder {str(source)!r}")
        asset.uri, place = location(source)
        asset.metadata = place | asset.metadata
        with guard.guard("media.model"):
            known = self._model_folder if source.is_dir() else self._model_file
            try:
                known(asset, source, upload, checksum)
            except OSError as error:
                self._lost(f"model {name!r}", error)
        self.append(asset)

    def _model_file(self, asset: events.Asset, source: Path, upload: bool, checksum: bool) -> None:
        asset.size = source.stat().st_size
        if upload and (stored := self._stored(source, source.suffix, f"model {asset.name!r}")):
            asset.path, asset.hash, asset.size = stored
        elif checksum:
            asset.hash = self._hash(source, asset)

    def _model_folder(self, asset: events.Asset, source: Path, upload: bool, checksum: bool) -> None:
        from autolog.media import files

        listed: list[tuple[Entry, str | None]] = []
        unread = partial(self._lost, f"model {asset.name!r}")
        for entry in files.walk(source, [self.directory.parent.parent], unread):
            digest = None
            if upload and (stored := self._stored(entry.path, Path(entry.name).suffix, f"model file {entry.name!r}")):
                digest = stored.hash
            elif checksum:
                digest = self._hash(entry.path, asset)
            listed.append((entry, digest))
        asset.size = sum(entry.size for entry, _ in listed)
        asset.metadata = {"files": len(listed), "uploaded": upload} | asset.metadata
        if stored := self._stored(files.manifest(listed), ".json", f"manifest of {asset.name!r}"):
            asset.path, asset.media_type = stored.path, files.MANIFEST
            asset.hash = stored.hash if checksum or upload else None

    def _hash(self, path: Path, asset: events.Asset) -> str | None:
        from autolog.media.files import hashed

        try:
            return hashed(path)
        except OSError as error:
            self._lost(f"hash for model {asset.name!r}", error)
            return None

    def log_dataset(
        self,
        name: str,
        data: Any,
        context: str | None = None,
        step: float | None = None,
        *,
        max_bytes: int | None = None,
        epoch: float | None = None,
        metadata: Metadata = None,
    ) -> None:
        """Record which data it was: type, schema, shape and a fingerprint of the content. The data is not stored.

        No data set's own code is run but its length, no generator consumed, no random number drawn.

        Args:
            name: what it is called.
            data: a pandas or polars frame, a pyarrow table, arrays or tensors, a torch data set or loader, a Hugging
                Face data set, a list, dict or tuple of these, or a path of a file or folder, or a URI.
            context: what it is used for: ``train``, ``validation``, ``test`` …
            step: see :class:`~autolog.media.logging.MediaLog`.
            max_bytes: hash so much of the content in full (128 MiB), beyond it evenly spaced parts; the record says
                which.
            epoch: see :class:`~autolog.media.logging.MediaLog`.
            metadata: see :class:`~autolog.media.logging.MediaLog`.

        Raises:
            TypeError: a number, ``None``, a function or a class.
            FileNotFoundError: a path where nothing is.
        """
        from autolog.media import datasets
        from autolog.media.jsonable import jsonable

        if not self.recording:
            return
        asset = self._asset(name, step, epoch, metadata)
        datasets.check(data)
        facts: dict[str, Any] = {"context": context} if context is not None else {}
        with guard.guard("media.dataset"):
            try:
                facts |= datasets.fingerprint(data, datasets.MAX_BYTES if max_bytes is None else max_bytes)
            except OSError as error:
                self._lost(f"fingerprint of {name!r}", error)
        facts = self._masked("assets", jsonable(facts))
        asset.kind, asset.media_type, asset.uri = "dataset", DATASET, facts.pop("uri", None)
        asset.size = facts.get("total_bytes")
        asset.metadata = facts | asset.metadata
        self.append(asset)
