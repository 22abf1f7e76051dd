"""Two optimizers by hand, no logger, no checkpoint."""

import lightning.pytorch as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Gan(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
        self.critic = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1))

    def training_step(self, batch, index):
        (real,) = batch
        optimizer_g, optimizer_d = self.optimizers()
        entropy = nn.functional.binary_cross_entropy_with_logits
        fake = self.generator(torch.randn(len(real), 4))
        self.toggle_optimizer(optimizer_g)
        g_loss = entropy(self.critic(fake), torch.ones(len(real), 1))
        optimizer_g.zero_grad()
        self.manual_backward(g_loss)
        optimizer_g.step()
        self.untoggle_optimizer(optimizer_g)
        d_loss = entropy(self.critic(real), torch.ones(len(real), 1))
        d_loss = (d_loss + entropy(self.critic(fake.detach()), torch.zeros(len(real), 1))) / 2
        optimizer_d.zero_grad()
        self.manual_backward(d_loss)
        optimizer_d.step()
        self.log_dict({"g_loss": g_loss, "d_loss": d_loss}, prog_bar=True)

    def configure_optimizers(self):
        return [torch.optim.Adam(part.parameters(), 1e-3) for part in (self.generator, self.critic)], []


pl.seed_everything(3)
angles = torch.rand(1024) * 6.2832
loader = DataLoader(TensorDataset(torch.stack([angles.cos(), angles.sin()], 1)), batch_size=32, shuffle=True)
trainer = pl.Trainer(
    max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False, enable_model_summary=False
)
model = Gan()
trainer.fit(model, loader)
print({name: float(value) for name, value in trainer.callback_metrics.items()}, trainer.global_step, torch.rand(1))
