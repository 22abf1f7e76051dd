"""A recurrent network that writes letters, trained on a text it repeats."""

import argparse

import torch
from torch import nn

TEXT = (
    "it was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness. "
    * 20
)


class Writer(nn.Module):
    def __init__(self, letters, hidden):
        super().__init__()
        self.embed = nn.Embedding(letters, hidden)
        self.rnn = nn.GRU(hidden, hidden, num_layers=2, batch_first=True, dropout=0.1)
        self.head = nn.Linear(hidden, letters)

    def forward(self, x, state=None):
        x, state = self.rnn(self.embed(x), state)
        return self.head(x), state


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--hidden", type=int, default=64)
    args = parser.parse_args()
    torch.manual_seed(0)
    letters = sorted(set(TEXT))
    data = torch.tensor([letters.index(letter) for letter in TEXT])
    model = Writer(len(letters), args.hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps)
    criterion = nn.CrossEntropyLoss()
    for step in range(args.steps):
        starts = torch.randint(len(data) - 65, (16,))
        batch = torch.stack([data[start : start + 65] for start in starts])
        logits, _ = model(batch[:, :-1])
        loss = criterion(logits.flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        if step % 25 == 0:
            print(f"step {step} loss {loss.item():.6f} lr {scheduler.get_last_lr()[0]:.6f}")
    model.eval()
    x, state, written = data[:1][None], None, []
    with torch.no_grad():
        for _ in range(60):
            logits, state = model(x, state)
            x = logits[:, -1:].argmax(-1)
            written.append(letters[x.item()])
    print("".join(written))
    torch.save(model.state_dict(), "writer.pt")


if __name__ == "__main__":
    main()
