"""Small models and data sets for the programs that read theirs from disk; nothing is downloaded."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

__all__ = ["make"]

_NOUNS = "stone river lamp window garden letter engine harbour cloud field bridge clock paper forest table road".split()
_VERBS = "sees moves opens paints carries follows finds answers turns keeps".split()
_TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}> {{ message['content'] }} <end> {% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)


def make(folder: Path) -> None:
    """Make all of it below ``folder``: a language model ``gpt`` with its tokenizer, and data sets as JSON Lines."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(0)
    sentences = [_sentence(chance) for _ in range(200)]
    _model(folder / "gpt", sentences)
    chats = [{"messages": [_turn("user", ask), _turn("assistant", told)]} for ask, told in _pairs(sentences)]
    preferences = [
        {"prompt": [_turn("user", ask)], "chosen": [_turn("assistant", told)], "rejected": [_turn("assistant", "no")]}
        for ask, told in _pairs(sentences)
    ]
    _write(folder / "chats", chats)
    _write(folder / "preferences", preferences)
    _write(folder / "prompts", [{"prompt": [_turn("user", ask)]} for ask, _ in _pairs(sentences)])


def _sentence(chance: random.Random) -> str:
    return f"the {chance.choice(_NOUNS)} {chance.choice(_VERBS)} the {chance.choice(_NOUNS)}"


def _pairs(sentences: list[str]) -> list[tuple[str, str]]:
    return list(zip(sentences[::2], sentences[1::2], strict=True))


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _write(folder: Path, rows: Sequence[object]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def _model(folder: Path, sentences: list[str]) -> None:
    import tokenizers
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    special = ["<pad>", "<unk>", "<end>", "<user>", "<assistant>"]
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel(unk_token="<unk>"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    words.train_from_iterator([*sentences, "no"], tokenizers.trainers.WordLevelTrainer(special_tokens=special))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", unk_token="<unk>", eos_token="<end>",
    )  # fmt: skip
    tokenizer.chat_template = _TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=128, n_embd=32, n_layer=2, n_head=2,
        bos_token_id=tokenizer.eos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
