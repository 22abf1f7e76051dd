"""``autolog ui``: the web pages over a local runs directory."""

from __future__ import annotations

import contextlib
import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from autolog.cli.errors import CommandError
from autolog.store.layout import root_directory

__all__ = ["ui"]


def ui(
    directory: Annotated[
        Path | None, typer.Option("--dir", help="The runs directory.", show_default="as `autolog ls` finds it")
    ] = None,
    port: Annotated[int, typer.Option(help="Port to listen on, on this machine only; 0: any that is free.")] = 8701,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
) -> None:
    """Show runs in the browser, live. The printed address holds a key: only whoever has it gets in.

    Examples:
      autolog ui
      autolog ui --dir /data/runs --port 0 --no-open
      ssh -L 8701:127.0.0.1:8701 gpu-machine autolog ui --no-open
    """
    from autolog.server.local.serve import serve

    root = root_directory(directory)
    if directory is not None and not root.is_dir():
        raise CommandError(f"there is no directory {root}")

    def begun(address: str) -> None:
        sys.stderr.write(f"autolog ui: {root}\n  {address}\n")
        sys.stderr.flush()
        if not no_open and _has_screen():
            webbrowser.open(address)

    try:
        with contextlib.suppress(KeyboardInterrupt):
            serve(root, port, begun)
    except OSError as error:
        raise CommandError(f"cannot listen on port {port}: {error.strerror}; --port 0 takes any that is free") from None


def _has_screen() -> bool:
    """Whether a browser would have a window: on a machine reached by ssh one would take over the terminal."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
