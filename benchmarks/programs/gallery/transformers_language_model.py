"""A small GPT-2 on repeated sequences: accumulation, cosine schedule, resumed from a checkpoint."""

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments, set_seed


class Repeats(torch.utils.data.Dataset):
    def __len__(self):
        return 256

    def __getitem__(self, index):
        ids = (torch.arange(24) * (index % 5 + 1) + index) % 50
        return {"input_ids": ids, "labels": ids}


def trainer(steps):
    set_seed(21)
    config = GPT2Config(vocab_size=50, n_positions=32, n_embd=32, n_layer=2, n_head=2)
    arguments = TrainingArguments(
        "out", max_steps=steps, per_device_train_batch_size=8, gradient_accumulation_steps=2, learning_rate=3e-3,
        lr_scheduler_type="cosine", logging_steps=5, save_steps=10, use_cpu=True, disable_tqdm=True, report_to="none",
    )  # fmt: skip
    return Trainer(GPT2LMHeadModel(config), arguments, train_dataset=Repeats())


first = trainer(20)
first.train()
second = trainer(30)
result = second.train(resume_from_checkpoint="out/checkpoint-20")
print(result.global_step, [entry.get("loss") for entry in second.state.log_history])
print(sum(weight.double().sum().item() for weight in second.model.parameters()))
