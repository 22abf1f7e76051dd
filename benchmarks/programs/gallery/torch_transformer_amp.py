"""A small language model: bfloat16, accumulated gradients, parameter groups, warm-up, evaluation, workers."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Sums(Dataset):
    """Sequences in which every number is the sum of the two before, modulo 23."""

    def __init__(self, count, seed):
        generator = torch.Generator().manual_seed(seed)
        self.starts = torch.randint(23, (count, 2), generator=generator)

    def __len__(self):
        return len(self.starts)

    def __getitem__(self, index):
        row = self.starts[index].tolist()
        while len(row) < 33:
            row.append((row[-1] + row[-2]) % 23)
        return torch.tensor(row)


class Model(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.embed, self.place = nn.Embedding(23, width), nn.Embedding(32, width)
        layer = nn.TransformerEncoderLayer(width, 4, 128, dropout=0.1, batch_first=True, norm_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 23)

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        return self.head(self.body(self.embed(x) + self.place(torch.arange(x.shape[1])), mask=mask, is_causal=True))


def groups(model):
    decay = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() <= 1]
    return [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]


def main():
    torch.manual_seed(7)
    loader = DataLoader(Sums(1280, 0), batch_size=16, shuffle=True, num_workers=2)
    held_out = DataLoader(Sums(128, 1), batch_size=64)
    model = Model()
    optimizer = torch.optim.AdamW(groups(model), lr=2e-3)
    steps, accumulate = 2 * len(loader) // 4, 4
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 5, 0.5 * (1 + math.cos(math.pi * step / steps)))
    )
    for epoch in range(2):
        model.train()
        for index, batch in enumerate(loader):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(batch[:, :-1])
                loss = F.cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten())
            (loss / accumulate).backward()
            if (index + 1) % accumulate == 0:
                norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad(set_to_none=True)
        model.eval()
        with torch.inference_mode():
            losses = [F.cross_entropy(model(b[:, :-1]).flatten(0, 1), b[:, 1:].flatten()) for b in held_out]
        print(f"epoch {epoch}: train {loss.item():.5f} valid {torch.stack(losses).mean().item():.5f} norm {norm:.4f}")
    print([group["lr"] for group in optimizer.param_groups])


if __name__ == "__main__":
    main()
