"""The executed cells of a notebook or an IPython session: the source of a run that has no script."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from autolog.guard import guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from autolog.capture.redact import Redactor
    from autolog.patching import Undo

__all__ = ["FILE", "NotebookCells", "before_each_cell", "is_interactive"]

FILE = "source/__notebook__.py"
"""The cells in the run's directory, as a script with a line ``# %% [number]`` above each."""

_MAX_CELL = 1_000_000


def is_interactive() -> bool:
    """Whether this process runs cells (Jupyter, VS Code, Colab, IPython)."""
    return _shell() is not None


class NotebookCells:
    """The cells of this session, as they are executed, for one run.

    Args:
        directory: the run's directory.
        redactor: masks secrets in the cells.
    """

    def __init__(self, directory: str | os.PathLike[str], redactor: Redactor) -> None:
        self._directory = os.fspath(directory)
        self._redactor = redactor
        self._done = 1  # the history's first entry is no cell

    def take(self) -> list[dict[str, Any]]:
        """The cells executed since the last time, the one that is running included; all of the session at first.

        They are added to :data:`FILE` too.

        Returns:
            To be appended to the fact ``notebook``: ``execution_count``, ``source`` (as typed, secrets masked) and,
            where true, ``redacted``.

        Raises:
            OSError: the file cannot be written. The cells come again the next time.
        """
        shell = _shell()
        if shell is None:
            return []
        history = shell.history_manager.input_hist_raw
        if len(history) < self._done - 1:  # `%reset in` has emptied it
            self._done = 1
        return self._add([(number, history[number]) for number in range(self._done, len(history))])

    def watch(self, write: Callable[[list[dict[str, Any]]], None]) -> Undo:
        """Call ``write`` with new cells at the begin of each cell, so that a kernel that is killed in it has told it.

        Args:
            write: gets what :meth:`take` returns.

        Returns:
            What ends that.
        """

        def on_cell(info: Any) -> None:
            cells = self.take()
            if info.store_history and not info.silent:  # IPython adds it to its history after this event
                cells += self._add([(len(_shell().history_manager.input_hist_raw), info.raw_cell)])
            if cells:
                write(cells)

        return before_each_cell(on_cell, "notebook")

    def _add(self, numbered: list[tuple[int, str]]) -> list[dict[str, Any]]:
        cells = [self._cell(number, text) for number, text in numbered if text]
        if cells:
            self._write(cells)
            self._done = numbered[-1][0] + 1
        return cells

    def _cell(self, number: int, text: str) -> dict[str, Any]:
        masked = self._redactor.code(text[:_MAX_CELL], "notebook")
        cell: dict[str, Any] = {"execution_count": number, "source": masked}
        if masked != text:
            cell["redacted" if len(text) <= _MAX_CELL else "shortened"] = True
        return cell

    def _write(self, cells: list[dict[str, Any]]) -> None:
        path = os.path.join(self._directory, *FILE.split("/"))  # noqa: PTH118  as in capture.source
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)  # noqa: PTH103, PTH120
        text = "".join(f"# %% [{cell['execution_count']}]\n{cell['source'].rstrip()}\n\n" for cell in cells)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, text.encode("utf-8", "backslashreplace"))
        finally:
            os.close(file)


def before_each_cell(action: Callable[[Any], None], where: str) -> Undo:
    """Call ``action(info)`` with IPython's facts of each cell that is about to run; outside of IPython never.

    Args:
        action: its errors are reported under ``where``, not shown in the cell.
        where: the place.

    Returns:
        What ends that.
    """
    shell = _shell()
    if shell is None:
        return _nothing

    def on_cell(info: Any) -> None:
        with guard(where):
            action(info)

    shell.events.register("pre_run_cell", on_cell)

    def undo() -> None:
        if on_cell in shell.events.callbacks["pre_run_cell"]:
            shell.events.unregister("pre_run_cell", on_cell)

    return undo


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None


def _nothing() -> None:
    return
