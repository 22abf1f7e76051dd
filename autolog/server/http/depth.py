"""How deeply a line of JSON is nested, told without reading it: what is nested beyond reason exhausts those who do."""

from __future__ import annotations

import re

__all__ = ["DEEPEST", "is_deep"]

DEEPEST = 100
"""Deeper than any record that a program means."""
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


def is_deep(line: bytes) -> bool:
    """Whether a line is nested deeper than :data:`DEEPEST`. Of a line that is no JSON, anything may be said."""
    if line.count(b"[") + line.count(b"{") <= DEEPEST:
        return False
    depth = 0
    for bracket in _BRACKET.finditer(_TEXT.sub(b"", line)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > DEEPEST:
            return True
    return False
