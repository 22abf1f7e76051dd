"""An autoencoder with a data module, checkpoints, early stopping, a plateau scheduler; stopped and resumed."""

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class Digits(pl.LightningDataModule):
    def __init__(self, batch_size=64):
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage):
        data = TensorDataset(torch.tensor(load_digits().data / 16, dtype=torch.float32))
        self.train, self.valid = random_split(data, [0.8, 0.2], torch.Generator().manual_seed(0))

    def train_dataloader(self):
        return DataLoader(self.train, batch_size=self.hparams.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.valid, batch_size=self.hparams.batch_size)


class AutoEncoder(pl.LightningModule):
    def __init__(self, width: int = 32, lr: float = 3e-3):
        super().__init__()
        self.save_hyperparameters()
        self.encoder = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 3))
        self.decoder = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, 64))

    def training_step(self, batch, index):
        loss = nn.functional.mse_loss(self.decoder(self.encoder(batch[0])), batch[0])
        self.log("train_loss", loss, on_step=True, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch, index):
        self.log("val_loss", nn.functional.mse_loss(self.decoder(self.encoder(batch[0])), batch[0]))

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams.lr)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "val_loss"}}


def trainer(epochs):
    callbacks = [
        ModelCheckpoint("checkpoints", monitor="val_loss", save_last=True),
        EarlyStopping("val_loss", patience=3),
        LearningRateMonitor(),
    ]
    return pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=CSVLogger("logs"), callbacks=callbacks, log_every_n_steps=5,
        gradient_clip_val=1.0, enable_progress_bar=False,
    )  # fmt: skip


pl.seed_everything(1)
first = trainer(3)
first.fit(AutoEncoder(), datamodule=Digits())
second = trainer(6)
second.fit(AutoEncoder(), datamodule=Digits(), ckpt_path="checkpoints/last.ckpt")
print(second.global_step, second.current_epoch, float(second.callback_metrics["val_loss"]))
print([type(callback).__name__ for callback in second.callbacks], second.validate(datamodule=Digits(), verbose=False))
