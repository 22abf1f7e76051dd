"""Fine-tunes a small encoder with low-rank adapters to tell good reviews from bad ones, as the task's examples do."""

import random
import sys
from dataclasses import dataclass, field

import numpy as np
from datasets import Dataset, DatasetDict
from peft import LoraConfig, TaskType, get_peft_model
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DataCollatorWithPadding,
    EarlyStoppingCallback,
    HfArgumentParser,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
    set_seed,
)

GOOD = "great lovely moving funny clever warm bright honest brilliant tender".split()
BAD = "dull slow loud empty silly cold grim clumsy boring flat".split()
REST = "the film plot cast music story was and is a very quite rather with its".split()


@dataclass
class ModelArguments:
    hidden_size: int = field(default=32, metadata={"help": "Width of the encoder."})
    layers: int = field(default=2, metadata={"help": "Layers of the encoder."})
    rank: int = field(default=4, metadata={"help": "Rank of the adapters."})


@dataclass
class DataArguments:
    rows: int = field(default=400, metadata={"help": "How many reviews are written."})
    max_length: int = field(default=24, metadata={"help": "Longer reviews are cut."})


def write_reviews(rows):
    writer = random.Random(11)
    texts, labels = [], []
    for number in range(rows):
        label = number % 2
        words = writer.choices(REST, k=writer.randint(4, 12)) + writer.choices(GOOD if label else BAD, k=2)
        writer.shuffle(words)
        texts.append(" ".join(words))
        labels.append(label)
    return Dataset.from_dict({"text": texts, "label": labels})


def build_tokenizer(texts):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=200, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=64,
    )  # fmt: skip


def compute_metrics(eval_pred):
    logits, labels = eval_pred
    predictions = np.argmax(logits, axis=-1)
    right = predictions == labels
    found = ((predictions == 1) & right).sum()
    return {"accuracy": right.mean(), "recall": found / max((labels == 1).sum(), 1)}


def main():
    parser = HfArgumentParser((ModelArguments, DataArguments, TrainingArguments))
    model_args, data_args, training_args = parser.parse_args_into_dataclasses()
    set_seed(training_args.seed)

    reviews = write_reviews(data_args.rows).train_test_split(test_size=0.25, seed=1)
    held_out = reviews["test"].train_test_split(test_size=0.5, seed=1)
    raw = DatasetDict(train=reviews["train"], validation=held_out["train"], test=held_out["test"])
    tokenizer = build_tokenizer(raw["train"]["text"])

    def preprocess(examples):
        return tokenizer(examples["text"], truncation=True, max_length=data_args.max_length)

    tokenized = raw.map(preprocess, batched=True, remove_columns=["text"])

    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=model_args.hidden_size, num_hidden_layers=model_args.layers,
        num_attention_heads=4, intermediate_size=64, max_position_embeddings=64, id2label={0: "bad", 1: "good"},
        label2id={"bad": 0, "good": 1},
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    adapters = LoraConfig(
        task_type=TaskType.SEQ_CLS, r=model_args.rank, lora_alpha=16, lora_dropout=0.05,
        target_modules=["query", "value"], modules_to_save=["classifier"],
    )  # fmt: skip
    model = get_peft_model(model, adapters)
    model.print_trainable_parameters()

    trainer = Trainer(
        model=model,
        args=training_args,
        train_dataset=tokenized["train"],
        eval_dataset=tokenized["validation"],
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=compute_metrics,
        callbacks=[EarlyStoppingCallback(early_stopping_patience=3)],
    )
    result = trainer.train(resume_from_checkpoint=training_args.resume_from_checkpoint)
    trainer.save_model()
    trainer.log_metrics("train", result.metrics)
    trainer.save_metrics("train", result.metrics)
    trainer.save_state()

    metrics = trainer.evaluate(tokenized["validation"])
    trainer.save_metrics("eval", metrics)
    predictions = trainer.predict(tokenized["test"])
    trainer.save_metrics("predict", predictions.metrics)
    return 0


if __name__ == "__main__":
    sys.exit(main())
