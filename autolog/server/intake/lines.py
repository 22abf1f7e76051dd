"""Whether the lines of a batch can be taken: each is a JSON object, of bounded length and depth."""

from __future__ import annotations

import msgspec

from autolog.server.errors import ApiError
from autolog.server.http.depth import DEEPEST, is_deep

__all__ = ["check_lines", "is_object"]

_decoder = msgspec.json.Decoder(msgspec.Raw)


def check_lines(data: bytes, longest: int, damaged: int) -> None:
    """Every line is a JSON object, but for as many as the client knows to be torn on its own disk.

    Args:
        data: the lines.
        longest: bytes that a line may have.
        damaged: how many lines may be none.

    Raises:
        ApiError: 400, 413 or 422; the message says which line.
    """
    if not data:
        raise ApiError(400, "empty", "the body holds no line")
    if not data.endswith(b"\n"):
        raise ApiError(400, "unfinished_line", "the body must end with the end of a line")
    lines = data[:-1].split(b"\n")
    if _all_fine(data, lines, longest):
        return
    position = 0
    for number, line in enumerate(lines, 1):
        damaged -= _check_line(line, number, position, longest, spared=damaged > 0)
        position += len(line) + 1


def _all_fine(data: bytes, lines: list[bytes], longest: int) -> bool:
    """Whether all lines can be taken, told in a third of the time; if not, each has to be looked at."""
    try:
        data.decode()
        objects = list(map(bytes, _decoder.decode_lines(data)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    if objects != lines or max(map(len, lines)) > longest or not all(line[0] == 0x7B for line in lines):
        return False
    # Each line has one bracket at least: this many more would have to be in the same one.
    return data.count(b"{") + data.count(b"[") - len(lines) < DEEPEST or not any(map(is_deep, lines))


def _check_line(line: bytes, number: int, position: int, longest: int, *, spared: bool) -> bool:
    """Whether a line is no object, which is ``spared``."""
    if len(line) > longest:
        raise ApiError(413, "line_too_long", f"line {number} is longer than {longest} bytes", limit=longest)
    if len(line) > DEEPEST and is_deep(line):
        raise ApiError(
            422, "too_deep", f"line {number} is nested deeper than {DEEPEST}", line=number, byte=position,
            limit=DEEPEST,
        )  # fmt: skip
    if not line or is_object(line):
        return False
    if not spared:
        message = f"line {number} is no JSON object; nothing was taken"
        raise ApiError(422, "invalid_line", message, line=number, byte=position)
    return True


def is_object(line: bytes) -> bool:
    """Whether a line is a JSON object."""
    try:
        line.decode("utf-8")
        _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return line.lstrip()[:1] == b"{"
