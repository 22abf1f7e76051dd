"""A Lightning module as a fact: parameter counts, every module in it, and the table that Lightning prints of it."""

from __future__ import annotations

import math
from typing import Any

from autolog.integrations.torch_facts import model_fact

__all__ = ["described"]

_MODULES = 300
_UNITS = ("", "K", "M", "B", "T")


def described(module: Any, summary: str | None) -> dict[str, Any]:
    """The fact ``model``.

    Args:
        module: the Lightning module, set up.
        summary: the table that Lightning has made; without it, one of the direct parts is made here. No forward pass
            is made for it: sizes of inputs and outputs are there only where Lightning has made one.
    """
    fact = model_fact(module)
    modules = [[name, type(part).__name__] for name, part in module.named_modules() if name]
    fact["modules"] = modules[:_MODULES]
    if len(modules) > _MODULES:
        fact["modules_left_out"] = len(modules) - _MODULES
    fact["summary"] = _table(module, fact) if summary is None else summary
    return fact


def _table(module: Any, fact: dict[str, Any]) -> str:
    modes = {name: "train" if part.training else "eval" for name, part in module.named_children()}
    rows = [
        (str(index), part["name"], part["class"], _count(part["parameters"]), modes.get(part["name"], ""))
        for index, part in enumerate(fact["parts"])
    ]
    rows = [("", "Name", "Type", "Params", "Mode"), *rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    rule = "-" * max(map(len, lines))
    total, trainable = fact["parameters"], fact["trainable_parameters"]
    counts = (trainable, "Trainable params"), (total - trainable, "Non-trainable params"), (total, "Total params")
    return "\n".join([lines[0], rule, *lines[1:], rule, *(f"{_count(count):<10}{what}" for count, what in counts)])


def _count(number: int) -> str:
    """A number as Lightning shows it: ``132 K``."""
    group = min(len(_UNITS) - 1, (len(str(number)) - 1) // 3)
    shown = number / math.pow(1000, group)
    return f"{shown:.1f} {_UNITS[group]}".rstrip() if group and shown < 100 else f"{shown:.0f} {_UNITS[group]}".rstrip()
