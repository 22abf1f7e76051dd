"""What every kind of media becomes: bytes (or a file), what they are, and how their file is called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from autolog.media.numbers import described

__all__ = ["Media", "document", "existing_file", "media_type", "passed_through", "refusal", "sniff"]


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to be stored: what the functions of ``autolog.media`` make of a user's object.

    It can be given again wherever such an object is accepted, in a cell of a table for example.
    """

    data: bytes | Path
    """The content, or the file that has it."""
    kind: str
    """``image``, ``audio``, ``video``, ``figure``, ``table``, ``text`` …"""
    media_type: str
    """Its MIME type."""
    extension: str
    """With the dot: ``.png``."""
    metadata: dict[str, Any] = {}


_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png", ".png"),
    (b"\xff\xd8\xff", 0, "image/jpeg", ".jpg"),
    (b"GIF8", 0, "image/gif", ".gif"),
    (b"WEBP", 8, "image/webp", ".webp"),
    (b"BM", 0, "image/bmp", ".bmp"),
    (b"II*\0", 0, "image/tiff", ".tiff"),
    (b"MM\0*", 0, "image/tiff", ".tiff"),
    (b"ftypavif", 4, "image/avif", ".avif"),
    (b"WAVE", 8, "audio/wav", ".wav"),
    (b"fLaC", 0, "audio/flac", ".flac"),
    (b"OggS", 0, "audio/ogg", ".ogg"),
    (b"ID3", 0, "audio/mpeg", ".mp3"),
    (b"\xff\xfb", 0, "audio/mpeg", ".mp3"),
    (b"ftypM4A", 4, "audio/mp4", ".m4a"),
    (b"ftypqt", 4, "video/quicktime", ".mov"),
    (b"ftyp", 4, "video/mp4", ".mp4"),
    (b"\x1a\x45\xdf\xa3", 0, "video/webm", ".webm"),
    (b"AVI ", 8, "video/x-msvideo", ".avi"),
    (b"%PDF-", 0, "application/pdf", ".pdf"),
)

_EXTENSIONS = {extension: kind for _, _, kind, extension in _SIGNATURES} | {
    ".jpeg": "image/jpeg", ".tif": "image/tiff", ".svg": "image/svg+xml", ".mkv": "video/x-matroska",
    ".ogv": "video/ogg", ".opus": "audio/ogg", ".aac": "audio/aac",
    ".txt": "text/plain", ".log": "text/plain", ".md": "text/markdown", ".csv": "text/csv", ".html": "text/html",
    ".json": "application/json", ".jsonl": "application/jsonl", ".yaml": "application/yaml", ".yml": "application/yaml",
    ".toml": "application/toml", ".py": "text/x-python", ".zip": "application/zip", ".gz": "application/gzip",
    ".parquet": "application/vnd.apache.parquet",
}  # fmt: skip


def sniff(start: bytes) -> tuple[str, str] | None:
    """MIME type and extension of a file by its first bytes (64 are enough), ``None`` where they say nothing."""
    for mark, at, kind, extension in _SIGNATURES:
        if start[at : at + len(mark)] == mark:
            return kind, extension
    return ("image/svg+xml", ".svg") if b"<svg" in start[:512] else None


def media_type(name: str, start: bytes = b"") -> str:
    """MIME type by the file's name, else by its first bytes, else ``application/octet-stream``."""
    by_name = _EXTENSIONS.get(os.path.splitext(name)[1].lower())  # noqa: PTH122  (a name, not a path)
    return by_name or (sniff(start) or ("application/octet-stream", ""))[0]


def refusal(what: str, value: Any, accepted: str) -> TypeError:
    """The error for an object that is no such media: what was given, and what would do."""
    return TypeError(f"{what}: given {described(value)}; accepted are {accepted}")


def existing_file(source: str | os.PathLike[str], what: str) -> Path:
    """The path of a file that is there and can be read.

    Raises:
        FileNotFoundError: there is none of that name.
        IsADirectoryError: it is a folder.
    """
    path = Path(source)
    if path.is_dir():
        raise IsADirectoryError(f"{what}: {str(path)!r} is a folder; a file is accepted")
    if not path.is_file():
        raise FileNotFoundError(f"{what}: there is no file {str(path)!r} (working directory {os.getcwd()!r})")  # noqa: PTH109
    return path


def passed_through(value: Any, kind: str) -> Media | None:
    """Media that is one already, a path, or encoded bytes, unchanged; ``None`` for every other object.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the bytes are of another kind.
    """
    if isinstance(value, Media):
        return value
    what = f"log_{kind}"
    if isinstance(value, (str, os.PathLike)):
        path = existing_file(value, what)
        with path.open("rb") as file:
            found = media_type(path.name, file.read(512))
        if found.partition("/")[0] != kind:
            raise ValueError(f"{what}: {str(path)!r} is {found}, no {kind}; log_asset takes any file")
        return Media(data=path, kind=kind, media_type=found, extension=path.suffix.lower())
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        known = sniff(data[:512])
        if known is None or known[0].partition("/")[0] != kind:
            said = f"they are {known[0]}" if known else f"they begin with {data[:12]!r}"
            raise ValueError(f"{what}: these {len(data)} bytes are no {kind} file ({said})")
        return Media(data=data, kind=kind, media_type=known[0], extension=known[1])
    return None


def document(text: Any, kind: str) -> Media:
    """Text or HTML as UTF-8, exactly as given (lone surrogates become escapes).

    Raises:
        TypeError: it is no ``str``.
    """
    if not isinstance(text, str):
        raise refusal(f"log_{kind}", text, "str; for a file use log_asset, for an object str(...) or log_other")
    subtype, extension = ("html", ".html") if kind == "html" else ("plain", ".txt")
    return Media(
        data=text.encode(errors="backslashreplace"),
        kind=kind,
        media_type=f"text/{subtype}; charset=utf-8",
        extension=extension,
        metadata={"characters": len(text)},
    )
