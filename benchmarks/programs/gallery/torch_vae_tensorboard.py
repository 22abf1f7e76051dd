"""A variational autoencoder that writes for TensorBoard, stops on its own exception, and exits with a code."""

import sys

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(64, 48), nn.Linear(48, 4), nn.Linear(48, 4)
        self.fc3, self.fc4 = nn.Linear(4, 48), nn.Linear(48, 64)

    def forward(self, x):
        h = F.relu(self.fc1(x))
        mu, logvar = self.fc21(h), self.fc22(h)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z)))), mu, logvar


class Patience(Exception):
    pass


torch.manual_seed(1)
images = torch.tensor(load_digits().data / 16, dtype=torch.float32)
loader = DataLoader(images, batch_size=128, shuffle=True)
model = VAE()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
writer = SummaryWriter("board")
try:
    for epoch in range(20):
        train_loss = 0.0
        for batch in loader:
            optimizer.zero_grad()
            recon, mu, logvar = model(batch)
            bce = F.binary_cross_entropy(recon, batch, reduction="sum")
            kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
            loss = bce + kld
            loss.backward()
            train_loss += loss.item()
            optimizer.step()
        writer.add_scalar("loss/train", train_loss / len(images), epoch)
        print(f"====> Epoch: {epoch} Average loss: {train_loss / len(images):.4f}")
        if epoch == 8:
            raise Patience(f"enough after epoch {epoch}")
except Patience as error:
    print(f"stopped: {error}", file=sys.stderr)
    sys.exit(3)
finally:
    writer.close()
