"""docs/cli.md, made from the commands themselves: ``python -m autolog.cli.reference > docs/cli.md``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from autolog.cli.main import COMMANDS, application, load

__all__ = ["reference"]

_HEAD = """\
# The command line

RUN is an id, a unique beginning of one, a name, `last` (the newest run; `last~1`: the one before it) or the path of a
run's directory. Tables fit the terminal; in a pipe or a file nothing is cut and nothing is coloured. Exit codes: 0; 1
where something does not exist or failed; 2 for a wrong use. Runs are looked for in `AUTOLOG_DIR`, else in `.autolog`
of the git root, else of the working directory. `run` and `doctor` need the base installation only, the others
`pip install 'autolog[ui]'`.

<!-- Made by `python -m autolog.cli.reference`; a test compares. -->
"""


def reference() -> str:
    """The text of docs/cli.md."""
    return "\n".join([_HEAD, *_overview(), *(line for name in COMMANDS for line in _command(name))])


def _overview() -> Iterator[str]:
    yield "| command | what it does |"
    yield "|---|---|"
    for name, command in COMMANDS.items():
        yield f"| [`autolog {name}`](#autolog-{name}) | {command.summary} |"
    yield ""


def _command(name: str) -> Iterator[str]:
    command = COMMANDS[name]
    yield f"## autolog {name}"
    yield ""
    if command.plain:
        yield f"{command.summary[0].upper()}{command.summary[1:]}. `autolog {name} --help` says more."
        yield ""
        return
    function = load(command)
    text, _, examples = (inspect.getdoc(function) or "").partition("\n\nExamples:\n")
    yield text
    yield ""
    if examples:
        yield from ("```sh", inspect.cleandoc(examples), "```", "")
    yield "| option | |"
    yield "|---|---|"
    from typer.main import get_command

    for parameter in get_command(application(name, function)).params:
        yield _option(parameter)
    yield ""


def _option(parameter: Any) -> str:
    spelled = ", ".join(f"`{word}`" for word in parameter.opts)
    if parameter.param_type_name == "argument":
        spelled = f"`{parameter.name.upper()}`"
    return f"| {spelled} | {(getattr(parameter, 'help', None) or '').replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    print(reference(), end="")
