"""What differs between two runs: settings, results, packages, git, source, environment, seeds. Only what differs."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import msgspec

from autolog.store.entries import flatten
from autolog.store.source import source_files, stored_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from autolog.store.summary import RunSummary

__all__ = ["MISSING", "Change", "Difference", "diff", "source_diff"]


class _Missing:
    """What one of the runs does not have."""

    def __repr__(self) -> str:
        return "(missing)"


MISSING = _Missing()
_SECTIONS_OF_FACTS = {
    "packages": "packages",
    "git": "git",
    "environment": "environment",
    "seeds": "seeds",
    "python": "environment",
    "host": "environment",
    "gpus": "environment",
    "launcher": "environment",
    "command": "command",
}


class Change(msgspec.Struct):
    """One name whose value differs; :data:`MISSING` where a run does not have it."""

    name: str
    left: Any
    right: Any
    detail: str = ""
    """Of an argument: which side was given on the command line and which is a default."""


class Difference(msgspec.Struct):
    """Two runs and, by section, what differs. A section in which nothing differs is not there."""

    left: str
    right: str
    sections: dict[str, list[Change]]
    """``params, args, metrics, command, git, packages, source, environment, seeds``, in this order."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; a missing value is left out."""
        plain: dict[str, Any] = {"left": self.left, "right": self.right}
        for section, changes in self.sections.items():
            plain[section] = [_plain(change) for change in changes]
        return plain


def diff(left: RunSummary, right: RunSummary) -> Difference:
    """What differs between two runs, both freshly read (:func:`~autolog.store.find_run`)."""
    parts: list[tuple[str, Callable[[RunSummary], Mapping[str, Any]]]] = [
        ("params", lambda run: dict(flatten(run.params, ""))),
        ("args", lambda run: {name: entry.get("value") for name, entry in run.args.items()}),
        ("metrics", lambda run: {name: metric.last for name, metric in run.metrics.items()}),
        ("command", _command),
        ("git", lambda run: _facts(run, "git")),
        ("packages", lambda run: _facts(run, "packages")),
        ("source", lambda run: {name: file.get("sha256") for name, file in source_files(run).items()}),
        ("environment", lambda run: _facts(run, "environment")),
        ("seeds", lambda run: _facts(run, "seeds")),
    ]
    sections = {}
    for section, part in parts:
        changes = list(_changes(part(left), part(right)))
        if section == "args":
            for change in changes:
                change.detail = _given(left, right, change.name)
        if changes:
            sections[section] = changes
    return Difference(left=left.id, right=right.id, sections=sections)


def source_diff(left: RunSummary, right: RunSummary, name: str) -> Iterator[str]:
    """A unified diff of one recorded source file, line by line without line ends."""
    import difflib

    before, after = (_source_text(run, name).splitlines() for run in (left, right))
    yield from difflib.unified_diff(before, after, f"{left.name}/{name}", f"{right.name}/{name}", lineterm="")


def _source_text(run: RunSummary, name: str) -> str:
    path = stored_file(run, name)
    return path.read_bytes().decode("utf-8", errors="replace") if path is not None else ""


def _facts(run: RunSummary, section: str) -> dict[str, Any]:
    """The leaves of the facts of a section. Facts of the environment keep their names in front."""
    found: dict[str, Any] = {}
    for fact, its_section in _SECTIONS_OF_FACTS.items():
        if its_section == section and fact in run.facts:
            found |= flatten(_by_name(run.facts[fact]), "" if section == fact else fact)
    return {name or section: value for name, value in found.items()}


def _command(run: RunSummary) -> dict[str, Any]:
    """How the run was started: ``argv`` and, as ``started``, what of ``orig_argv`` stands before its arguments."""
    facts = _facts(run, "command")
    facts.pop("pid", None)  # another one in each run
    argv, started = facts.get("argv"), facts.get("orig_argv")
    if isinstance(argv, list) and isinstance(started, list) and started[-len(argv[1:]) or len(started) :] == argv[1:]:
        del facts["orig_argv"]
        facts["started"] = started[: len(started) - len(argv[1:])]
    return {name: shlex.join(map(str, value)) if isinstance(value, list) else value for name, value in facts.items()}


def _by_name(value: Any) -> Any:
    """A list (GPUs, devices) as a dictionary, so that it is compared entry by entry."""
    if isinstance(value, dict):
        return {key: _by_name(inner) for key, inner in value.items()}
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return {str(place): _by_name(item) for place, item in enumerate(value)}
    return value


def _changes(left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[Change]:
    for name in [*left, *(name for name in right if name not in left)]:
        first, second = left.get(name, MISSING), right.get(name, MISSING)
        both_nan = first != first and second != second
        if (first != second or type(first) is not type(second)) and not both_nan:
            yield Change(name, first, second)


def _given(left: RunSummary, right: RunSummary, name: str) -> str:
    words = []
    for run in (left, right):
        entry = run.args.get(name)
        words.append("missing" if entry is None else "given" if entry.get("given") else "default")
    return " → ".join(words)


def _plain(change: Change) -> dict[str, Any]:
    sides = {
        side: value
        for side, value in (("left", change.left), ("right", change.right))
        if not isinstance(value, _Missing)
    }
    return {"name": change.name, **sides} | ({"detail": change.detail} if change.detail else {})
