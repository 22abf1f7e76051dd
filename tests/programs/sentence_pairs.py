"""Teaches a small encoder which sentences mean the same, judged before, in and after the training."""

import argparse
import json
import random
from pathlib import Path

from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.evaluation import BinaryClassificationEvaluator, TripletEvaluator
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.training_args import BatchSamplers
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, set_seed

SAME = {"cat": "kitten", "dog": "puppy", "car": "auto", "house": "home", "boy": "lad", "road": "street", "sea": "ocean"}
ADJECTIVES = {"big": "large", "small": "little", "fast": "quick", "happy": "glad"}
WORDS = [word for pair in [*SAME.items(), *ADJECTIVES.items()] for word in pair]


def make_encoder(place):
    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "the", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=16
    )
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=16,
    )  # fmt: skip
    BertModel(config).save_pretrained(place)
    wrapped.save_pretrained(place)


def pairs(rows, seed):
    generator = random.Random(seed)
    found = []
    for _ in range(rows):
        noun, adjective = generator.choice(list(SAME)), generator.choice(list(ADJECTIVES))
        other = generator.choice([word for word in SAME if word != noun])
        found.append({
            "anchor": f"the {adjective} {noun}",
            "positive": f"the {ADJECTIVES[adjective]} {SAME[noun]}",
            "negative": f"the {ADJECTIVES[adjective]} {SAME[other]}",
        })  # fmt: skip
    return Dataset.from_list(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rows", type=int, default=160)
    parser.add_argument("--scale", type=float, default=10.0)
    options = parser.parse_args()
    set_seed(3)

    make_encoder("encoder")
    model = SentenceTransformer("encoder", device="cpu")
    training, held_out = pairs(options.rows, 0), pairs(24, 1)
    triplets = TripletEvaluator(held_out["anchor"], held_out["positive"], held_out["negative"], name="held-out")
    same = BinaryClassificationEvaluator(
        [*held_out["anchor"], *held_out["anchor"]],
        [*held_out["positive"], *held_out["negative"]],
        [1] * 24 + [0] * 24,
        name="same",
    )
    before = triplets(model)

    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir="out",
            num_train_epochs=options.epochs,
            per_device_train_batch_size=16,
            learning_rate=1e-3,
            warmup_steps=2,
            logging_steps=4,
            eval_strategy="epoch",
            save_strategy="epoch",
            save_total_limit=1,
            batch_sampler=BatchSamplers.BATCH_SAMPLER,
            use_cpu=True,
        ),
        train_dataset=training,
        eval_dataset=held_out,
        loss=MultipleNegativesRankingLoss(model, scale=options.scale),
        evaluator=triplets,
    )
    trainer.train()
    after = same(model)
    model.save_pretrained("final")
    result = {
        "before": before,
        "after": after,
        "history": trainer.state.log_history,
        "parameters": sum(one.numel() for one in model.parameters()),
        "steps": trainer.state.global_step,
    }
    Path("result.json").write_text(json.dumps(result))
    print(f"{after['same_cosine_ap']:.3f}")


if __name__ == "__main__":
    main()
