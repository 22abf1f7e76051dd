"""One optimizer of a training: how often it has stepped, and the names of its learning rates."""

from __future__ import annotations

from typing import Any, TypeAlias
from weakref import ref

from autolog.integrations.torch_describing import rate_names
from autolog.integrations.torch_values import Reading, read

__all__ = ["Losses", "Stepping", "rates"]

Losses: TypeAlias = "list[tuple[str, float | Reading]]"
"""What has been backpropagated since the last step, in order, by name."""


class Stepping:
    """One optimizer of a training: how often it has stepped, and what it is called."""

    __slots__ = ("count", "fact", "names", "number", "optimizer", "same")

    def __init__(self, optimizer: Any, number: int, same: int) -> None:
        self.optimizer = ref(optimizer)
        self.count = 0
        self.number = number
        self.same = same
        """How many of its class there are before it."""
        self.names = rate_names(optimizer, same)
        self.fact: dict[str, Any] = {}
        """What is on record of it."""

    def name_groups(self, optimizer: Any) -> None:
        """Its groups are others than before."""
        self.names = rate_names(optimizer, self.same)


def rates(names: list[str], groups: list[dict[str, Any]]) -> Losses:
    """The learning rates of an optimizer's groups by name."""
    found: Losses = []
    for name, group in zip(names, groups, strict=True):
        rate = group.get("lr")
        if type(rate) is not float and hasattr(rate, "device"):
            rate = read(rate)
        if rate is not None:
            found.append((name, rate))
    return found
