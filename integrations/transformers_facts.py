"""What a transformers trainer says about itself: its arguments, model, optimizer, parts and how far it came."""

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

__all__ = ["log_arguments", "log_begin", "log_model", "processing_fact", "trainer_fact", "training_fact"]

_LABELS = ("id2label", "label2id")
_TEMPLATE = 20_000


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
    log_model(run, handler.model)
    run.log_fact("training", training_fact(state))
    if hasattr(handler.optimizer, "param_groups"):
        run.log_params(optimizer_params([handler.optimizer]), "transformers.optimizer")
        run.log_fact("optimizers", optimizer_facts([handler.optimizer]))
    if handler.lr_scheduler is not None:
        run.log_fact("schedulers", [scheduler_fact(handler.lr_scheduler)])
    run.log_fact("callbacks", [{"class": type(one).__name__, **plain_attributes(one)} for one in handler.callbacks])
    processing = getattr(handler, "processing_class", None)
    if processing is not None:
        run.log_fact("processing_class", processing_fact(processing))
    loader = handler.train_dataloader
    data = {"train_batches": length(loader), "train_rows": length(getattr(loader, "dataset", None))}
    run.log_fact("data", {**data, "train_batch_size": state.train_batch_size})


def log_model(run: Run, model: Any) -> None:
    """Record the model's size as a fact and its configuration as parameters ``config.…``, of adapters ``peft.…``."""
    fact = model_fact(model)
    config: Any = getattr(model, "config", None)
    adapters = getattr(model, "peft_config", None)
    if isinstance(adapters, Mapping) and adapters:
        run.log_params({"peft": dict(adapters)}, "peft")
        fact["adapters"] = list(adapters)
        fact["base_model"] = _class_name(model.get_base_model()) if hasattr(model, "get_base_model") else None
    name = getattr(config, "_name_or_path", None)
    if name:
        fact["name_or_path"] = name
    first = next(iter(model.parameters()), None)
    if first is not None:
        fact["dtype"], fact["device"] = str(first.dtype), str(first.device)
    run.log_fact("model", fact)
    if hasattr(config, "to_diff_dict"):
        values = config.to_diff_dict()
        # A parameter for every class name would bury the others.
        labels = {name: values.pop(name) for name in _LABELS if name in values}
        if labels:
            run.log_fact("labels", labels)
        run.log_params({"config": values}, "transformers.config")
    generation: Any = getattr(model, "generation_config", None)
    if hasattr(generation, "to_diff_dict"):
        run.log_fact("generation_config", generation.to_diff_dict())


def training_fact(state: Any) -> dict[str, Any]:
    """How far training has come and is to go, and the best checkpoint so far."""
    names = (
        "global_step", "epoch", "max_steps", "num_train_epochs", "total_flos", "num_input_tokens_seen", "best_metric",
        "best_global_step", "best_model_checkpoint", "trial_name",
    )  # fmt: skip
    return {name: value for name in names if (value := getattr(state, name, None)) is not None}


def trainer_fact(trainer: Any) -> dict[str, Any]:
    """A trainer's class and the parts it was given: collator, functions, rewards, reference model."""
    told: dict[str, Any] = {"class": _class_name(trainer)}
    collator = getattr(trainer, "data_collator", None)
    if collator is not None:
        told["data_collator"] = _part(collator)
    for name in ("compute_metrics", "compute_loss_func", "preprocess_logits_for_metrics", "model_init"):
        part = getattr(trainer, name, None)
        if part is not None:
            told[name] = _name_of(part)
    rewards = getattr(trainer, "reward_func_names", None)
    if isinstance(rewards, list):
        told["reward_functions"] = list(rewards)
    reference = getattr(trainer, "ref_model", None)
    if hasattr(reference, "parameters"):
        told["reference_model"] = _class_name(reference)
    return told


def processing_fact(processing: Any) -> dict[str, Any]:
    """A tokenizer, image processor, feature extractor, or a processor made of these."""
    told: dict[str, Any] = {"class": _class_name(processing)}
    names = (
        "name_or_path", "is_fast", "vocab_size", "model_max_length", "padding_side", "truncation_side", "size",
        "do_resize", "do_normalize", "image_mean", "image_std", "sampling_rate",
    )  # fmt: skip
    told |= {name: value for name in names if (value := getattr(processing, name, None)) is not None}
    if hasattr(processing, "special_tokens_map"):
        told["special_tokens"] = jsonable(processing.special_tokens_map)
        told["tokens"] = length(processing)
    template = getattr(processing, "chat_template", None)
    if template:
        told["chat_template"] = jsonable(template, _TEMPLATE)
    for name in ("tokenizer", "image_processor", "feature_extractor"):
        part = getattr(processing, name, None)
        if part is not None and part is not processing and type(part).__module__.partition(".")[0] != "tokenizers":
            told[name] = processing_fact(part)
    return told


def _part(part: Any) -> dict[str, Any]:
    plain = plain_attributes(part) if hasattr(part, "__dict__") and not hasattr(part, "__qualname__") else {}
    return {"class": _name_of(part), **plain}


def _name_of(part: Any) -> str:
    """A function's or class's own name, an object's class."""
    named = part if hasattr(part, "__qualname__") else type(part)
    return f"{named.__module__}.{named.__qualname__}"


def _class_name(instance: Any) -> str:
    return f"{type(instance).__module__}.{type(instance).__qualname__}"


def _is_default(value: Any, plain: Any, field: dataclasses.Field[Any]) -> bool:
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    elif field.name == "accelerator_config" and value is not None:
        default = type(value)()
    if default is dataclasses.MISSING:
        return False
    # The trainer writes out what it was not given: `None` becomes False or a dict of it, "none" and "" an empty list.
    empty = not any(value.values()) if isinstance(value, dict) else not value
    return bool(plain == jsonable(default)) or (empty and (default is None or default in ("", "none")))
