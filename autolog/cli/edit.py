"""``autolog tag``, ``set``, ``note``, ``rename``, ``archive``, ``rm``: changes to recorded runs."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autolog.cli.errors import CommandError
from autolog.cli.find import find
from autolog.store import edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autolog.store.summary import RunSummary

__all__ = ["archive", "note", "rename", "rm", "set_fields", "tag", "unarchive"]

_RUN = typer.Argument(help="Id, beginning of an id, name, or 'last'.", show_default=False)
_RUNS = typer.Argument(metavar="RUN...", help="Ids, beginnings of ids, names, or 'last'.")


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


def set_fields(
    run: Annotated[str, _RUN],
    changes: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE...", help="VALUE is a number, true, false or text; none: remove.")
    ],
) -> None:
    """Set fields of your own, to sort and find runs by: fields.NAME in queries.

    Examples:
      autolog set last reviewed=true paper_table=3 owner=ann
      autolog set brave-otter-42 owner=
      autolog ls "fields.reviewed == True" -c name,fields.owner
    """
    values: dict[str, Any] = {}
    for change in changes:
        name, separator, value = change.partition("=")
        if not separator or not name.strip():
            raise CommandError(f"{change!r} is no NAME=VALUE", code=2)
        values[name.strip()] = _value(value)
    summary = find(run)
    with _said():
        edit.set_fields(summary, values)
    held = find(run).fields
    print(f"{summary.name}: {' '.join(f'{name}={value}' for name, value in held.items()) or '(no fields)'}")


def _value(text: str) -> Any:
    """What a person means by a word: a number, a truth value, nothing, or the text itself."""
    try:
        value = json.loads(text) if text else None
    except ValueError:
        return text
    return text if isinstance(value, (list, dict)) else value


def archive(runs: Annotated[list[str], _RUNS]) -> None:
    """Leave runs out of lists. They are kept; `autolog ls --archived` shows them.

    Examples:
      autolog archive last
    """
    for summary in list(map(find, runs)):
        with _said():
            edit.archive(summary)
        print(f"archived {summary.name} ({summary.id})")


def unarchive(runs: Annotated[list[str], _RUNS]) -> None:
    """Take archived runs back into lists.

    Examples:
      autolog unarchive brave-otter-42
    """
    for summary in list(map(find, runs)):
        with _said():
            edit.archive(summary, archived=False)
        print(f"{summary.name} ({summary.id}) is listed again")


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
    runs: Annotated[list[str], _RUNS],
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
