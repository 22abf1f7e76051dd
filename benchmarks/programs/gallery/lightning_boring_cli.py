"""Lightning's own demo model under its command line."""

from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.demos.boring_classes import BoringDataModule, BoringModel


class Model(BoringModel):
    def __init__(self, rate: float = 0.1):
        super().__init__()
        self.save_hyperparameters()

    def training_step(self, batch, batch_idx):
        output = super().training_step(batch, batch_idx)
        self.log("train_loss", output["loss"], prog_bar=True)
        return output


if __name__ == "__main__":
    cli = LightningCLI(Model, BoringDataModule, save_config_kwargs={"overwrite": True})
    print({name: float(value) for name, value in cli.trainer.callback_metrics.items()}, cli.trainer.global_step)
