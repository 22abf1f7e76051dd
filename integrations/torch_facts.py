"""What torch models, optimizers and schedulers say about themselves, read without touching them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = [
    "learning_rates",
    "length",
    "model_fact",
    "optimizer_facts",
    "optimizer_params",
    "own_class",
    "parameter_count",
    "plain_attributes",
    "scheduler_fact",
]

_PLAIN = (bool, int, float, str)


def model_fact(model: Any) -> dict[str, Any]:
    """Class, parameter counts and direct parts of a ``torch.nn.Module``.

    Args:
        model: the module.

    Returns:
        ``class``, ``parameters``, ``trainable_parameters``, ``buffers`` and ``parts`` (name, class, parameters).
        Parameters that are not initialised yet (lazy modules) count as 0.
    """
    parameters = list(model.parameters())
    return {
        "class": _class_name(model),
        "parameters": sum(map(_count, parameters)),
        "trainable_parameters": sum(_count(parameter) for parameter in parameters if parameter.requires_grad),
        "buffers": sum(map(_count, model.buffers())),
        "parts": [
            {"name": name, "class": own_class(part).__name__, "parameters": sum(map(_count, part.parameters()))}
            for name, part in model.named_children()
        ],
    }


def optimizer_params(optimizers: Sequence[Any]) -> dict[str, Any]:
    """Optimizers as hyperparameters: ``optimizer.name``, ``optimizer.lr`` …; of several, ``optimizer.0.lr`` ….

    Args:
        optimizers: torch optimizers, bare or wrapped.

    Returns:
        Flat names and values. Where the parameter groups differ, the value stands under ``groups.<number>``.
    """
    params: dict[str, Any] = {}
    for index, optimizer in enumerate(map(_unwrapped, optimizers)):
        prefix = "optimizer." if len(optimizers) == 1 else f"optimizer.{index}."
        params[f"{prefix}name"] = type(optimizer).__name__
        groups = [_options(group) for group in optimizer.param_groups]
        for option in dict.fromkeys(option for group in groups for option in group):
            values = [group.get(option) for group in groups]
            if all(value == values[0] for value in values):
                params[prefix + option] = values[0]
            else:
                params.update({f"{prefix}groups.{number}.{option}": value for number, value in enumerate(values)})
    return params


def optimizer_facts(optimizers: Iterable[Any]) -> list[dict[str, Any]]:
    """Every optimizer in full: its class, defaults, and each group's options and size."""
    return [
        {
            "class": _class_name(optimizer),
            "defaults": _options(getattr(optimizer, "defaults", {})),
            "groups": [
                {
                    **_options(group),
                    "tensors": len(group["params"]),
                    "parameters": sum(map(_count, group["params"])),
                }
                for group in optimizer.param_groups
            ],
        }
        for optimizer in map(_unwrapped, optimizers)
    ]


def scheduler_fact(scheduler: Any) -> dict[str, Any]:
    """A learning-rate scheduler: its class, and the plain values it was made with."""
    scheduler = getattr(scheduler, "scheduler", scheduler)
    own = plain_attributes(scheduler)
    own.pop("last_epoch", None)
    return {"class": _class_name(scheduler), **own}


def plain_attributes(instance: Any) -> dict[str, Any]:
    """Public attributes that hold plain values or lists of them."""
    return {name: value for name, value in vars(instance).items() if name[0] != "_" and _is_plain(value)}


def learning_rates(optimizers: Iterable[Any]) -> dict[str, Any]:
    """The learning rate of every parameter group, named like Lightning's ``LearningRateMonitor`` does.

    Args:
        optimizers: torch optimizers.

    Returns:
        ``lr-Adam``; of several groups ``lr-Adam/pg1``, ``lr-Adam/pg2``; of a second Adam ``lr-Adam-1``. A rate that
        lives on a GPU is left out: reading it would wait for the GPU.
    """
    rates: dict[str, Any] = {}
    seen: dict[str, int] = {}
    for optimizer in optimizers:
        name = f"lr-{type(optimizer).__name__}"
        count = seen[name] = seen.get(name, -1) + 1
        if count:
            name = f"{name}-{count}"
        groups = optimizer.param_groups
        for index, group in enumerate(groups, 1):
            rate = group.get("lr")
            if rate is None or (type(rate) is not float and _is_elsewhere(rate)):
                continue
            own = group.get("name", f"pg{index}" if len(groups) > 1 else None)
            rates[name if own is None else f"{name}/{own}"] = rate
    return rates


def length(data: Any) -> int | None:
    """Length of a data set or loader; ``None`` where it has none, as an iterable data set."""
    try:
        return len(data)
    except (TypeError, NotImplementedError):
        return None


def _options(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _option(value) for name, value in group.items() if name not in ("params", "param_names")}


def _option(value: Any) -> Any:
    """An option as a plain value; a learning rate may be a tensor, which must not be compared or waited for."""
    if not hasattr(value, "item"):
        return value
    return "on another device" if _is_elsewhere(value) else value.item() if value.numel() == 1 else repr(value)


def _is_elsewhere(value: Any) -> bool:
    device = getattr(value, "device", None)
    return device is not None and getattr(device, "type", "cpu") != "cpu"


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(isinstance(part, _PLAIN) for part in value)
    return value is None or isinstance(value, _PLAIN)


def _unwrapped(optimizer: Any) -> Any:
    """The torch optimizer inside accelerate's or DeepSpeed's."""
    inner = getattr(optimizer, "optimizer", optimizer)
    return inner if hasattr(inner, "param_groups") else optimizer


def parameter_count(tensor: Any) -> int:
    """Elements of a parameter or buffer over all ranks; 0 where a lazy module has not made it yet."""
    return _count(tensor)


def _count(tensor: Any) -> int:
    """Elements of a tensor; DeepSpeed and FSDP keep the true number of a sharded one in attributes."""
    whole = getattr(tensor, "ds_numel", None)
    if whole is not None:
        return int(whole)
    parts = getattr(tensor, "_numels", None) if type(tensor).__name__ == "FlatParameter" else None
    if parts is not None:
        return int(sum(parts))
    try:
        return math.prod(tensor.shape)
    except RuntimeError:  # a lazy module's parameter has no shape yet
        return 0


def own_class(instance: Any) -> type:
    """The class of a module or optimizer as the program has it: FSDP's second version replaces it by one of its own."""
    kind = type(instance)
    if kind.__module__.startswith("torch.distributed.fsdp.") and len(kind.__bases__) == 2:
        return kind.__bases__[1]
    return kind


def _class_name(instance: Any) -> str:
    kind = own_class(instance)
    return f"{kind.__module__}.{kind.__qualname__}"
