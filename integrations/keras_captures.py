"""What the Keras integration says it captures."""

from __future__ import annotations

from autolog.captures import Captured

__all__ = ["CAPTURES"]

CAPTURES = (
    Captured("each outermost `fit`, named as the model", "child", ("fit",)),
    Captured(
        "`evaluate` outside of fit's own validation, with the values it returns",
        "child",
        ("evaluate",),
        "`evaluate` is called",
    ),
    Captured("a loop over `train_on_batch`, one for each model", "child", ("fit",), "a loop of your own"),
    Captured(
        "a loop over `optimizer.apply` or `stateless_apply`, named as the model",
        "child",
        ("fit",),
        "a loop of your own",
    ),
    Captured("arguments of `fit`, `batch_size`, `epochs` …", "params", ("keras.fit",)),
    Captured("arguments of `evaluate`", "params", ("keras.evaluate",), "`evaluate` is called"),
    Captured(
        "what `compile` was given, and every optimizer's configuration (`optimizer.*`, schedules too)",
        "params",
        ("keras.compile",),
    ),
    Captured("every optimizer's configuration", "params", ("keras.optimizer",), "a loop over `optimizer.apply`"),
    Captured(
        "type, shape, dtype of the data; batch size, batches and rows, and how Keras reads them", "fact", ("data",)
    ),
    Captured("class, backend, layers, parameter counts, `summary()`", "fact", ("model",)),
    Captured(
        "the model as JSON, for `keras.models.model_from_json`",
        "asset",
        ("architecture.json",),
        "all of the model is Keras' own",
    ),
    Captured("epochs asked for and done, first epoch, steps done, whether it was stopped early", "fact", ("training",)),
    Captured("`loss` and every other value of an epoch", "metric", ("loss",)),
    Captured("values of the validation", "metric", ("val_*",), "there is validation data"),
    Captured("values of each batch, the means since the epoch began", "metric", ("batch_*",)),
    Captured(
        "learning rate: with a schedule at every batch, else at each epoch and whenever it is set",
        "metric",
        ("learning_rate",),
    ),
    Captured(
        "learning rate of each part of a `MultiOptimizer`, and of optimizers of the model's own",
        "metric",
        ("learning_rate_*",),
        "several optimizers",
    ),
    Captured("updates that each optimizer has made", "fact", ("optimizers",), "optimizers of the model's own"),
    Captured("the scale of the loss", "metric", ("dynamic_scale",), "`mixed_float16`"),
    Captured(
        "callbacks: arguments and what they did (stopped, best, restored epoch; files; reduced learning rates)",
        "fact",
        ("callbacks",),
        "callbacks are given",
    ),
    Captured(
        "files of `ModelCheckpoint`, `model.save`, `save_weights`: place, size, up to 4 MiB the hash; score, epoch",
        "asset",
        ("*.keras", "*.weights.h5"),
        "files are saved",
    ),
    Captured(
        "losses that are backpropagated, under their variables' names",
        "metric",
        ("*_loss",),
        "a loop over `optimizer.apply` on torch",
    ),
    Captured("values of `test_on_batch` in a loop", "metric", ("test_*",), "`test_on_batch` is called"),
)
