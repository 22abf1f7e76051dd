"""What was recorded of a run, and what became of it at each backend: the two must agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from autolog import events
from autolog.journal import journals
from autolog.sidecar.progress import State, states

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Account", "Count", "accounts"]


class Count(msgspec.Struct):
    """So many were recorded; each of them was delivered, is pending, or is lost."""

    recorded: int = 0
    delivered: int = 0
    pending: int = 0
    lost: int = 0


class Account(msgspec.Struct):
    """How a run stands at one backend."""

    backend: str
    target: str
    records: Count
    bytes: Count
    assets: Count
    complete: bool
    """The run has ended and the backend has all that it ever will."""
    error: str
    """Why the last try failed, or why nothing is tried any more."""
    reasons: dict[str, int]
    """Why something is lost, and how many records or assets."""
    changed: dict[str, int]
    """Values that could not be kept as they are."""


class _Line(NamedTuple):
    """Where a line of a journal ends, and what it is."""

    journal: str
    end: int
    is_record: bool
    asset: str
    """Path of the asset that it names."""


class _Recorded:
    """What the journals of a run hold."""

    def __init__(self, directory: Path) -> None:
        self.lines: list[_Line] = []
        self.unwritten = 0
        """Records that a full disk kept from being written."""
        self.torn = 0
        """Bytes after the last whole line: a record whose writing was cut off."""
        self.size = 0
        for path in journals(directory):
            self._read(path)

    def _read(self, path: Path) -> None:
        end = 0
        with path.open("rb") as file:
            for line in file:
                end += len(line)
                if not line.endswith(b"\n"):
                    self.torn += len(line)
                    self.lines.append(_Line(path.name, end, is_record=False, asset=""))
                elif line != b"\n":
                    self._take(path.name, end, line)
        self.size += end

    def _take(self, journal: str, end: int, line: bytes) -> None:
        try:
            record = events.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.lines.append(_Line(journal, end, is_record=False, asset=""))
            return
        asset = record.path or "" if isinstance(record, events.Asset) else ""
        self.lines.append(_Line(journal, end, is_record=True, asset=asset))
        if isinstance(record, events.Health) and record.kind == "lost" and record.where == "journal":
            self.unwritten += record.count


def accounts(directory: Path, names: list[str]) -> list[Account]:
    """What became of a run's records at each backend; reads the run's journals.

    Args:
        directory: the run's.
        names: the backends.
    """
    recorded = _Recorded(directory)
    known = states(directory)
    return [_account(name, known.get(name, State()), recorded) for name in names]


def _account(name: str, state: State, recorded: _Recorded) -> Account:
    records, assets = _records(state, recorded), _assets(state, recorded)
    sent = {line.journal: 0 for line in recorded.lines}
    for line in recorded.lines:
        if line.end <= state.journals.get(line.journal, 0):
            sent[line.journal] = line.end
    delivered = sum(sent.values())
    rest = recorded.size - recorded.torn - delivered
    refused = bool(state.refused)
    size = Count(recorded.size, delivered, 0 if refused else rest, recorded.torn + (rest if refused else 0))
    reasons = dict(state.lost)
    for reason in state.lost_assets.values():
        reasons[reason] = reasons.get(reason, 0) + 1
    damaged = sum(not line.is_record for line in recorded.lines)
    reasons |= {"damaged by a kill or a full disk": damaged} if damaged else {}
    reasons |= {"not written: the disk was full or away": recorded.unwritten} if recorded.unwritten else {}
    complete = state.done and not (records.pending or assets.pending)
    return Account(
        name, state.target, records, size, assets, complete, state.refused or state.error, reasons, dict(state.changed)
    )


def _records(state: State, recorded: _Recorded) -> Count:
    whole = [line for line in recorded.lines if line.is_record]
    behind = sum(line.end > state.journals.get(line.journal, 0) for line in whole)
    gone = sum(state.lost.values())
    unread = len(recorded.lines) - len(whole) + recorded.unwritten
    count = Count(len(whole) + unread, len(whole) - behind - gone, behind, unread + gone)
    if state.refused:
        count.pending, count.lost = 0, count.lost + behind
    return count


def _assets(state: State, recorded: _Recorded) -> Count:
    """Files, each once, however many records name them."""
    found = {line.asset for line in recorded.lines if line.asset}
    sent = {line.asset for line in recorded.lines if line.asset and line.end <= state.journals.get(line.journal, 0)}
    gone = found & state.lost_assets.keys()
    count = Count(len(found), len(sent - gone), len(found - sent - gone), len(gone))
    if state.refused:
        count.pending, count.lost = 0, count.lost + count.pending
    return count
