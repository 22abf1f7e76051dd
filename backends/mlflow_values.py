"""autolog's names and values within MLflow's limits; what had to be changed is counted, so that it can be said."""

from __future__ import annotations

import json
import math
import posixpath
import re
from collections import Counter
from typing import Any

from autolog import events

__all__ = ["Fitter"]

_LONGEST_NAME = 250
_LONGEST_PARAMETER = 6000
_LONGEST_TAG = 8000
_LARGEST_STEP = 2**63 - 1
_OTHER = re.compile(r"[^/\w.\- :]")
_LARGEST = 1.7976931348623157e308
"""What MLflow's stores make of an infinity."""


class Fitter:
    """Fits names and values of one run, and counts what it had to change.

    Attributes:
        changes: sentences and how often each was so.
    """

    def __init__(self) -> None:
        self.changes: Counter[str] = Counter()
        self._before: Counter[str] = Counter()
        self._names: dict[str, str] = {}
        self._taken: dict[str, str] = {}

    def begin(self) -> None:
        """What is changed from now on is of one chunk, which may be sent again."""
        self._before = self.changes.copy()

    def changed(self) -> Counter[str]:
        """What was changed since :meth:`begin`."""
        return self.changes - self._before

    def refused(self, what: str) -> None:
        """Something is not there at all."""
        self.changes[what] += 1

    def name(self, name: str) -> str:
        """A name that MLflow takes; two names never become one."""
        if name in self._names:
            return self._names[name]
        fitted = _OTHER.sub("_", name)[:_LONGEST_NAME] or "_"
        if posixpath.normpath(fitted) != fitted or fitted[0] in "/." or fitted.startswith(".."):
            fitted = posixpath.normpath(fitted.lstrip("/.")).replace("..", "__") or "_"
        number = 2
        plain = fitted[: _LONGEST_NAME - 4]
        while self._taken.get(fitted, name) != name:
            fitted = f"{plain}_{number}"
            number += 1
        self._taken[fitted] = name
        self._names[name] = fitted
        if fitted != name:
            self.changes["names that hold signs MLflow does not take were changed"] += 1
        return fitted

    def metric(self, written: events.Number) -> float:
        """A metric's value; NaN stays, infinities become the largest numbers, as MLflow's stores would do."""
        value = events.from_wire(written)
        if math.isinf(value):
            self.changes["infinite values stand as the largest number that MLflow holds"] += 1
            return math.copysign(_LARGEST, value)
        return value

    def step(self, step: float | None) -> int:
        """A step as MLflow counts: whole numbers."""
        if step is None:
            return 0
        if not math.isfinite(step):
            self.changes["steps that are no number stand as 0"] += 1
            return 0
        if abs(step) > _LARGEST_STEP:
            self.changes["steps beyond 64 bits stand as the largest that MLflow holds"] += 1
            return _LARGEST_STEP if step > 0 else -_LARGEST_STEP
        if step != int(step):
            self.changes["steps with a fraction were cut to whole numbers"] += 1
        return int(step)

    def parameter(self, value: Any) -> str:
        """A parameter's value as text, cut where it is too long."""
        return self._cut(value if isinstance(value, str) else _text(value), _LONGEST_PARAMETER, "parameters")

    def tag(self, value: Any) -> str:
        """A tag's value as text, cut where it is too long."""
        return self._cut(value if isinstance(value, str) else _text(value), _LONGEST_TAG, "tags")

    def _cut(self, text: str, longest: int, what: str) -> str:
        if len(text) <= longest:
            return text
        self.changes[f"{what} longer than {longest} characters were cut; the local record has them whole"] += 1
        return text[: longest - 1] + "…"

    def told(self) -> str:
        """What was changed, for people; empty where nothing was."""
        return "; ".join(f"{count} x {what}" for what, count in self.changes.items())


def _text(value: Any) -> str:
    if value is None or isinstance(value, (bool, int, float)):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=repr)
