"""Train a variational autoencoder on small drawn shapes: warm-up, mixed precision, checkpoints, early stop."""

import argparse
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset, random_split


def shapes(count, side, generator):
    """Pictures with one bright box each, at a random place, in noise."""
    pictures = 0.1 * torch.rand(count, 1, side, side, generator=generator)
    corners = torch.randint(0, side - 3, (count, 2), generator=generator)
    for picture, (row, column) in zip(pictures, corners, strict=True):
        picture[:, row : row + 3, column : column + 3] += 0.8
    return pictures.clamp(0, 1)


class Encoder(nn.Module):
    def __init__(self, side, width, latent):
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.mean = nn.Linear(width * (side // 2) ** 2, latent)
        self.log_var = nn.Linear(width * (side // 2) ** 2, latent)

    def forward(self, x):
        hidden = F.relu(self.norm(self.conv(x))).flatten(1)
        return self.mean(hidden), self.log_var(hidden)


class VAE(nn.Module):
    def __init__(self, side=8, width=4, latent=3):
        super().__init__()
        self.side = side
        self.encoder = Encoder(side, width, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, 32), nn.ReLU(), nn.Linear(32, side * side))

    def forward(self, x):
        mean, log_var = self.encoder(x)
        z = mean + torch.randn_like(mean) * (0.5 * log_var).exp() if self.training else mean
        return self.decoder(z).view(-1, 1, self.side, self.side), mean, log_var


class Trainer:
    def __init__(self, args, model, train, valid):
        self.args, self.model, self.train, self.valid = args, model, train, valid
        decay = [p for name, p in model.named_parameters() if p.ndim > 1]
        others = [p for name, p in model.named_parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": decay, "weight_decay": args.weight_decay}, {"params": others, "weight_decay": 0.0}], lr=args.lr
        )
        self.scheduler = LambdaLR(self.optimizer, self.factor)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8, growth_interval=20)
        self.history = {"loss": [], "recon_loss": [], "kl_loss": [], "lr": [], "norm": [], "scale": [], "valid": []}
        self.step = 0

    def factor(self, step):
        total = self.args.epochs * len(self.train)
        warm = min(1.0, (step + 1) / 5)
        return warm * 0.5 * (1 + math.cos(math.pi * min(step, total) / total))

    def losses(self, x):
        logits, mean, log_var = self.model(x)
        recon_loss = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
        kl_loss = -0.5 * (1 + log_var - mean.square() - log_var.exp()).sum() / len(x)
        return recon_loss, kl_loss

    def train_epoch(self, epoch):
        self.model.train()
        for (x,) in self.train:
            self.optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.args.bf16):
                recon_loss, kl_loss = self.losses(x)
                loss = recon_loss + self.args.beta * kl_loss
            self.scaler.scale(loss).backward()
            self.scaler.unscale_(self.optimizer)
            norm = clip_grad_norm_(self.model.parameters(), self.args.clip)
            self.keep(loss=loss, recon_loss=recon_loss, kl_loss=kl_loss, norm=norm, scale=self.scaler.get_scale())
            self.keep(lr=[group["lr"] for group in self.optimizer.param_groups])
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.scheduler.step()
            self.step += 1

    def keep(self, **values):
        for name, value in values.items():
            self.history[name].append(value.item() if isinstance(value, torch.Tensor) else value)

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        total = 0.0
        for (x,) in self.valid:
            recon_loss, kl_loss = self.losses(x)
            total += (recon_loss + kl_loss).item() * len(x)
        return total / len(self.valid.dataset)

    def fit(self, out):
        best, waited = math.inf, 0
        for epoch in range(1, self.args.epochs + 1):
            self.train_epoch(epoch)
            valid = self.validate()
            self.history["valid"].append(valid)
            print(f"epoch {epoch}: loss {self.history['loss'][-1]:.3f}, valid {valid:.3f}")
            state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "epoch": epoch}
            with (out / "last.pt").open("wb") as file:
                torch.save(state, file)
            if valid < best:
                best, waited = valid, 0
                torch.save(self.model.state_dict(), out / "best.pt")
            else:
                waited += 1
            if waited > self.args.patience:
                break
        return best


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--beta", type=float, default=0.5)
    parser.add_argument("--clip", type=float, default=5.0)
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--patience", type=int, default=3)
    parser.add_argument("--latent", type=int, default=3)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    data = TensorDataset(shapes(120, 8, torch.Generator().manual_seed(args.seed)))
    train, valid = random_split(data, [100, 20])
    trainer = Trainer(
        args,
        VAE(latent=args.latent),
        DataLoader(train, batch_size=args.batch_size, shuffle=True),
        DataLoader(valid, batch_size=10),
    )
    best = trainer.fit(args.out)
    (args.out / "history.json").write_text(json.dumps(trainer.history))
    print(f"best {best:.3f} after {trainer.step} steps")


if __name__ == "__main__":
    main()
