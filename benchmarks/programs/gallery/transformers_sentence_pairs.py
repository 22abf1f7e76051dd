"""Sentence embeddings: a small BERT with pooling, trained on pairs by sentence-transformers' trainer."""

import random

import tokenizers
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.losses import MultipleNegativesRankingLoss
from sentence_transformers.models import Pooling, Transformer
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, set_seed

WORDS = "apple bread candle desk engine flower glass house island jacket kettle lemon".split()


def base(folder):
    words = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({w: i for i, w in enumerate(["[PAD]", "[UNK]", *WORDS])}, "[UNK]")
    )
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", model_max_length=16
    ).save_pretrained(folder)
    config = BertConfig(vocab_size=14, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
    BertModel(config).save_pretrained(folder)
    return Transformer(folder)


set_seed(41)
chance = random.Random(0)
anchors = [" ".join(chance.choices(WORDS, k=4)) for _ in range(160)]
pairs = Dataset.from_dict({"anchor": anchors, "positive": [" ".join(reversed(text.split())) for text in anchors]})
transformer = base("base")
model = SentenceTransformer(modules=[transformer, Pooling(32)], device="cpu")
arguments = SentenceTransformerTrainingArguments(
    "out", num_train_epochs=2, per_device_train_batch_size=16, learning_rate=1e-3, logging_steps=4, use_cpu=True,
    save_strategy="no", disable_tqdm=True, report_to="none",
)  # fmt: skip
trainer = SentenceTransformerTrainer(model, arguments, train_dataset=pairs, loss=MultipleNegativesRankingLoss(model))
trainer.train()
print([round(entry["loss"], 6) for entry in trainer.state.log_history if "loss" in entry])
print(model.encode("apple bread").round(5).tolist()[:4])
