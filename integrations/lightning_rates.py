"""Learning rates of a trainer's optimizers, named as Lightning's ``LearningRateMonitor`` names them."""

from __future__ import annotations

from typing import Any

from autolog.integrations.lightning_values import begin

__all__ = ["Rates"]


class Rates:
    """The learning rates of one fit; names are made once, and again when there are other parameter groups."""

    __slots__ = ("_names", "_sizes")

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._names: list[list[str]] = []

    def names(self) -> set[str]:
        """What the rates read last are called."""
        return {name for names in self._names for name in names}

    def read(self, trainer: Any) -> dict[str, Any]:
        """The rates of now, as :func:`autolog.integrations.lightning_values.begin` gives them."""
        groups = [optimizer.param_groups for optimizer in map(_unwrapped, trainer.optimizers)]
        sizes = [len(own) for own in groups]
        if sizes != self._sizes:
            self._sizes, self._names = sizes, _names(trainer, groups)
        rates: dict[str, Any] = {}
        plain = True
        for names, own in zip(self._names, groups, strict=True):
            for name, group in zip(names, own, strict=True):
                rate = group.get("lr")
                plain = plain and type(rate) is float
                rates[name] = rate
        return rates if plain else begin({name: rate for name, rate in rates.items() if rate is not None})


def _unwrapped(optimizer: Any) -> Any:
    inner = getattr(optimizer, "optimizer", optimizer)  # DeepSpeed's holds torch's
    return inner if hasattr(inner, "param_groups") else optimizer


def _names(trainer: Any, groups: list[Any]) -> list[list[str]]:
    given = {
        id(config.scheduler.optimizer): config.name
        for config in trainer.lr_scheduler_configs
        if config.name is not None and hasattr(config.scheduler, "optimizer")
    }
    seen: dict[str, int] = {}
    names: list[list[str]] = []
    for optimizer, own in zip(map(_unwrapped, trainer.optimizers), groups, strict=True):
        name = given.get(id(optimizer)) or f"lr-{type(optimizer).__name__}"
        count = seen[name] = seen.get(name, -1) + 1
        if count:
            name = f"{name}-{count}"
        names.append([_full(name, own, index) for index in range(len(own))])
    return names


def _full(name: str, groups: list[Any], index: int) -> str:
    own = groups[index].get("name", f"pg{index + 1}" if len(groups) > 1 else None)
    return name if own is None else f"{name}/{own}"
