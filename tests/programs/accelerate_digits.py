"""Classifies handwritten digits with accelerate: accumulation, clipping, a schedule, evaluation, states."""

import argparse
import json
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import ProjectConfiguration, set_seed
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class Digits(nn.Module):
    def __init__(self, channels, dropout):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels * 16, 10))

    def forward(self, images):
        return self.head(self.features(images))


def loaders(batch_size):
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    data = TensorDataset(images, torch.tensor(digits.target))
    training, validation = random_split(data, [1500, len(data) - 1500], torch.Generator().manual_seed(0))
    return DataLoader(training, batch_size=batch_size, shuffle=True), DataLoader(validation, batch_size=100)


def evaluate(accelerator, model, loader):
    model.eval()
    right = seen = 0
    for images, targets in loader:
        with torch.no_grad():
            outputs = model(images).argmax(1)
        predictions, labels = accelerator.gather_for_metrics((outputs, targets))
        right += (predictions == labels).sum().item()
        seen += len(labels)
    return right / seen


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=25)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--accumulate", type=int, default=2)
    parser.add_argument("--resume", help="a state to go on from")
    args = parser.parse_args()

    project = ProjectConfiguration(project_dir="project", automatic_checkpoint_naming=True, total_limit=2)
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=args.accumulate, project_config=project)
    accelerator.init_trackers("digits", config=vars(args))
    set_seed(11)

    model = Digits(args.channels, args.dropout)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.01)
    training, validation = loaders(args.batch_size)
    steps = args.epochs * len(training) // args.accumulate
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, total_steps=steps)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
    model, optimizer, training, validation, scheduler = accelerator.prepare(
        model, optimizer, training, validation, scheduler
    )
    if args.resume:
        accelerator.load_state(args.resume)

    told = {"losses": [], "norms": [], "accuracies": [], "rates": []}
    done = 0
    for epoch in range(args.epochs):
        model.train()
        for images, targets in training:
            with accelerator.accumulate(model):
                loss = criterion(model(images), targets)
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    norm = accelerator.clip_grad_norm_(model.parameters(), 1.0)
                    told["norms"].append(norm.item())
                    told["rates"].append(optimizer.param_groups[0]["lr"])
                    done += 1
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
            told["losses"].append(loss.item())
        accuracy = evaluate(accelerator, model, validation)
        told["accuracies"].append(accuracy)
        accelerator.log({"accuracy": accuracy, "epoch": epoch}, step=done)
        accelerator.print(f"epoch {epoch}: {accuracy:.3f}")
        accelerator.save_state()
    accelerator.save_model(model, "model")
    accelerator.end_training()
    if accelerator.is_main_process:
        parameters = sum(one.numel() for one in model.parameters())
        Path("result.json").write_text(json.dumps({**told, "steps": done, "parameters": parameters}))


if __name__ == "__main__":
    main()
