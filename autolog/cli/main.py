"""``autolog COMMAND …``: the table of commands, and how one is started.

A command's module is imported only when the command is called. ``run`` and ``doctor`` work with the base
dependencies alone; the others need the ``ui`` extra and say so where it is missing.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from autolog.cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["COMMANDS", "Command", "application", "load", "main"]


class Command(NamedTuple):
    """Where a command lives (``module:function``) and what it does, in one line."""

    function: str
    summary: str
    plain: bool = False
    """The function takes the arguments as they are and returns the exit code: no Typer, base dependencies only."""


COMMANDS = {
    "run": Command("autolog.cli.run:run_command", "run a training script, unchanged, and record it", plain=True),
    "ls": Command("autolog.cli.listing:ls", "list runs: filter, sort, choose columns"),
    "show": Command("autolog.cli.show:show", "everything that is known about one run"),
    "plot": Command("autolog.cli.plot:plot", "draw a metric of one or several runs in the terminal"),
    "diff": Command("autolog.cli.diff:diff", "what differs between two runs"),
    "export": Command("autolog.cli.export:export", "runs, or every point of their metrics, as CSV, JSON or Parquet"),
    "tag": Command("autolog.cli.edit:tag", "add (+x) and remove (-x) tags of a run"),
    "note": Command("autolog.cli.edit:note", "set the note of a run"),
    "set": Command("autolog.cli.edit:set_fields", "set fields of your own of a run (owner=ann)"),
    "rename": Command("autolog.cli.edit:rename", "give a run another name"),
    "archive": Command("autolog.cli.edit:archive", "leave runs out of lists"),
    "unarchive": Command("autolog.cli.edit:unarchive", "take archived runs back into lists"),
    "rm": Command("autolog.cli.edit:rm", "delete runs"),
    "checkout": Command("autolog.cli.checkout:checkout", "re-create the source tree of a run in a directory"),
    "sync": Command("autolog.cli.sync:sync", "deliver what backends have not got yet"),
    "ui": Command("autolog.cli.ui:ui", "show runs in the browser, live"),
    "login": Command("autolog.cli.login:login", "store the token of a server"),
    "logout": Command("autolog.cli.login:logout", "forget the token of a server"),
    "server": Command("autolog.cli.server:server", "start a server, or say who may use it", plain=True),
    "doctor": Command("autolog.cli.doctor:doctor", "what works here, what does not, and why", plain=True),
}
_EXAMPLES = """\
Examples:
  autolog run train.py --lr 0.1        record a training
  autolog ls "metrics.val_loss < 0.3"  find runs
  autolog show last                    look at the newest one
  autolog plot last val_loss           draw a metric
  autolog COMMAND --help               options and examples of a command
"""
_EXTRA = "autolog {name} needs packages that are not installed here ({missing}): pip install 'autolog[ui]'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the words after ``autolog``; by default those of this process.

    Returns:
        The exit code: 0, 1 where something asked for does not exist or failed, 2 for a wrong use.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _dispatch(words)
        if sys.stdout is not None:  # the shell can close it: `>&-`
            sys.stdout.flush()
    except CommandError as error:
        sys.stderr.write(f"autolog: {error}\n")
        return error.code
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. What is still buffered must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _dispatch(words: list[str]) -> int:
    name = words[0] if words else "--help"
    if name in ("--help", "-h", "help"):
        sys.stdout.write(_overview())
        return 0
    if name in ("--version", "-V"):
        from autolog.version import VERSION

        sys.stdout.write(f"autolog {VERSION}\n")
        return 0
    if name not in COMMANDS:
        raise CommandError(_unknown(name), code=2)
    command = COMMANDS[name]
    if command.plain:
        return int(load(command)(words[1:]))
    return _with_typer(name, command, words[1:])


def _overview() -> str:
    lines = [f"  {name:<9} {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(["Usage: autolog COMMAND …", "", "Commands:", *lines, "", _EXAMPLES])


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean `autolog {near[0]}`?" if near else "`autolog --help` lists them"
    return f"no command {name!r}; {hint}"


def load(command: Command) -> Callable[..., Any]:
    """The function of a command; its module is imported now.

    Raises:
        ModuleNotFoundError: a package of the ``ui`` extra is missing.
    """
    module, _, attribute = command.function.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), attribute)
    return function


def _with_typer(name: str, command: Command, words: list[str]) -> int:
    try:
        function = load(command)
        from typer.main import get_command
    except ModuleNotFoundError as error:
        if (error.name or "autolog").split(".")[0] == "autolog":
            raise
        raise CommandError(_EXTRA.format(name=name, missing=error.name)) from None
    try:
        get_command(application(name, function)).main(args=words, prog_name=f"autolog {name}")
    except SystemExit as end:  # Typer's way to return
        return end.code if isinstance(end.code, int) else 1 if end.code else 0
    return 0


def application(name: str, function: Callable[..., Any]) -> Any:
    """The Typer application of one command; its help is the docstring."""
    import inspect

    import typer

    # A line with a backspace keeps the lines after it as they are.
    text = (inspect.getdoc(function) or "").replace("\n\nExamples:", "\n\n\b\nExamples:")

    # Negative words are values here: `--sort -metrics.loss`, `tag last -draft`.
    context = {"ignore_unknown_options": True} if name == "tag" else {}
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name, help=text, context_settings=context)(function)
    return app
