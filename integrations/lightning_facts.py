"""What a Lightning trainer, module and callbacks say about themselves, read from their attributes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from autolog.integrations.torch_facts import model_fact, optimizer_facts, optimizer_params, scheduler_fact

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["callback_fact", "hyperparameters", "stage_facts", "trainer_params"]

_TRAINER = (
    "max_epochs", "min_epochs", "max_steps", "min_steps", "accumulate_grad_batches", "gradient_clip_val",
    "gradient_clip_algorithm", "log_every_n_steps", "check_val_every_n_epoch", "val_check_interval",
    "num_sanity_val_steps", "limit_train_batches", "limit_val_batches", "limit_test_batches",
    "limit_predict_batches", "overfit_batches", "fast_dev_run", "barebones", "num_nodes", "num_devices",
    "world_size", "precision",
)  # fmt: skip
_END = (
    "monitor", "mode", "patience", "min_delta", "wait_count", "stopped_epoch", "best_score", "best_model_path",
    "best_model_score", "last_model_path", "save_top_k", "dirpath",
)  # fmt: skip


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


def stage_facts(run: Run, trainer: Any) -> None:
    """Record the model, and in a fit the optimizers and schedulers: everything is set up and restored by now."""
    run.log_fact("model", model_fact(trainer.lightning_module))
    if trainer.state.fn != "fit" or not trainer.optimizers:
        return
    run.log_params(optimizer_params(trainer.optimizers), "lightning.optimizers")
    run.log_fact("optimizers", optimizer_facts(trainer.optimizers))
    configs = trainer.lr_scheduler_configs
    if configs:
        facts = [
            {
                **scheduler_fact(config.scheduler),
                "interval": config.interval,
                "frequency": config.frequency,
                "monitor": config.monitor,
            }
            for config in configs
        ]
        run.log_fact("schedulers", facts)
        names = [fact["class"].rpartition(".")[2] for fact in facts]
        run.log_params({"scheduler.name": names[0] if len(names) == 1 else names}, "lightning.schedulers")


def callback_fact(callbacks: Iterable[Any]) -> list[dict[str, Any]]:
    """Every callback's class, and for early stopping and checkpoints what they watched and found best."""
    return [
        {"class": type(callback).__name__}
        | {
            name: _plain(getattr(callback, name, None))
            for name in (_END if hasattr(callback, "monitor") else ())
            if getattr(callback, name, None) not in (None, "")
        }
        for callback in callbacks
    ]


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") and value.numel() == 1 else value
