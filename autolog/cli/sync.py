"""``autolog sync``: deliver what backends have not got yet, after a crash or a time without network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autolog import config
from autolog.cli.errors import CommandError
from autolog.cli.find import find
from autolog.sidecar import progress
from autolog.sidecar.accounts import Account, accounts
from autolog.sidecar.frame import may_go_on
from autolog.sidecar.leftovers import deliver_rest
from autolog.store import runs

if TYPE_CHECKING:
    from autolog.config import Settings
    from autolog.sidecar.accounts import Count
    from autolog.store.summary import RunSummary

__all__ = ["sync"]

_LINGER = 6
"""Times the setting ``exit_wait`` for which a backend may stand still."""


def sync(
    run: Annotated[list[str] | None, typer.Argument(help="Runs; default: all.", show_default=False)] = None,
    status: Annotated[bool, typer.Option("--status", help="Only say what is delivered and what is not.")] = False,
    anew: Annotated[
        bool, typer.Option("--anew", help="Also what was delivered before: for a server that has lost it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Deliver what the backends have not got yet: those of the settings, or where these name none, those of each run.

    A run that is named is also tried where a backend has refused it for good.

    Examples:
      autolog sync
      autolog sync --status
      autolog sync brave-otter-42
      autolog sync --anew                      the server was restored from an older backup
    """
    given = config.load()
    chosen = [find(ref) for ref in run] if run else list(runs())
    meant = {summary.id: progress.addressed(Path(summary.directory), given) for summary in chosen}
    if not any(progress.remote(settings) for settings in meant.values()) and not progress.remote(given):
        raise CommandError(
            "there is nothing to deliver to: the setting `backend` names only the local directory, as it did when the "
            "runs began",
            code=2,
        )
    if status:
        known = {key.id: accounts(Path(key.directory), progress.remote(meant[key.id])) for key in chosen}
        _print_json(chosen, known) if as_json else _print(chosen, known, everything=True)
        return
    known = _deliver_all(chosen, meant, again=bool(run), anew=anew)
    _print_json(chosen, known) if as_json else _print(chosen, known, everything=bool(run))
    pending = sum(account.bytes.pending for found in known.values() for account in found)
    if pending:
        raise CommandError(f"{pending} bytes are not delivered yet", code=1)


def _deliver_all(
    chosen: list[RunSummary], meant: dict[str, Settings], *, again: bool, anew: bool
) -> dict[str, list[Account]]:
    """Deliver run after run. A backend that did not get on with one is not tried with the next."""
    stuck: set[tuple[str, str]] = set()
    known: dict[str, list[Account]] = {}
    for summary in chosen:
        directory, settings = Path(summary.directory), meant[summary.id]
        names = progress.remote(settings)
        if anew and not may_go_on(directory, sidecar=True):
            progress.forget(directory, names, settings)
        lacking = [name for name in names if _lacks(directory, name, settings, again=again)]
        wanted = [name for name in lacking if (name, progress.target(name, settings)) not in stuck]
        if wanted and may_go_on(directory, sidecar=True):
            _say(f"{summary.name} goes on, and is delivered by its own sidecar")
        elif wanted:
            _deliver(summary, settings, wanted, again=again)
            stuck |= {(name, progress.target(name, settings)) for name in wanted if _is_stuck(directory, name)}
        if lacking and directory.is_dir():
            known[summary.id] = accounts(directory, names)
    return known


def _lacks(directory: Path, name: str, settings: Settings, *, again: bool) -> bool:
    """Whether a backend lacks something of a run that it may still take."""
    state = progress.states(directory).get(name)
    if state is None or state.target not in ("", progress.target(name, settings)):
        return True
    if state.refused:
        return again
    return not state.done or state.spool or bool(progress.undelivered(directory, [name], samples=True))


def _is_stuck(directory: Path, name: str) -> bool:
    state = progress.states(directory).get(name)
    return state is not None and not state.refused and bool(progress.undelivered(directory, [name], samples=True))


def _deliver(summary: RunSummary, settings: Settings, wanted: list[str], *, again: bool) -> None:
    def say(_: str, where: str, detail: str) -> None:
        _say(f"{summary.name}, {where}: {detail}")

    linger = _LINGER * settings.exit_wait
    whole = deliver_rest(Path(summary.directory), settings, say, only=wanted, linger=linger, again=again)
    if whole is None:
        _say(f"{summary.name} has no header and cannot be delivered")


def _say(text: str) -> None:
    sys.stderr.write(f"autolog: {text}\n")


def _print(chosen: list[RunSummary], known: dict[str, list[Account]], *, everything: bool) -> None:
    """A line for each run and backend, and what is lost below it."""
    waiting = complete = 0
    for summary in chosen:
        for account in known.get(summary.id, []):
            complete += account.complete
            waiting += not account.complete
            if everything or not account.complete or account.reasons:
                print(f"{summary.name}  {account.backend}: {_line(account)}")
                for reason, count in account.reasons.items():
                    print(f"    lost: {count} x {reason}")
                for reason, count in account.changed.items():
                    print(f"    changed: {count} x {reason}")
    if not everything:
        print(f"{complete} delivered, {waiting} not" if complete or waiting else "everything was delivered already")


def _line(account: Account) -> str:
    parts = [_counted(account.records, "records"), _counted(account.bytes, "bytes")]
    if account.assets.recorded:
        parts.append(_counted(account.assets, "assets"))
    if account.complete:
        parts.append("complete")
    line = "; ".join(parts)
    return f"{line} ({account.error})" if account.error else line


def _counted(count: Count, what: str) -> str:
    """``30 records = 20 delivered + 9 pending + 1 lost``, without what is none."""
    parts = [(count.delivered, "delivered"), (count.pending, "pending"), (count.lost, "lost")]
    shown = [f"{number} {word}" for number, word in parts if number] or ["0 delivered"]
    return f"{count.recorded} {what} = {' + '.join(shown)}"


def _print_json(chosen: list[RunSummary], known: dict[str, list[Account]]) -> None:
    import msgspec

    found = [
        {"run": summary.id, "name": summary.name, **msgspec.to_builtins(account)}
        for summary in chosen
        for account in known.get(summary.id, [])
    ]
    print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
