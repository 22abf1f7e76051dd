"""``autolog checkout``: the source tree of a run, as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autolog.cli.errors import CommandError
from autolog.cli.find import find
from autolog.cli.text import clean, shorten
from autolog.store.checkout import checkout as restore

__all__ = ["checkout"]


def checkout(
    run: Annotated[str, typer.Argument(help="Id, beginning of an id, name, or 'last'.")],
    directory: Annotated[Path, typer.Argument(help="A new or an empty directory.")],
) -> None:
    """Re-create the recorded source tree of a run in a directory and verify it.

    Prints the command that runs it again.

    Examples:
      autolog checkout brave-otter-42 /tmp/otter
    """
    try:
        result = restore(find(run), directory)
    except (OSError, ValueError) as error:
        raise CommandError(str(error)) from None
    count = len(result.files)
    print(f"{count} file{'s' * (count != 1)} in {result.directory}, each verified against the record")
    remarks = {
        "not byte for byte what ran, secrets are masked": result.redacted,
        "written after the program began, may not be what ran": result.changed,
        "from outside the project, below __outside__": result.outside,
        "not recorded": [f"{name} ({reason})" for name, reason in result.left_out.items()],
    }
    for remark, names in remarks.items():
        if names:
            print(f"{remark}: {shorten(', '.join(names), 500)}")
    if result.command:
        print(f"Run it again:\n  {clean(result.command)}")
    else:
        print("How it was started is not known.")
