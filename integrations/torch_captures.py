"""What the integration of PyTorch says it records."""

from __future__ import annotations

from autolog.captures import Captured

__all__ = ["CAPTURES"]

_LOSSES = (
    Captured("each training, named after the model's class, else the optimizer's", "child", ("fit",)),
    Captured("each loss that is backpropagated, under its variable's name", "metric", ("*loss*",)),
    Captured(
        "the losses that it is the sum of, under their variables' names",
        "metric",
        ("*_loss",),
        "the sum is made in the function that calls `backward`",
    ),
    Captured(
        "losses that are backpropagated in evaluation mode",
        "metric",
        ("eval_*",),
        "the model is trained in training mode",
    ),
)
_STEPS = (
    Captured("the learning rate of every parameter group, at every step", "metric", ("lr-*",)),
    Captured("the gradient norm that `clip_grad_norm_` has found", "metric", ("grad_norm",), "it is called"),
    Captured("the scale of `GradScaler`", "metric", ("amp_scale",), "there is one"),
    Captured(
        "how many steps `GradScaler` has left out so far", "metric", ("autolog/skipped_steps",), "one was left out"
    ),
    Captured(
        "rows per second of each pass, and every 30 s in a long one",
        "metric",
        ("autolog/samples_per_second",),
        "a `DataLoader` with a batch size",
    ),
)
_FACTS = (
    Captured("every optimizer: class, defaults, options of its groups", "params", ("torch.optim",)),
    Captured("the same in full, with the sizes of the groups", "fact", ("optimizers",)),
    Captured("schedulers", "params", ("torch.optim.lr_scheduler",), "there are any"),
    Captured("the same in full", "fact", ("schedulers",), "there are any"),
    Captured(
        "the model: class, modules, a tree of shapes and counts of parameters, what it is wrapped in",
        "fact",
        ("model",),
        "a variable of the program holds it",
    ),
    Captured("since which step the model is in training or evaluation mode", "fact", ("modes",), "it changes"),
    Captured("batches, batch size, rows, workers of the loader", "fact", ("data",), "a `DataLoader`"),
    Captured(
        "the same of loaders that are read without gradients, or in evaluation mode",
        "fact",
        ("evaluation_data",),
        "there are any",
    ),
)
_FILES = (
    Captured(
        "files of `torch.save` (a path or an open file), safetensors, distributed checkpoints: place, size, up to "
        "4 MiB the hash",
        "asset",
        ("*.pt", "*.safetensors"),
        "any are saved",
    ),
)
CAPTURES = (*_LOSSES, *_STEPS, *_FACTS, *_FILES)
