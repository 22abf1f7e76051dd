"""The lowest part of a terminal: what is on its screen after some text, progress bars in their last state.

Only what progress bars and consoles need: carriage return, backspace, cursor movement, erasing. Colours are left out
of the log, so that it can be searched and compared.
"""

from __future__ import annotations

import re

__all__ = ["Screen"]

# A control character or escape sequence: CSI, OSC (titles, links), character sets, single ones.
_CONTROL = re.compile(
    "(\r|\n|\b|\x07|\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b\r\n]*(?:\x07|\x1b\\\\)"
    "|\x1b[()#][0-9A-Za-z]|\x1b[=>78cDEHMNOZ]|\x1b)"
)
_UNFINISHED = re.compile("\x1b(?:\\[[0-?]*[ -/]*|\\][^\x07\x1b\r\n]*\x1b?|[()#])?\\Z")
_SPECIAL = ("\r", "\b", "\x1b", "\x07")
_WINDOW = 100  # rows the cursor can go back to


class Screen:
    """Rows of text with a cursor.

    Attributes:
        rows: the text, oldest first. The last row is the unfinished line.
        changed: index of the first row that is not as it was at the last :meth:`settle`; ``len(rows)`` if none.
    """

    __slots__ = ("_column", "_kept", "_row", "_tail", "changed", "rows")

    def __init__(self) -> None:
        self.rows = [""]
        self.changed = 1
        self._row = 0
        self._column = 0
        self._tail: list[str] = []  # what is being appended to the last row, joined when it is looked at
        self._kept = ""  # the beginning of an escape sequence that the next write goes on with

    def feed(self, text: str) -> bool:
        """Take text in. Returns whether a row was completed (a new one begun below it)."""
        if self._kept:
            text, self._kept = self._kept + text, ""
        before = len(self.rows)
        if self._at_end() and not any(special in text for special in _SPECIAL):
            self._append(text)
        else:
            self._interpret(text)
        return len(self.rows) > before

    def settle(self) -> list[str]:
        """The changed rows, from ``changed`` on; they count as unchanged from now."""
        self._join()
        rows = self.rows[self.changed :]
        self.changed = len(self.rows)
        return rows

    def touch(self, index: int) -> None:
        """Rows from ``index`` on count as changed again."""
        self.changed = min(self.changed, index)

    def drop(self, count: int) -> int:
        """Forget the oldest ``count`` rows, at most those above the cursor's. Returns how many that were."""
        count = min(count, self._row)
        del self.rows[:count]
        self._row -= count
        self.changed = max(0, self.changed - count)
        return count

    def surplus(self) -> int:
        """How many of the oldest rows the cursor cannot reach any more."""
        return max(0, min(len(self.rows) - _WINDOW, self._row))

    def _at_end(self) -> bool:
        return self._row == len(self.rows) - 1 and (bool(self._tail) or self._column == len(self.rows[-1]))

    def _join(self) -> None:
        if self._tail:
            self.rows[-1] += "".join(self._tail)
            self._tail.clear()
            self._column = len(self.rows[-1])

    def _append(self, text: str) -> None:
        first, *rest = text.split("\n")
        if first:
            self._tail.append(first)
            self.touch(len(self.rows) - 1)
        if rest:
            self._join()
            self.touch(len(self.rows) - 1)
            self.rows += rest
            self._row = len(self.rows) - 1
            self._column = len(rest[-1])

    def _interpret(self, text: str) -> None:
        self._join()
        unfinished = _UNFINISHED.search(text, max(0, len(text) - 200))
        if unfinished:
            text, self._kept = text[: unfinished.start()], unfinished[0]
        for index, piece in enumerate(_CONTROL.split(text)):
            if not piece:
                continue
            if index % 2:
                self._control(piece)
            else:
                self._put(piece)

    def _put(self, text: str) -> None:
        row = self.rows[self._row]
        if len(row) < self._column:
            row += " " * (self._column - len(row))
        self._set(row[: self._column] + text + row[self._column + len(text) :])
        self._column += len(text)

    def _set(self, row: str) -> None:
        if self.rows[self._row] != row:
            self.rows[self._row] = row
            self.touch(self._row)

    def _control(self, sequence: str) -> None:
        if sequence == "\n":
            self._down(1, new=True)
            self._column = 0
        elif sequence == "\r":
            self._column = 0
        elif sequence == "\b":
            self._column = max(0, self._column - 1)
        elif sequence.startswith("\x1b["):
            self._csi(sequence[-1], sequence[2:-1])

    def _down(self, count: int, *, new: bool) -> None:
        for _ in range(min(count, _WINDOW)):
            if self._row == len(self.rows) - 1:
                if not new:
                    return
                self.touch(self._row)
                self.rows.append("")
            self._row += 1

    def _csi(self, command: str, argument: str) -> None:
        number = int(argument) if argument.isdigit() else 0
        count = max(1, min(number, 10_000))
        if command in "AF":
            self._row = max(0, self._row - count)
        elif command in "BE":
            self._down(count, new=False)
        elif command == "C":
            self._column += count
        elif command == "D":
            self._column = max(0, self._column - count)
        elif command == "G":
            self._column = count - 1
        elif command in "KJ":
            self._erase(command, number)
        if command in "EF":
            self._column = 0

    def _erase(self, command: str, mode: int) -> None:
        row = self.rows[self._row]
        if command == "K" and mode == 2:
            self._set("")
        elif command == "K" and mode == 1:
            self._set(" " * min(self._column, len(row)) + row[self._column :])
        elif mode == 0:
            self._set(row[: self._column])
            if command == "J" and self._row + 1 < len(self.rows):  # 2J clears a screen; a log keeps what was on it
                del self.rows[self._row + 1 :]
                self.touch(self._row)
