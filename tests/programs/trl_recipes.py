"""Fine-tunes a small language model on recipes: supervised, with an adapter, judged after each epoch."""

import argparse
import json
import random
from pathlib import Path

import torch
from datasets import Dataset
from peft import LoraConfig
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast, set_seed
from trl import SFTConfig, SFTTrainer

DISHES = {"soup": "boil", "bread": "bake", "salad": "wash", "tea": "boil", "cake": "bake", "fish": "fry"}
THINGS = "water flour leaves onions salt butter".split()
WORDS = [*DISHES, *sorted(set(DISHES.values())), *THINGS, *"to make you first the and then serve it with ?".split()]


def build_tokenizer():
    vocabulary = {word: number for number, word in enumerate(["<pad>", "<eos>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", model_max_length=32
    )


def recipes(rows):
    generator = random.Random(0)
    found = []
    for _ in range(rows):
        dish, with_it = generator.choice(list(DISHES)), generator.choice(THINGS)
        found.append({
            "prompt": f"to make {dish} you",
            "completion": f" first {DISHES[dish]} the {generator.choice(THINGS)} and then serve it with {with_it}",
        })  # fmt: skip
    return Dataset.from_list(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rows", type=int, default=240)
    parser.add_argument("--rank", type=int, default=4)
    parser.add_argument("--output", default="recipes")
    options = parser.parse_args()
    set_seed(5)

    tokenizer = build_tokenizer()
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=len(tokenizer), n_positions=32, n_embd=32, n_layer=2, n_head=4, eos_token_id=1)
    )
    data = recipes(options.rows).train_test_split(test_size=40, seed=0)
    trainer = SFTTrainer(
        model,
        args=SFTConfig(
            output_dir=options.output,
            num_train_epochs=options.epochs,
            per_device_train_batch_size=10,
            gradient_accumulation_steps=2,
            learning_rate=2e-3,
            warmup_steps=2,
            logging_steps=4,
            eval_strategy="epoch",
            save_strategy="epoch",
            bf16=False,
            use_cpu=True,
        ),
        train_dataset=data["train"],
        eval_dataset=data["test"],
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=options.rank, lora_alpha=2 * options.rank, target_modules=["c_attn"], lora_dropout=0.0
        ),
    )
    trainer.train()
    trainer.save_model(f"{options.output}/final")

    with torch.no_grad():
        question = tokenizer("to make soup you", return_tensors="pt")
        answer = trainer.model.generate(**question, max_new_tokens=8, do_sample=False, pad_token_id=0)
    print(tokenizer.decode(answer[0], skip_special_tokens=True))
    trained = [one for one in trainer.model.parameters() if one.requires_grad]
    result = {
        "history": trainer.state.log_history,
        "steps": trainer.state.global_step,
        "flos": trainer.state.total_flos,
        "trained": sum(one.numel() for one in trained),
        "parameters": sum(one.numel() for one in trainer.model.parameters()),
    }
    Path("result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
