"""Files of ``model.save`` and ``save_weights``, of ``ModelCheckpoint`` with their scores: on record where they are."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from autolog import current
from autolog.integrations.keras_reporter import reporter_with
from autolog.patching import Call, Hook

__all__ = ["checkpoint", "save"]

_HASHED = 4 << 20
_PASSING = ("autolog.", "keras.src.models.", "keras.src.utils.traceback_utils", "keras.src.saving.")


class _Checkpoint(NamedTuple):
    """What ``ModelCheckpoint`` is saving for."""

    callback: Any
    epoch: int | None
    logs: Mapping[str, Any]


_checkpoint: ContextVar[_Checkpoint | None] = ContextVar("autolog_keras_checkpoint", default=None)


def checkpoint(call: Call) -> Hook:
    """Around ``ModelCheckpoint._save_model``: what the files that are saved inside are for."""
    token = _checkpoint.set(_Checkpoint(call.instance, call.argument("epoch"), call.argument("logs") or {}))
    try:
        yield
    finally:
        _checkpoint.reset(token)


def save(call: Call) -> Hook:
    """Around ``Model.save`` and ``Model.save_weights``."""
    yield
    path, run = call.argument("filepath"), current.begun()
    if run is None or not isinstance(path, (str, os.PathLike)) or _is_own_backup():
        return
    saving = _checkpoint.get()
    reporter = None if saving is None else reporter_with(saving.callback)
    owner = current.current_run() or run if reporter is None else reporter.child
    told: dict[str, Any] = {"saved_by": f"keras.Model.{call.function.__name__}", "model": call.instance.name}
    if saving is not None:
        told |= {"saved_by": type(saving.callback).__name__, **_score(saving)}
    text = os.fsdecode(path)
    if reporter is not None and saving is not None:
        reporter.used.saved(saving.callback, text, _score(saving))
    remote = "://" in text
    if not remote and not Path(text).exists():
        return  # another process writes it, or sharded under another name
    small = not remote and Path(text).is_file() and Path(text).stat().st_size <= _HASHED
    owner.log_model(Path(text).name, text, checksum=small, metadata=told)


def _score(saving: _Checkpoint) -> dict[str, Any]:
    monitor = vars(saving.callback).get("monitor")
    told = {"monitor": monitor, "score": saving.logs.get(monitor), "epoch": saving.epoch}
    return {name: value for name, value in told.items() if value is not None}


def _is_own_backup() -> bool:
    """Whether ``BackupAndRestore`` saves: what it needs to go on after a failure, and deletes itself."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  who calls is told by no argument
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if not name.startswith(_PASSING) and name != "contextlib":
            return name == "keras.src.callbacks.backup_and_restore"
        frame = frame.f_back
    return False
