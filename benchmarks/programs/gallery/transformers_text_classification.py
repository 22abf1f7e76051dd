"""A small BERT from scratch on sentences made here, with evaluation, best model, early stopping."""

import random

import numpy as np
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    EarlyStoppingCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)


class Sentences(torch.utils.data.Dataset):
    def __init__(self, count, seed):
        chance = random.Random(seed)
        self.rows = []
        for _ in range(count):
            label = chance.randint(0, 1)
            words = [chance.randint(10, 40) for _ in range(10)] + [chance.randint(50 + 10 * label, 59 + 10 * label)] * 2
            chance.shuffle(words)
            self.rows.append((words, label))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        words, label = self.rows[index]
        return {"input_ids": [1, *words, 2], "labels": label}


def metrics(prediction):
    guess = np.argmax(prediction.predictions, axis=1)
    return {"accuracy": float((guess == prediction.label_ids).mean())}


def main():
    set_seed(11)
    config = BertConfig(
        vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, num_labels=2
    )
    arguments = TrainingArguments(
        "out", num_train_epochs=3, per_device_train_batch_size=16, learning_rate=1e-3, warmup_steps=10,
        eval_strategy="epoch", save_strategy="epoch", load_best_model_at_end=True, metric_for_best_model="accuracy",
        logging_steps=10, use_cpu=True, weight_decay=0.01,
    )  # fmt: skip
    trainer = Trainer(
        BertForSequenceClassification(config), arguments, train_dataset=Sentences(400, 0),
        eval_dataset=Sentences(100, 1), compute_metrics=metrics, callbacks=[EarlyStoppingCallback(3)],
    )  # fmt: skip
    trainer.train()
    print(trainer.evaluate())
    print(trainer.predict(Sentences(20, 2)).predictions.round(5).tolist())
    print(
        trainer.state.best_metric,
        trainer.state.global_step,
        [type(c).__name__ for c in trainer.callback_handler.callbacks],
    )


if __name__ == "__main__":
    main()
