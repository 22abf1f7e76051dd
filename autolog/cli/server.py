"""``autolog server …`` and ``autolog login``: their packages are an extra, and missing ones are named."""

from __future__ import annotations

from autolog.cli.errors import CommandError

__all__ = ["server"]

_MISSING = "autolog server needs packages that are not installed here ({missing}): pip install 'autolog[server]'"


def server(words: list[str]) -> int:
    """``autolog server [start|init|users|token …] …``.

    Args:
        words: those after ``autolog server``.

    Returns:
        The exit code.

    Raises:
        CommandError: the server's packages are missing, or what is asked for cannot be done.
    """
    try:
        from typer.main import get_command

        from autolog.cli.server_commands import application
    except ModuleNotFoundError as error:
        if (error.name or "autolog").split(".")[0] == "autolog":
            raise
        raise CommandError(_MISSING.format(missing=error.name)) from None
    try:
        starts = not words or (words[0].startswith("-") and words[0] != "--help")
        get_command(application).main(args=["start", *words] if starts else words, prog_name="autolog server")
    except SystemExit as end:  # Typer's way to return
        return end.code if isinstance(end.code, int) else 1 if end.code else 0
    return 0
