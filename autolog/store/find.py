"""Which run a person means: an id, the beginning of one, a name, ``last``, or ``RUN/child``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autolog.store import index, layout
from autolog.store.reader import read_run
from autolog.store.summary import descendants

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from autolog.store.summary import RunSummary

__all__ = ["AmbiguousRun", "UnknownRun", "find_run"]

_MOST_LISTED = 8


class UnknownRun(LookupError):  # noqa: N818  (it says what it is)
    """No run is meant by this; the message names the nearest ones."""


class AmbiguousRun(LookupError):  # noqa: N818  (the same)
    """Several runs are meant by this; the message lists them."""


class _Known:
    """What runs are called: project folder, run folder, id, name; newest first."""

    __slots__ = ("id", "name", "place")

    def __init__(self, project: str, run: str, id: str, name: str) -> None:  # noqa: A002  (the field's name)
        self.place, self.id, self.name = (project, run), id, name


def find_run(ref: str, dir: str | Path | None = None, project: str | None = None) -> RunSummary:  # noqa: A002  (the setting's name)
    """The one run that ``ref`` means, freshly read.

    Args:
        ref: An id, a unique beginning of an id or of its last part, a name, ``last`` (``last~1``: the one before),
            a directory of a run; each with ``/CHILD`` for a child run by its id or name.
        dir: The runs directory; default: as the settings say.
        project: Only runs of this project.

    Raises:
        UnknownRun: no run is meant; the nearest names are named.
        AmbiguousRun: several are meant; they are listed.
    """
    root = layout.root_directory(dir)
    if ref and layout.stamp_of(ref):
        return read_run(ref)
    known = _known(root, project)
    exact = _matching(known, ref)
    if exact is None and "/" in ref:
        head, _, child = ref.partition("/")
        found = _matching(known, head)
        if found is not None:
            return _child(_read(root, found), child)
    if exact is None:
        raise _unknown(ref, known, root)
    return _read(root, exact)


def _known(root: Path, project: str | None) -> list[_Known]:
    connection = index.open_index(root)
    try:
        rows = connection.execute(
            "SELECT project, run, id, name FROM runs WHERE ? IN (project_name, project, '') "
            "ORDER BY started_at DESC, run DESC",
            (project or "",),
        ).fetchall()
    finally:
        connection.close()
    return [_Known(*row) for row in rows]


def _matching(known: Sequence[_Known], ref: str) -> _Known | None:
    if ref == "last" or ref.startswith("last~"):
        back = ref.removeprefix("last").removeprefix("~") or "0"
        if back.isdigit():
            return known[int(back)] if int(back) < len(known) else None
    for meant in (
        [run for run in known if ref in (run.id, run.place[1])],
        [run for run in known if run.name == ref],
        [run for run in known if ref and (run.id.startswith(ref) or run.id.rpartition("-")[2].startswith(ref))],
        [run for run in known if ref and run.name.startswith(ref)],
    ):
        if len(meant) > 1:
            raise _ambiguous(ref, meant)
        if meant:
            return meant[0]
    return None


def _read(root: Path, run: _Known) -> RunSummary:
    return read_run(root / run.place[0] / run.place[1])


def _child(run: RunSummary, ref: str) -> RunSummary:
    everyone = list(descendants(run))[1:]
    for meant in ([child for child in everyone if child.id == ref], [child for child in everyone if child.name == ref]):
        if len(meant) == 1:
            return meant[0]
        if meant:
            listed = ", ".join(child.id for child in meant[:_MOST_LISTED])
            raise AmbiguousRun(f"{len(meant)} children of {run.name} are called {ref!r}; say which by id: {listed}")
    names = ", ".join(f"{child.id} ({child.name})" for child in everyone[:_MOST_LISTED]) or "it has none"
    raise UnknownRun(f"{run.name} has no child run {ref!r}; its children: {names}")


def _ambiguous(ref: str, meant: Sequence[_Known]) -> AmbiguousRun:
    listed = "".join(f"\n  {run.id}  {run.name}  ({run.place[0]})" for run in meant[:_MOST_LISTED])
    more = f"\n  … and {len(meant) - _MOST_LISTED} more" if len(meant) > _MOST_LISTED else ""
    return AmbiguousRun(f"{ref!r} means {len(meant)} runs; say which by id:{listed}{more}")


def _unknown(ref: str, known: Sequence[_Known], root: Path) -> UnknownRun:
    import difflib

    if not known:
        return UnknownRun(f"no run {ref!r}: there are no runs in {root}")
    names = list(dict.fromkeys([run.name for run in known] + [run.id for run in known]))
    near = difflib.get_close_matches(ref, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"the newest is {known[0].name} ({known[0].id})"
    return UnknownRun(f"no run {ref!r}; {hint}")
