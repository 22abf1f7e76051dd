"""The facts of the process on the record of a run: each at its time, none able to cost another."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from autolog import config, events, guard, plugins, process
from autolog.capture import arguments, command, console, environment, exit, failures, seeds  # noqa: A004  the fact's name
from autolog.sidecar import launch, leaving

if TYPE_CHECKING:
    from autolog.capture.source import SourceSnapshot
    from autolog.patching import Undo
    from autolog.run import Run

__all__ = ["after_end", "begin", "end"]


class _Open:
    """What is going on for the open run."""

    source: SourceSnapshot | None = None
    last_cells: Callable[[], None] | None = None
    undos: list[Undo]

    def __init__(self) -> None:
        self.undos = []


_open: dict[str, _Open] = {}
"""By run id; the run that has begun and not ended, if there is one."""


def begin(run: Run) -> None:
    """Write what is known, start the sidecar, and keep watching.

    What all ranks have in common rank 0 writes; one rank of each node starts a sidecar there.
    """
    _open[run.id] = _Open()
    if process.role() == "rank":
        job = process.job()
        leads = job is not None and job.local_rank == 0
        common = {"failures": failures.begin, "exit": exit.begin, "console": _attach_console}
        _each(run, common | ({"sidecar": launch.start} if leads else {}))
        return
    actions = {
        "failures": failures.begin,
        "command": _command,  # before the others: it learns which secrets were given
        "sidecar": launch.start,
        "exit": exit.begin,
        "console": _attach_console,
        "environment": _environment,
        "seeds": _seeds,
        "source": _begin_source,
        "notebook": _begin_notebook,
    }
    _each(run, actions)


def end(run: Run) -> None:
    """Write what has come since, and stop watching."""
    plugins.ending()
    _each(
        run,
        {
            "seeds": _write_seeds,
            "source": _source,
            "notebook": _cells,
            "console": _detach_console,
            "exit": exit.end,
            "failures": failures.end,
        },
    )
    going_on = _open.pop(run.id, None)
    for undo in going_on.undos if going_on else ():
        undo()


def after_end(run: Run) -> None:
    """Let the sidecar finish; at the end of the process its delivery is waited for, by rank 0 for all."""
    _each(run, {"sidecar.end": launch.ended})
    if process.role() != "rank":
        _each(run, {"sidecar.wait": leaving.remember})


def _each(run: Run, actions: Mapping[str, Callable[[Run], None]]) -> None:
    for name, action in actions.items():
        if not plugins.is_disabled(name):
            with guard.guard(f"capture.{name}"):
                action(run)


def _command(run: Run) -> None:
    redactor = run.redactor
    facts = command.command_facts()
    facts["argv"] = redactor.argv(facts["argv"], "command.argv")
    facts["orig_argv"] = redactor.argv(facts["orig_argv"], "command.argv")
    run.log_fact("command", facts)
    run.log_fact("python", command.python_facts())

    def parsed(values: dict[str, dict[str, Any]]) -> None:
        run.log_args(values)

    known = arguments.parsed_arguments()
    if known:
        parsed(known)
    _open[run.id].undos.append(arguments.listen(parsed))


def _environment(run: Run) -> None:
    run.log_fact("environment", environment.environment_facts(run.redactor))
    launched = environment.launcher_facts(run.redactor)
    if launched:
        run.log_fact("launcher", launched)


def _seeds(run: Run) -> None:
    _write_seeds(run)
    _open[run.id].undos.append(seeds.listen(lambda known: run.log_fact("seeds", known)))


def _write_seeds(run: Run) -> None:
    known = seeds.seeds()
    if known:
        run.log_fact("seeds", known)


def _begin_notebook(run: Run) -> None:
    if "IPython" not in sys.modules:
        return
    from autolog.capture import notebook

    if not notebook.is_interactive():
        return
    cells = notebook.NotebookCells(run.directory, run.redactor)

    def write(new: list[dict[str, Any]]) -> None:
        if new:
            run.log_fact("notebook", new, append=True)
            run.note_redactions()

    write(cells.take())
    _open[run.id].undos.append(cells.watch(write))
    _open[run.id].last_cells = lambda: write(cells.take())


def _cells(run: Run) -> None:
    """Store the cells that have been executed since the last time."""
    going_on = _open.get(run.id)
    if going_on and going_on.last_cells:
        going_on.last_cells()


def _begin_source(run: Run) -> None:
    from autolog.capture.source import SourceSnapshot

    _open[run.id].source = SourceSnapshot(run.directory, run.redactor, config.settings().source_max_bytes)
    _source(run)
    run.before_child = lambda: _each(run, {"source": _source})


def _source(run: Run) -> None:
    """Store the modules that have been imported since the last time."""
    going_on = _open.get(run.id)
    fact = going_on.source.take() if going_on and going_on.source else None
    if fact is not None:
        # Masked already; `log_fact` would take a file called `secrets.py` for the name of a secret.
        run.append(events.Fact(time=time.time(), name="source", value=fact))
        run.note_redactions()


def _attach_console(run: Run) -> None:
    def lost(count: int, detail: str) -> None:
        run.log_health("lost", "console", count, detail)

    console.attach(run.directory / process.own_file("console.log"), run.redactor, lost)


def _detach_console(run: Run) -> None:
    console.detach()
    run.note_redactions()
