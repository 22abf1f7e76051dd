"""What goes on record once about a training: its model, optimizers, schedulers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autolog.integrations.torch_facts import model_fact, optimizer_facts, optimizer_params, own_class, scheduler_fact
from autolog.integrations.torch_structure import structure

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["describe_model", "describe_optimizer", "describe_schedulers", "rate_names"]

_MODULES = 300
_OPTIMIZERS = 8


def describe_model(run: Run, model: Any, wrapped: Any) -> None:
    """Record the fact ``model``.

    Args:
        run: the training's run.
        model: the program's own module.
        wrapped: what the program trains: the module, or what DDP, FSDP, ``torch.compile`` made of it.
    """
    whole = _whole_count(wrapped)
    fact = {**model_fact(model), "training": bool(model.__dict__.get("training"))}
    modules = [[name, own_class(part).__name__] for name, part in model.named_modules() if name]
    fact["modules"] = modules[:_MODULES]
    if len(modules) > _MODULES:
        fact["modules_left_out"] = len(modules) - _MODULES
    if whole is None:
        fact["summary"] = structure(model)
    else:  # shapes and counts of the parts are those of this rank's shard
        fact |= {"parameters": whole, "sharded": True}
        for name in ("parts", "trainable_parameters"):
            fact.pop(name)
    if own_class(model) is not type(model):
        fact["wrapped_in"] = "fully_shard"
    elif wrapped is not model:
        fact["wrapped_in"] = type(wrapped).__name__
    run.log_fact("model", fact)


def _whole_count(wrapped: Any) -> int | None:
    """Parameters over all ranks of a module in FSDP's first version, which leaves its shards in their place."""
    handles = [
        handle
        for module in wrapped.modules()
        if type(module).__name__ == "FullyShardedDataParallel"
        and (handle := module.__dict__.get("_handle")) is not None
    ]
    return sum(sum(handle.flat_param._numels) for handle in handles) if handles else None  # noqa: SLF001  no other name


def describe_optimizer(run: Run, optimizer: Any, number: int, *, several: bool) -> dict[str, Any]:
    """Record an optimizer's parameters, and return what belongs in the fact ``optimizers``.

    Args:
        run: the training's run.
        optimizer: a torch optimizer.
        number: which of the training's optimizers it is.
        several: there is more than one, and names carry the number.
    """
    if number < _OPTIMIZERS:
        prefix = f"optimizer.{number}." if several else "optimizer."
        params = optimizer_params([optimizer])
        renamed = {prefix + name.removeprefix("optimizer."): value for name, value in params.items()}
        run.log_params(renamed, "torch.optim")
    return optimizer_facts([optimizer])[0]


def describe_schedulers(run: Run, schedulers: list[Any]) -> None:
    """Record the schedulers of a training."""
    facts = [scheduler_fact(each) for each in schedulers]
    run.log_fact("schedulers", facts)
    names = [type(each).__name__ for each in schedulers]
    params: dict[str, Any] = {"scheduler.name": names[0] if len(names) == 1 else names}
    if len(facts) == 1:
        params |= {f"scheduler.{name}": value for name, value in facts[0].items() if name != "class"}
    run.log_params(params, "torch.optim.lr_scheduler")


def rate_names(optimizer: Any, number: int) -> list[str]:
    """Names of the learning rates of an optimizer's groups, as Lightning's ``LearningRateMonitor`` gives them.

    Args:
        optimizer: a torch optimizer.
        number: how many of the same class come before it in the training.

    Returns:
        ``lr-Adam``; of several groups ``lr-Adam/pg1``, ``lr-Adam/pg2``, or their own names; of a second Adam
        ``lr-Adam-1``.
    """
    name = f"lr-{type(optimizer).__name__}" + (f"-{number}" if number else "")
    groups = optimizer.param_groups
    own = [group.get("name") for group in groups]
    if not all(isinstance(each, str) for each in own) or len(set(own)) < len(own):
        own = [f"pg{index}" if len(groups) > 1 else None for index in range(1, len(groups) + 1)]
    return [name if each is None else f"{name}/{each}" for each in own]
