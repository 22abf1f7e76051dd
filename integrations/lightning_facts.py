"""What a Lightning trainer, module and callbacks say about themselves, read from their attributes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from autolog.integrations.lightning_values import settled
from autolog.integrations.torch_facts import (
    length,
    optimizer_facts,
    optimizer_params,
    plain_attributes,
    scheduler_fact,
)

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["callback_fact", "data_fact", "hyperparameters", "optimizer_records", "trainer_params", "training_fact"]

_TRAINER = (
    "max_epochs", "min_epochs", "max_steps", "min_steps", "accumulate_grad_batches", "gradient_clip_val",
    "gradient_clip_algorithm", "log_every_n_steps", "check_val_every_n_epoch", "val_check_interval",
    "num_sanity_val_steps", "limit_train_batches", "limit_val_batches", "limit_test_batches",
    "limit_predict_batches", "overfit_batches", "fast_dev_run", "barebones", "num_nodes", "num_devices",
    "world_size", "precision", "reload_dataloaders_every_n_epochs",
)  # fmt: skip
_SCORES = ("best_score", "best_model_score", "current_score")
_TOOLS = ("ProgressBar", "ModelSummary")


def hyperparameters(model: Any, datamodule: Any) -> dict[str, dict[str, Any]]:
    """What ``save_hyperparameters`` has kept in the module and the data module, by where it was read."""
    # The attribute, not the property `hparams`, which would create it.
    found = {
        "lightning.module": vars(model).get("_hparams"),
        "lightning.datamodule": vars(datamodule).get("_hparams") if datamodule is not None else None,
    }
    return {
        source: {name: value for name, value in values.items() if name not in ("_class_path", "_instantiator")}
        for source, values in found.items()
        if values
    }


def trainer_params(trainer: Any) -> dict[str, Any]:
    """The trainer's arguments as it has understood them, ``trainer.max_epochs`` and so on."""
    params = {name: getattr(trainer, name, None) for name in _TRAINER}
    params["strategy"] = type(trainer.strategy).__name__
    params["accelerator"] = type(trainer.accelerator).__name__
    return {f"trainer.{name}": value for name, value in params.items() if value is not None}


def optimizer_records(run: Run, trainer: Any) -> None:
    """Record every optimizer and scheduler of a fit: parameters to compare by, and facts in full."""
    if not trainer.optimizers:
        return
    run.log_params(optimizer_params(trainer.optimizers), "lightning.optimizers")
    run.log_fact("optimizers", optimizer_facts(trainer.optimizers))
    configs = trainer.lr_scheduler_configs
    if not configs:
        return
    run.log_fact("schedulers", [_scheduler(config) for config in configs])
    params: dict[str, Any] = {}
    for index, config in enumerate(configs):
        prefix = "scheduler." if len(configs) == 1 else f"scheduler.{index}."
        params |= {prefix + name: value for name, value in _scheduler_params(config).items()}
    run.log_params(params, "lightning.schedulers")


def _scheduler(config: Any) -> dict[str, Any]:
    fact = {**scheduler_fact(config.scheduler)}
    parts = getattr(config.scheduler, "_schedulers", None)  # SequentialLR, ChainedScheduler
    if isinstance(parts, (list, tuple)):
        fact["parts"] = [scheduler_fact(part) for part in parts]
    settings = ("interval", "frequency", "monitor", "strict", "reduce_on_plateau", "name")
    return fact | {name: getattr(config, name) for name in settings if hasattr(config, name)}


def _scheduler_params(config: Any) -> dict[str, Any]:
    """Class, how often it steps, and those of its arguments that it keeps under their names."""
    kind = type(config.scheduler)
    kept = plain_attributes(config.scheduler)
    own = {name: kept[name] for name in inspect.signature(kind).parameters if name in kept and name != "last_epoch"}
    told = {"name": kind.__name__, **own, "interval": config.interval, "frequency": config.frequency}
    return told if config.monitor is None else told | {"monitor": config.monitor}


def data_fact(trainer: Any) -> dict[str, Any]:
    """Batches, rows, batch size and data set of the loaders of what the trainer is doing."""
    kind = str(getattr(trainer.state.fn, "value", "fit"))
    if kind != "fit":
        stage = "val" if kind == "validate" else kind
        batches = getattr(trainer, f"num_{stage}_batches")
        loaders = trainer.predict_dataloaders if kind == "predict" else getattr(trainer, f"{stage}_dataloaders")
        return {f"{stage}_batches": list(batches), stage: _loaders(loaders)}
    own = _loaders(trainer.train_dataloader)
    first: dict[str, Any] = own if isinstance(own, dict) and "rows" in own else {}
    told = {
        "train_batches": trainer.num_training_batches,
        "val_batches": list(trainer.num_val_batches),
        "batch_size": first.get("batch_size"),
        "train_rows": first.get("rows"),
        "train": own,
    }
    return told if trainer.val_dataloaders is None else told | {"val": _loaders(trainer.val_dataloaders)}


def _loaders(loaders: Any) -> Any:
    """Facts of a loader, or of a list or dict of them, as the program has arranged them."""
    if isinstance(loaders, dict):
        return {str(name): _loaders(loader) for name, loader in loaders.items()}
    if isinstance(loaders, (list, tuple)):
        return [_loaders(loader) for loader in loaders]
    dataset = getattr(loaders, "dataset", None)
    told = {"type": type(loaders).__name__, "rows": length(dataset), "batch_size": getattr(loaders, "batch_size", None)}
    more = {"dataset": type(dataset).__name__, "sampler": type(getattr(loaders, "sampler", None)).__name__}
    workers, drop_last = getattr(loaders, "num_workers", None), getattr(loaders, "drop_last", None)
    return told | more | {"workers": workers, "drop_last": drop_last} if dataset is not None else told


def training_fact(trainer: Any, batches: int) -> dict[str, Any]:
    """How far a fit that has ended came, and what ended it.

    Args:
        trainer: after its fit.
        batches: training batches of this fit.
    """
    loop = trainer.fit_loop
    told: dict[str, Any] = {"steps": trainer.global_step, "epochs": trainer.current_epoch, "batches": batches}
    if loop.max_steps is not None and 0 <= loop.max_steps <= trainer.global_step:
        told["stopped_by"] = "max_steps"
    elif loop.max_epochs not in (None, -1) and loop.epoch_progress.current.processed >= loop.max_epochs:
        told["stopped_by"] = "max_epochs"
    elif trainer.should_stop:
        told["stopped_by"] = next((name for name, stops in _stoppers(trainer) if stops), "trainer.should_stop")
    return told


def _stoppers(trainer: Any) -> Iterable[tuple[str, bool]]:
    for callback in trainer.callbacks:
        name = type(callback).__name__
        if hasattr(callback, "stopping_reason"):
            yield name, _reason(callback) is not None
        elif hasattr(callback, "wait_count"):  # before Lightning 2.6
            yield name, bool(callback.stopped_epoch) or callback.wait_count >= callback.patience
        elif name == "Timer":
            left = callback.time_remaining()
            yield name, left is not None and left <= 0


def _reason(callback: Any) -> str | None:
    name = getattr(getattr(callback, "stopping_reason", None), "name", "NOT_STOPPED")
    return None if name == "NOT_STOPPED" else str(name).lower()


def callback_fact(callbacks: Iterable[Any]) -> list[dict[str, Any]]:
    """Every callback's class and plain attributes; of early stopping and checkpoints also what they found best."""
    facts = []
    for callback in callbacks:
        name = type(callback).__name__
        told: dict[str, Any] = {"class": name}
        if not name.endswith(_TOOLS):
            told |= {key: value for key, value in plain_attributes(callback).items() if value not in (None, "")}
            told |= {
                key: settled(getattr(callback, key)) for key in _SCORES if getattr(callback, key, None) is not None
            }
            if (reason := _reason(callback)) is not None:
                told["stopping_reason"] = reason
        facts.append(told)
    return facts
