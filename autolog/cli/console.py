"""The terminal: colours and widths. Output that goes to a file or a pipe is plain and never cut."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

__all__ = ["console", "heading", "plain_table", "show", "width"]

_UNLIMITED = 10_000


def width() -> int:
    """Characters of a line: those of the terminal or ``COLUMNS``; as good as unlimited in a pipe or a file."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
        return shutil.get_terminal_size().columns
    return _UNLIMITED


def console() -> Console:
    """Where a command prints: recorded text is never taken for markup, and colours appear on terminals only."""
    return Console(width=width(), markup=False, highlight=False, emoji=False, soft_wrap=False)


def show(*parts: RenderableType) -> None:
    """Print parts one below the other, without the blanks that fill up columns."""
    screen = console()
    with screen.capture() as captured:
        for part in parts:
            screen.print(part, soft_wrap=isinstance(part, str))
    sys.stdout.write("".join(f"{line.rstrip(' ')}\n" for line in captured.get().splitlines()))


def heading(text: str) -> Text:
    """The title of a section."""
    return Text(f"\n{text}", style="bold")


def plain_table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, right: Iterable[str] = ()) -> Table:
    """A table without lines: two blanks between columns, the titles dimmed.

    Args:
        columns: The titles; all empty: no line of titles.
        rows: The cells.
        right: Titles of the columns that are aligned right (numbers).
    """
    numeric = set(right)
    table = Table(box=None, show_header=any(columns), header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for title in columns:
        table.add_column(
            Text(title), justify="right" if title in numeric else "left", no_wrap=True, overflow="ellipsis"
        )
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return table
