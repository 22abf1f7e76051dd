"""Classify small pictures of shapes with Lightning: a data module, a scheduler, early stopping, checkpoints, a test.

python lightning_shapes.py --epochs 4 --accumulate 2
"""

import argparse
import json
import warnings
from pathlib import Path

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split
from torchmetrics.classification import MulticlassAccuracy

SIZE, CLASSES = 8, 3


def pictures(count):
    """Bars, columns and crosses in noise."""
    generator = torch.Generator().manual_seed(11)
    labels = torch.arange(count) % CLASSES
    images = 0.3 * torch.randn(count, 1, SIZE, SIZE, generator=generator)
    for image, label in zip(images, labels, strict=True):
        row, column = torch.randint(0, SIZE, (2,), generator=generator).tolist()
        if label in (0, 2):
            image[0, row, :] += 1
        if label in (1, 2):
            image[0, :, column] += 1
    return TensorDataset(images, labels)


class Shapes(L.LightningDataModule):
    def __init__(self, count: int = 180, batch_size: int = 12):
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage):
        parts = [self.hparams.count * share // 6 for share in (4, 1, 1)]
        self.parts = random_split(pictures(self.hparams.count), parts, torch.Generator().manual_seed(5))

    def train_dataloader(self):
        return DataLoader(self.parts[0], batch_size=self.hparams.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.parts[1], batch_size=self.hparams.batch_size)

    def test_dataloader(self):
        return DataLoader(self.parts[2], batch_size=self.hparams.batch_size)

    predict_dataloader = test_dataloader


class Classifier(L.LightningModule):
    def __init__(self, channels: int = 6, lr: float = 0.02, dropout: float = 0.1):
        super().__init__()
        self.save_hyperparameters()
        self.features = nn.Sequential(nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(4))
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels * 16, CLASSES))
        self.val_accuracy = MulticlassAccuracy(CLASSES)
        self.test_accuracy = MulticlassAccuracy(CLASSES)
        self.history = {"loss": [], "lr": [], "val": [], "epoch_loss": []}

    def forward(self, images):
        return self.head(self.features(images))

    def training_step(self, batch, index):
        images, labels = batch
        loss = F.cross_entropy(self(images), labels)
        self.log("train_loss", loss, on_step=True, on_epoch=True, prog_bar=True)
        self.last = loss.detach()
        return loss

    def on_train_batch_start(self, batch, index):
        self.rate = self.optimizers().param_groups[0]["lr"]

    def on_train_batch_end(self, outputs, batch, index):
        self.history["loss"].append((self.global_step, self.current_epoch, self.last.item()))
        self.history["lr"].append(self.rate)

    def validation_step(self, batch, index):
        images, labels = batch
        scores = self(images)
        self.val_accuracy(scores, labels)
        self.log("val_loss", F.cross_entropy(scores, labels))
        self.log("val_acc", self.val_accuracy, prog_bar=True)

    def on_validation_epoch_end(self):
        if not self.trainer.sanity_checking:
            told = self.trainer.callback_metrics
            self.history["val"].append((self.global_step, self.current_epoch, float(told["val_loss"])))

    def on_train_epoch_end(self):
        told = self.trainer.callback_metrics
        self.history["epoch_loss"].append((self.global_step, self.current_epoch, float(told["train_loss_epoch"])))

    def test_step(self, batch, index):
        images, labels = batch
        scores = self(images)
        self.test_accuracy(scores, labels)
        self.log_dict({"test_loss": F.cross_entropy(scores, labels), "test_acc": self.test_accuracy})

    def predict_step(self, batch, index):
        return self(batch[0]).argmax(1)

    def configure_optimizers(self):
        decayed = [parameter for parameter in self.parameters() if parameter.ndim > 1]
        others = [parameter for parameter in self.parameters() if parameter.ndim < 2]
        groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=self.hparams.lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def main():
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--accumulate", type=int, default=1)
    parser.add_argument("--lr", type=float, default=0.02)
    options = parser.parse_args()

    L.seed_everything(7)
    model, data = Classifier(lr=options.lr), Shapes()
    callbacks = [
        EarlyStopping("val_loss", patience=2, min_delta=0.1),
        ModelCheckpoint(monitor="val_loss", save_top_k=1, save_last=True),
        LearningRateMonitor("step"),
    ]
    trainer = L.Trainer(
        max_epochs=options.epochs, accumulate_grad_batches=options.accumulate, gradient_clip_val=1.0, accelerator="cpu",
        callbacks=callbacks,
    )  # fmt: skip
    trainer.fit(model, datamodule=data)
    fitted = {"steps": trainer.global_step, "epochs": trainer.current_epoch}
    (tested,) = trainer.test(model, datamodule=data, ckpt_path="best", verbose=False)
    found = torch.cat(trainer.predict(model, datamodule=data))

    stopping, checkpoints = callbacks[:2]
    told = {
        **model.history, **fitted, "test": tested, "predicted": found.tolist(), "best": checkpoints.best_model_path,
        "best_score": float(checkpoints.best_model_score), "last": checkpoints.last_model_path,
        "stopped_epoch": stopping.stopped_epoch, "stopping_score": float(stopping.best_score),
    }  # fmt: skip
    Path("history.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
