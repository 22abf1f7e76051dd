"""``autolog tag``, ``note``, ``rename``, ``rm``: changes to recorded runs."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from autolog.cli.errors import CommandError
from autolog.cli.find import find
from autolog.store import edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autolog.store.summary import RunSummary

__all__ = ["note", "rename", "rm", "tag"]

_RUN = typer.Argument(help="Id, beginning of an id, name, or 'last'.", show_default=False)


def tag(
    run: Annotated[str, _RUN],
    changes: Annotated[list[str], typer.Argument(metavar="+TAG|-TAG...", help="+TAG adds it, -TAG removes it.")],
) -> None:
    """Add and remove tags of a run.

    Examples:
      autolog tag last +baseline
      autolog tag brave-otter-42 +paper -draft
    """
    for change in changes:
        if change[:1] not in ("+", "-") or not change[1:]:
            raise CommandError(f"{change!r} is neither +TAG nor -TAG", code=2)
    add = [change[1:] for change in changes if change.startswith("+")]
    remove = [change[1:] for change in changes if change.startswith("-")]
    summary = find(run)
    with _said():
        edit.tag(summary, add=add, remove=remove)
    print(f"{summary.name}: {' '.join(find(run).tags) or '(no tags)'}")


def note(run: Annotated[str, _RUN], text: Annotated[str, typer.Argument(help="The note; '' removes it.")]) -> None:
    """Set the note of a run.

    Examples:
      autolog note last "the first one that converged"
    """
    with _said():
        edit.set_note(find(run), text)


def rename(run: Annotated[str, _RUN], name: Annotated[str, typer.Argument(help="The new name.")]) -> None:
    """Give a run another name. Its id and directory stay.

    Examples:
      autolog rename last baseline-lr0.1
    """
    if not name.strip():
        raise CommandError("a name cannot be empty", code=2)
    with _said():
        edit.rename(find(run), name)


def rm(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids, beginnings of ids, names, or 'last'.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete runs with everything that belongs to them. There is no way back.

    Examples:
      autolog rm quick-seal-12
      autolog rm last last~1 --yes
    """
    chosen = {summary.directory: summary for summary in map(find, runs)}
    _check(list(chosen.values()))
    if not yes:
        _ask(list(chosen.values()))
    for summary in chosen.values():
        with _said():
            edit.remove(summary)
        print(f"deleted {summary.name} ({summary.id})")


def _check(chosen: list[RunSummary]) -> None:
    """Before anything is deleted, whether all of it may be."""
    for summary in chosen:
        if summary.status == "running":
            raise CommandError(f"run {summary.name} is still running; nothing was deleted")
        if summary.kind != "run":
            raise CommandError(f"{summary.name} is a child run, part of the record of its run; nothing was deleted")


def _ask(chosen: list[RunSummary]) -> None:
    listed = ", ".join(f"{summary.name} ({summary.id})" for summary in chosen)
    if not sys.stdin.isatty():
        raise CommandError(f"nobody can be asked here; --yes deletes {listed}", code=2)
    sys.stdout.write(f"Delete {listed}? [y/N] ")
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was deleted")


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        raise CommandError(str(error)) from None
