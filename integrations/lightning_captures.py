"""What the Lightning integrations record."""

from __future__ import annotations

from autolog.captures import Captured

__all__ = ["CAPTURES"]

CAPTURES = (
    Captured(
        "each outermost `fit`, `validate`, `test`, `predict`, named after the module's class",
        "child", ("fit", "validate", "test", "predict"), "it is called",
    ),
    Captured("hyperparameters of the module", "params", ("lightning.module",), "it calls `save_hyperparameters`"),
    Captured("hyperparameters of the data module", "params", ("lightning.datamodule",), "as for the module"),
    Captured("the trainer's arguments, as given and as it has understood them", "params", ("lightning.Trainer",)),
    Captured("the trainer's arguments that are not the defaults", "fact", ("changed_arguments",)),
    Captured("the parsed configuration of the command line", "params", ("lightning.cli",), "with `LightningCLI`"),
    Captured(
        "every optimizer: class, defaults, parameter groups; `optimizer.0.lr` … of several",
        "params", ("lightning.optimizers",), "fit",
    ),
    Captured("every optimizer in full", "fact", ("optimizers",), "fit"),
    Captured(
        "every scheduler: class, its arguments, interval, frequency, monitored metric",
        "params", ("lightning.schedulers",), "fit with schedulers",
    ),
    Captured("every scheduler in full", "fact", ("schedulers",), "fit with schedulers"),
    Captured("each value that is logged for steps: `loss`, `loss_step`", "metric", ("*loss*",), "the module logs it"),
    Captured("each value of an epoch: `loss_epoch`, `val_loss`", "metric", ("*_epoch", "val_*"), "the module logs it"),
    Captured("learning rate of every parameter group, as `LearningRateMonitor` names it", "metric", ("lr-*",), "fit"),
    Captured(
        "optimizer steps and rows per second of each epoch, validation left out",
        "metric", ("autolog/steps_per_second", "autolog/samples_per_second"), "fit",
    ),
    Captured("class, parameter counts, modules, the summary Lightning prints", "fact", ("model",)),
    Captured("batches, batch size, rows, data set of each loader", "fact", ("data",)),
    Captured("callbacks, their settings, what they found best, why one stopped", "fact", ("callbacks",), "fit"),
    Captured("steps, epochs and batches done, and what ended it", "fact", ("training",), "fit"),
    Captured(
        "the checkpoint a fit goes on from, at which step; or whose weights are judged",
        "fact", ("restored_checkpoint",), "with `ckpt_path`",
    ),
    Captured(
        "each checkpoint: step, epoch, score; at the end the best, the last, those removed",
        "fact", ("checkpoints",), "fit with checkpoints",
    ),
    Captured("files of checkpoints, by reference", "asset", ("*.ckpt",), "fit with checkpoints"),
    Captured("the best and the last checkpoint, by reference", "asset", ("best", "last"), "`ModelCheckpoint` has them"),
)  # fmt: skip
"""Of both packages."""
