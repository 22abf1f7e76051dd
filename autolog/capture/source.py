"""The program's own source: its entry and every imported module that belongs to the project, byte for byte.

A module belongs to the project if its file is under the git root or the directory of the entry, or under the working
directory, and is no part of Python, of installed packages, or of autolog.
"""
# Paths are compared as text, for thousands of modules at a run's start, and pathlib has no equal of abspath.
# ruff: noqa: PTH100, PTH103, PTH109, PTH116, PTH118, PTH120, PTH123

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autolog import config, process
from autolog.capture.command import entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autolog.capture.redact import Redactor

__all__ = ["OUTSIDE", "SourceSnapshot"]

OUTSIDE = "__outside__"
"""Folder in ``source/`` for files that are not under the root: their absolute path follows."""

_MAX_FILE = 1_000_000
_TICK = 0.1  # how exactly the start of a process is known, seconds
_MAX_NAMED = 100  # files left out that are named; more are only counted


class SourceSnapshot:
    """The source stored for one run. Each module is read once, when it is first seen.

    Args:
        directory: the run's directory; files go below its ``source/``.
        redactor: secrets in a file are masked in what is stored, and the file is marked as not byte-exact.
        max_bytes: most bytes stored in all.
    """

    def __init__(self, directory: str | os.PathLike[str], redactor: Redactor, max_bytes: int) -> None:
        self._target = os.path.join(os.fspath(directory), "source")
        self._redactor = redactor
        self._budget = max_bytes
        self._seen: set[str] = set()
        self._modules = 0
        self._started = _process_start()
        self._main = entry()["path"] if entry()["kind"] != "notebook" else None
        start = os.path.dirname(self._main) if self._main else _directory()
        self._root = str(config.project_root(Path(start or "/")))
        self._bases = _bases(self._root, start, _directory())
        self._foreign = _foreign()
        self._files: dict[str, dict[str, Any]] = {}
        self._left_out: dict[str, str] = {}
        self._left_out_count = 0

    def take(self) -> dict[str, Any] | None:
        """Store what has been imported since the last time.

        Returns:
            ``None`` where nothing has; else the whole fact ``source``: ``root`` (absolute), ``main`` (path of the
            entry in ``files``, or ``None``), ``files`` and, if there are any, ``left_out`` (path: reason) and
            ``left_out_count``. ``files`` holds by path, relative to the root (or :data:`OUTSIDE` and the absolute
            path): ``sha256`` and ``size`` of the original, ``mtime``, ``module``, ``stored`` (path in the run's
            directory), and, where true, ``redacted`` (the stored file has masked secrets, ``stored_sha256`` is its
            hash) and ``changed_since_start`` (the file was written after the process began: what is stored may not
            be what was imported).
        """
        if len(sys.modules) == self._modules:
            return None
        self._modules = len(sys.modules)
        before = len(self._files), self._left_out_count
        for name, path in self._new():
            self._add(name, path)
        if (len(self._files), self._left_out_count) == before:
            return None
        return self._fact()

    def _fact(self) -> dict[str, Any]:
        main = self._name(self._main) if self._main else None
        fact: dict[str, Any] = {
            "root": self._root,
            "main": main if main in self._files else None,
            "files": dict(self._files),
        }
        if self._left_out_count:
            fact |= {"left_out": dict(self._left_out), "left_out_count": self._left_out_count}
        return fact

    def _new(self) -> Iterator[tuple[str, str]]:
        if self._main and self._main not in self._seen:
            self._seen.add(self._main)
            yield "__main__", self._main
        for name, module in sys.modules.copy().items():
            # Not getattr: a lazy module would import what it is asked for.
            file = getattr(module, "__dict__", {}).get("__file__")
            if type(file) is not str or file in self._seen:
                continue
            self._seen.add(file)
            if file.endswith(".py") and self._belongs(file):
                path = os.path.abspath(file)
                if path == file or path not in self._seen:
                    self._seen.add(path)
                    yield name, path

    def _belongs(self, path: str) -> bool:
        if "-packages/" in path or path.startswith(self._foreign):  # site-packages, dist-packages
            return False
        return os.path.abspath(path).startswith(self._bases)

    def _name(self, path: str) -> str:
        for root in (self._root, os.path.realpath(self._root)):
            if path.startswith(root.rstrip("/") + "/"):
                return path[len(root.rstrip("/")) + 1 :]
        return OUTSIDE + path

    def _add(self, module: str, path: str) -> None:
        name = self._name(path)
        try:
            status = os.stat(path)
            reason = self._too_much(status.st_size)
            if not reason:
                with open(path, "rb") as file:
                    content = file.read(_MAX_FILE + 1)
                self._files[name] = self._store(name, content) | {"module": module, "mtime": status.st_mtime}
                if status.st_mtime > self._started + _TICK:
                    self._files[name]["changed_since_start"] = True
        except OSError as error:
            reason = str(error.strerror or error)
        if reason:
            self._left_out_count += 1
            if len(self._left_out) < _MAX_NAMED:
                self._left_out[name] = reason

    def _too_much(self, size: int) -> str:
        if size > _MAX_FILE:
            return f"{size} bytes: larger than {_MAX_FILE}"
        if size > self._budget:
            return f"{size} bytes: beyond the setting source_max_bytes"
        self._budget -= size
        return ""

    def _store(self, name: str, content: bytes) -> dict[str, Any]:
        masked = _masked(content, name, self._redactor)
        facts: dict[str, Any] = {"sha256": _sha256(content), "size": len(content)}
        if masked != content:
            facts |= {"redacted": True, "stored_sha256": _sha256(masked)}
        facts["stored"] = "source/" + _write(self._target, name, masked)
        return facts


def _process_start() -> float:
    """When this process began, in seconds since the epoch; 0 where the system does not tell."""
    ticks = process.identity().pid_started
    if not ticks:
        return 0.0
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")


def _sha256(content: bytes) -> str:
    """The hash without hashlib, which takes 15 ms to load OpenSSL; the standard library's `random` does the same."""
    from importlib import import_module

    try:
        module = import_module("_sha2" if sys.version_info >= (3, 12) else "_sha256")
    except ImportError:  # another Python
        module = import_module("hashlib")
    return str(module.sha256(content).hexdigest())


def _masked(content: bytes, name: str, redactor: Redactor) -> bytes:
    encoding = "utf-8"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        encoding = "latin-1"  # every byte is a character there
        text = content.decode(encoding)
    masked = redactor.code(text, f"source.{name}")
    return content if masked is text or masked == text else masked.encode(encoding)


def _write(target: str, name: str, content: bytes) -> str:
    """Write a file once. A resumed run whose source has changed keeps both. Returns the path below ``source/``."""
    path = os.path.join(target, name)
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    try:
        with open(path, "rb") as file:
            if file.read() == content:
                return name
    except FileNotFoundError:
        pass
    else:
        name = f"{name}.{_sha256(content)[:12]}"
        path = os.path.join(target, name)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
    return name


def _bases(*folders: str) -> tuple[str, ...]:
    """Prefixes of the project's files. The file system's root is no project."""
    found = {path.rstrip("/") + "/" for folder in folders if folder for path in (folder, os.path.realpath(folder))}
    return tuple(found - {"/"})


def _foreign() -> tuple[str, ...]:
    """Prefixes of what is not the project's: the standard library, virtual environments, autolog."""
    import autolog

    places = [os.path.dirname(os.__file__), os.path.join(sys.base_prefix, "lib")]
    if sys.prefix != sys.base_prefix:
        places.append(sys.prefix)
    here = os.path.dirname(autolog.__file__)
    places += [here, *(os.path.realpath(os.path.join(here, link)) for link in ("integrations", "backends"))]
    return ("<", *{form + "/" for place in places for form in (place, os.path.realpath(place))})


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it is gone
        return ""
