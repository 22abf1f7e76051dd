"""The one reader of runs: the journals of a directory → the state of the run, and its summary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from autolog import events, journal
from autolog.store.fold import FileState, RunState, fold, fold_metrics
from autolog.store.summary import RunSummary, summarize

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["read_run", "read_state"]

_BLOCK = 4 << 20


def read_run(directory: str | Path) -> RunSummary:
    """The summary of the run in ``directory``, read from its journals as they are now.

    Raises:
        FileNotFoundError: there is no journal in it.
    """
    directory = Path(directory)
    return summarize(read_state(directory), directory)


def read_state(directory: Path, state: RunState | None = None) -> RunState:
    """Read all journals of a run, or what was added to them since ``state`` was returned (it is changed in place).

    A journal that became shorter or disappeared is not the one that was read: everything is read anew then.

    Raises:
        FileNotFoundError: there is no journal.
    """
    paths = journal.journals(directory)
    if all(journal.is_system(path.name) for path in paths):
        raise FileNotFoundError(f"no journal in {directory}")
    state = state or RunState()
    sizes = {path.name: path.stat().st_size for path in paths}
    if any(sizes.get(name, -1) < file.offset for name, file in state.files.items()):
        state = RunState()
    for path in paths:
        file = state.files.setdefault(path.name, FileState())
        if sizes[path.name] > file.offset:
            _read_file(path, state, file)
        file.size = max(sizes[path.name], file.offset)
    return state


def _read_file(path: Path, state: RunState, file: FileState) -> None:
    with path.open("rb") as stream:
        stream.seek(file.offset)
        rest = b""
        while block := stream.read(_BLOCK):
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            _fold_lines(lines, state, file)
            file.offset = stream.tell() - len(rest)


def _fold_lines(lines: list[bytes], state: RunState, file: FileState) -> None:
    """Take whole lines into the state. Written for runs of millions of metric points."""
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(events.Record).decode
    metrics_record = events.Metrics
    node, child = state.root.metrics, None
    for line in lines:
        try:
            record = decode(line)
            if record.__class__ is metrics_record:
                time = record.time
                if time > file.clock:  # noqa: PLR1730  (this loop runs for every point: a call costs more)
                    file.clock = time
                if record.child != child:
                    child = record.child
                    node = state.node(child).metrics
                fold_metrics(node, file.clock, record)
            else:
                fold(state, file, record)
        except (msgspec.MsgspecError, ValueError, RecursionError):  # the last of a line nested beyond reason
            _count_odd_line(line, file)


def _count_odd_line(line: bytes, file: FileState) -> None:
    """A line of unknown type is skipped; a torn one is counted."""
    if not line:
        return
    try:
        if events.decode(line) is None:
            file.unknown += 1
            return
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    file.broken += 1
