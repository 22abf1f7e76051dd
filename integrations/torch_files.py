"""Files that the program saves its model in: ``torch.save``, safetensors and distributed checkpoints, by reference."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from autolog import current, patching
from autolog.imports import when_imported
from autolog.integrations.torch_loop import goes_on, is_framework, is_quiet, thread
from autolog.integrations.torch_saves import are_reported
from autolog.patching import Call, Hook, Undo, patch

__all__ = ["watch"]

_HASHED = 4 << 20
_FILES = (io.BufferedWriter, io.BufferedRandom, io.FileIO)
_REPORTED = {"torch", "lightning", "lightning_fabric", "pytorch_lightning", "keras"}
"""Who saves for itself: caches of torch, checkpoints of frameworks that report these."""
_SAVERS = ("torch.serialization", "safetensors.torch", "torch.distributed.checkpoint", "contextlib", "functools")


def watch(serialization: ModuleType) -> Iterable[Undo]:
    """Patch what writes files, below the functions that a program may have imported by name."""
    classes = [
        (getattr(serialization, "_open_zipfile_writer_file", None), _written),
        (getattr(serialization, "_open_zipfile_writer_buffer", None), _written),
        (getattr(serialization, "_open_file", None), _written),
        (getattr(serialization, "_open_buffer_writer", None), _written),
    ]
    undos = [patch(kind, "__exit__", hook) for kind, hook in classes if kind is not None]
    return [
        *undos,
        *_later("safetensors.torch", "serialize_file", _serialized),
        *_later("torch.distributed.checkpoint.state_dict_saver", "_save_state_dict", _checkpointed),
    ]


def _later(module: str, name: str, hook: patching.HookFunction) -> list[Undo]:
    """Patch a function of a module that may never be imported."""
    undos: list[Undo] = []
    off = False

    def imported(found: ModuleType) -> None:
        if not off and hasattr(found, name):
            undos.append(patch(found, name, hook))

    def undo() -> None:
        nonlocal off
        off = True
        while undos:
            undos.pop()()

    when_imported(module, imported, f"torch.{name}")
    return [patching.undo_with(undo)]


def _written(call: Call) -> Hook:
    """``torch.save`` closes, or flushes, what it has written to: after that the file is whole."""
    yield
    if call.args[1:2] == (None,):  # else an exception has left the `with` block
        _record(_path(call.instance), "torch.save")


def _path(opened: Any) -> Any:
    held = opened.__dict__
    if "name" in held:
        return held["name"]
    file = held.get("buffer", held.get("file_like"))
    return file.name if type(file) in _FILES and not file.mode.startswith("r") else None


def _serialized(call: Call) -> Hook:
    yield
    _record(call.argument("filename"), "safetensors")


def _checkpointed(call: Call) -> Hook:
    yield
    _record(getattr(call.argument("storage_writer"), "path", None), "torch.distributed.checkpoint")


def _record(path: Any, saved_by: str) -> None:
    run = current.begun()
    if run is None or not isinstance(path, (str, os.PathLike)) or is_quiet() or are_reported():
        return
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  the hook
    while frame is not None and _is_saver(str(frame.f_globals.get("__name__"))):
        frame = frame.f_back
    if frame is None or str(frame.f_globals.get("__name__")).partition(".")[0] in _REPORTED or is_framework(frame):
        return
    training = thread.training
    owner = training.run if training is not None and goes_on(training) else current.current_run() or run
    place = Path(os.fsdecode(path))
    step = None if training is None else training.top
    small = place.is_dir() or place.stat().st_size <= _HASHED
    owner.log_model(place.name, place, step, checksum=small and place.is_file(), metadata={"saved_by": saved_by})


def _is_saver(module: str) -> bool:
    return module.startswith(_SAVERS) or module.partition(".")[0] == "autolog"
