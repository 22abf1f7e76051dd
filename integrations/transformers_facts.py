"""What a transformers trainer says about itself: its arguments, model, optimizer, data and how far it came."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autolog.integrations.torch_facts import (
    length,
    model_fact,
    optimizer_facts,
    optimizer_params,
    plain_attributes,
    scheduler_fact,
)
from autolog.media.jsonable import jsonable

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["log_arguments", "log_begin", "training_fact"]

_LABELS = ("id2label", "label2id")


def log_arguments(run: Run, args: Any, *, all_of_them: bool = True) -> None:
    """Record the training arguments.

    Args:
        run: where.
        args: ``TrainingArguments``.
        all_of_them: otherwise only those that are not the defaults, which the fact ``changed_arguments`` always has.
    """
    values: dict[str, Any] = {}
    changed: dict[str, Any] = {}
    for field in dataclasses.fields(args):
        # Fields that __init__ does not take are the trainer's own; tokens are nobody's business.
        if not field.init or field.name.endswith("_token"):
            continue
        value = getattr(args, field.name)
        plain = values[field.name] = jsonable(value)
        if not _is_default(value, plain, field):
            changed[field.name] = plain
    run.log_params(values if all_of_them else changed, "transformers.TrainingArguments")
    run.log_fact("changed_arguments", changed)


def log_begin(run: Run, state: Any, handler: Any) -> None:
    """Record what is settled once training begins.

    Args:
        run: where.
        state: the trainer's state.
        handler: its callback handler, which holds model, optimizer, scheduler and data.
    """
    callbacks = getattr(handler, "callbacks", ())
    _log_model(run, handler.model)
    run.log_fact("training", training_fact(state))
    if hasattr(handler.optimizer, "param_groups"):
        run.log_params(optimizer_params([handler.optimizer]), "transformers.optimizer")
        run.log_fact("optimizers", optimizer_facts([handler.optimizer]))
    if handler.lr_scheduler is not None:
        run.log_fact("schedulers", [scheduler_fact(handler.lr_scheduler)])
    if callbacks:
        run.log_fact("callbacks", [{"class": type(one).__name__, **plain_attributes(one)} for one in callbacks])
    loader = handler.train_dataloader
    data = {"train_batches": length(loader), "train_rows": length(getattr(loader, "dataset", None))}
    run.log_fact("data", {**data, "train_batch_size": state.train_batch_size})


def _log_model(run: Run, model: Any) -> None:
    """Record the model's size as a fact and its configuration as parameters ``config.…``, of adapters ``peft.…``."""
    run.log_fact("model", model_fact(model))
    config: Any = getattr(model, "config", None)
    if hasattr(config, "to_diff_dict"):
        values = config.to_diff_dict()
        # A parameter for every class name would bury the others.
        labels = {name: values.pop(name) for name in _LABELS if name in values}
        if labels:
            run.log_fact("labels", labels)
        run.log_params({"config": values}, "transformers.config")
    adapters = getattr(model, "peft_config", None)
    if isinstance(adapters, Mapping) and adapters:
        run.log_params({"peft": dict(adapters)}, "peft")


def training_fact(state: Any) -> dict[str, Any]:
    """How far training has come and is to go, and the best checkpoint so far."""
    names = (
        "global_step", "epoch", "max_steps", "num_train_epochs", "total_flos", "best_metric", "best_global_step",
        "best_model_checkpoint", "trial_name",
    )  # fmt: skip
    return {name: value for name in names if (value := getattr(state, name, None)) is not None}


def _is_default(value: Any, plain: Any, field: dataclasses.Field[Any]) -> bool:
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    elif field.name == "accelerator_config" and value is not None:
        default = type(value)()
    if default is dataclasses.MISSING:
        return False
    # The trainer writes out what it was not given: `None` becomes False, "none" and "" an empty list.
    return bool(plain == jsonable(default)) or (not value and (default is None or default in ("", "none")))
