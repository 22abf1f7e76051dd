"""A model's structure as a text to read: every module with its class, its own parameters' shapes, and counts."""

from __future__ import annotations

from typing import Any

from autolog.integrations.torch_facts import own_class, parameter_count

__all__ = ["structure"]

_LINES = 500


def structure(model: Any) -> str:
    """The tree of a module, one line each; no code of the program runs.

    Returns:
        ``fc: Linear  650  weight [10, 64], bias [10]``: name, class, parameters in it and below, and its own ones.
        Those that are not trained are marked. Beyond 500 lines the rest is counted.
    """
    named = list(model.named_modules())
    lines = [_line(name, module) for name, module in named[:_LINES]]
    if len(named) > _LINES:
        lines.append(f"... and {len(named) - _LINES} more modules")
    return "\n".join(lines)


def _line(path: str, module: Any) -> str:
    name = path.rpartition(".")[2]
    indent = "  " * (path.count(".") + 1) if path else ""
    count = sum(map(parameter_count, module.parameters()))
    held = module.__dict__.get("_parameters", {})
    own = ", ".join(_shape(key, tensor) for key, tensor in held.items() if tensor is not None)
    kind = own_class(module).__name__
    return f"{indent}{name}: {kind}  {count:,}  {own}".rstrip() if name else f"{kind}  {count:,}  {own}".rstrip()


def _shape(name: str, parameter: Any) -> str:
    try:
        shape = list(parameter.shape)
    except RuntimeError:  # of a lazy module: it has none yet
        return f"{name} (lazy)"
    return f"{name} {shape}" if parameter.requires_grad else f"{name} {shape} (not trained)"
