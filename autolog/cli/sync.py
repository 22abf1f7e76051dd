"""``autolog sync``: deliver what backends have not got yet, after a crash or a time without network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autolog import config, events
from autolog.cli.errors import CommandError
from autolog.cli.find import find
from autolog.journal import journals, read
from autolog.plugins import RunEnd, RunHeader
from autolog.sidecar.deliver import Delivery
from autolog.sidecar.progress import State, states
from autolog.store import runs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autolog.store.summary import RunSummary

__all__ = ["sync"]


def sync(
    run: Annotated[list[str] | None, typer.Argument(help="Runs; default: all.", show_default=False)] = None,
    status: Annotated[bool, typer.Option("--status", help="Only say what is delivered and what is not.")] = False,
) -> None:
    """Deliver what the backends of the settings have not got yet.

    Examples:
      autolog sync
      autolog sync --status
      autolog sync brave-otter-42
    """
    settings = config.load()
    remote = [name for name in settings.backend if name != "local"]
    if not remote:
        raise CommandError(
            "there is nothing to deliver to: the setting `backend` names only the local directory", code=2
        )
    pending = 0
    for summary in [find(ref) for ref in run] if run else runs():
        directory = Path(summary.directory)
        if not status and summary.status != "running":  # a running one has a sidecar that delivers
            _deliver(summary, settings)
        for name in remote:
            line, left = _progress(directory, states(directory).get(name, State()))
            pending += left
            print(f"{summary.name}  {name}: {line}")
    if pending and not status:
        raise CommandError(f"{pending} bytes are not delivered yet", code=1)


def _deliver(summary: RunSummary, settings: config.Settings) -> None:
    directory = Path(summary.directory)
    start, end, exit_record = _frame(directory)
    if start is None:
        sys.stderr.write(f"autolog: {summary.name} has no header and cannot be delivered\n")
        return

    def say(_: str, where: str, detail: str) -> None:
        sys.stderr.write(f"autolog: {summary.name}, {where}: {detail}\n")

    delivery = Delivery(settings, RunHeader(start, str(directory)), say)
    delivery.start()
    delivery.close(RunEnd(end, exit_record))


def _frame(directory: Path) -> tuple[events.RunStart | None, events.End | None, events.Exit | None]:
    """The first record of a run, and the last ones that say how it ended."""
    start, end, exit_record = None, None, None
    for record in _records(journals(directory)):
        if isinstance(record, events.RunStart):
            start = start or record
        elif isinstance(record, events.End):
            end = record
        elif isinstance(record, events.Exit):
            exit_record = record
    return start, end, exit_record


def _records(paths: Iterable[Path]) -> Iterable[events.Record]:
    for path in paths:
        for record, _ in read(path):
            yield record


def _progress(directory: Path, state: State) -> tuple[str, int]:
    """What to say of a run's delivery, and how many bytes are left."""
    sizes = {path.name: path.stat().st_size for path in journals(directory)}
    got = sum(min(state.journals.get(name, 0), size) for name, size in sizes.items())
    left = sum(sizes.values()) - got
    line = f"{got} of {sum(sizes.values())} bytes delivered" + (", complete" if state.done and not left else "")
    return (f"{line} ({state.error})" if state.error else line), left
