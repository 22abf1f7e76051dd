"""Teaches a small encoder-decoder to write numbers as words; run again with ``--resume``, it goes on."""

import argparse
import json

import torch
from transformers import (
    DataCollatorForSeq2Seq,
    EvalPrediction,
    PreTrainedTokenizerFast,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    T5Config,
    T5ForConditionalGeneration,
)
from transformers.trainer_utils import get_last_checkpoint

WORDS = "zero one two three four five six seven eight nine".split()


def build_tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {word: number for number, word in enumerate(["<pad>", "</s>", "<unk>", *"0123456789", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


class Numbers(torch.utils.data.Dataset):
    def __init__(self, tokenizer, first, last):
        self.tokenizer = tokenizer
        self.numbers = list(range(first, last))

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, index):
        digits = str(self.numbers[index])
        words = [WORDS[int(digit)] for digit in digits]
        return {
            "input_ids": self.tokenizer(" ".join(digits) + " </s>")["input_ids"],
            "labels": self.tokenizer(" ".join(words) + " </s>")["input_ids"],
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--output", default="numbers")
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()

    tokenizer = build_tokenizer()
    model = T5ForConditionalGeneration(
        T5Config(
            vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4,
            decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
        )
    )  # fmt: skip

    def exact(prediction: EvalPrediction):
        labels = [[token for token in row if token > 1] for row in prediction.label_ids]
        guesses = [[token for token in row if token > 1] for row in prediction.predictions]
        return {"exact": sum(map(list.__eq__, guesses, labels)) / len(labels)}

    trainer = Seq2SeqTrainer(
        model=model,
        args=Seq2SeqTrainingArguments(
            output_dir=options.output,
            num_train_epochs=options.epochs,
            per_device_train_batch_size=16,
            learning_rate=3e-3,
            lr_scheduler_type="cosine",
            predict_with_generate=True,
            generation_max_length=6,
            include_num_input_tokens_seen="non_padding",
            eval_strategy="epoch",
            save_strategy="epoch",
            logging_steps=3,
        ),
        train_dataset=Numbers(tokenizer, 0, 100),
        eval_dataset={"two_digits": Numbers(tokenizer, 40, 60), "three_digits": Numbers(tokenizer, 100, 110)},
        processing_class=tokenizer,
        data_collator=DataCollatorForSeq2Seq(tokenizer, model),
        compute_metrics=exact,
    )
    trainer.train(resume_from_checkpoint=get_last_checkpoint(options.output) if options.resume else None)
    print(json.dumps({"step": trainer.state.global_step, "flos": trainer.state.total_flos}))


if __name__ == "__main__":
    main()
