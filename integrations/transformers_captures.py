"""What the integration of transformers says it records; see :mod:`autolog.captures`."""

from autolog.captures import Captured

__all__ = ["CAPTURES"]

_SPEEDS = ("autolog/steps_per_second", "autolog/samples_per_second", "autolog/tokens_per_second")

CAPTURES = (
    Captured("each `train`, named after the model's class", "child", ("fit",)),
    Captured("each `evaluate` and `predict` outside of one", "child", ("evaluate", "predict"), "when called"),
    Captured("`TrainingArguments`, without tokens", "params", ("transformers.TrainingArguments",)),
    Captured("those of them that are not the defaults", "fact", ("changed_arguments",)),
    Captured("configuration, where it is not its class's: `config.*`", "params", ("transformers.config",)),
    Captured("adapters: `peft.<adapter>.*`", "params", ("peft",), "with PEFT"),
    Captured("class, parameter counts, trainable ones, dtype, adapters", "fact", ("model",)),
    Captured("names of the classes", "fact", ("labels",), "of classifiers"),
    Captured("how texts are generated", "fact", ("generation_config",), "of generative models"),
    Captured("optimizer: `optimizer.*`", "params", ("transformers.optimizer",)),
    Captured("optimizer and scheduler in full", "fact", ("optimizers", "schedulers")),
    Captured("the trainer's class, collator, functions, rewards, reference model", "fact", ("trainer",)),
    Captured("tokenizer, processor: class, sizes, special tokens, template", "fact", ("processing_class",), "if given"),
    Captured("callbacks and what they were made with", "fact", ("callbacks",)),
    Captured("batches, rows, batch size", "fact", ("data",)),
    Captured("data: columns, rows, fingerprint", "asset", ("train_dataset", "eval_dataset*", "test_dataset")),
    Captured("what the trainer logs in training", "metric", ("loss", "grad_norm", "learning_rate")),
    Captured("evaluations, with what `compute_metrics` gives", "metric", ("eval_loss", "eval_*_per_second")),
    Captured("the trainer's summary", "metric", ("train_loss", "train_*_per_second", "train_runtime", "total_flos")),
    Captured("speed since the last logged loss", "metric", _SPEEDS, "rows, tokens: where batches tell"),
    Captured("tokens seen, as the trainer counts", "metric", ("num_input_tokens_seen",), "if it is told to count"),
    Captured("steps and epochs to go and done, FLOPs, best checkpoint", "fact", ("training",)),
    Captured("each checkpoint: place, size, files", "asset", ("checkpoint-*",), "when saved"),
    Captured("checkpoints with step, the best one, those removed", "fact", ("checkpoints",), "when saved"),
    Captured("those that made room for others", "fact", ("removed_checkpoints",), "with `save_total_limit`"),
    Captured("the best checkpoint", "asset", ("best",), "with `metric_for_best_model`"),
    Captured("checkpoint, step, epoch that training goes on from", "fact", ("resumed",), "when resumed"),
)
