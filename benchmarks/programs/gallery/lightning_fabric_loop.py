"""A loop of one's own, raised by Fabric."""

import torch
from lightning.fabric import Fabric
from torch.utils.data import DataLoader, TensorDataset

fabric = Fabric(accelerator="cpu", devices=1)
fabric.launch()
fabric.seed_everything(5)
x = torch.rand(1024, 8)
loader = fabric.setup_dataloaders(DataLoader(TensorDataset(x, x.prod(1, keepdim=True)), batch_size=32, shuffle=True))
model = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
model, optimizer = fabric.setup(model, torch.optim.AdamW(model.parameters(), lr=1e-3))
for epoch in range(4):
    for batch, (inputs, targets) in enumerate(loader):
        is_accumulating = batch % 2 != 1
        with fabric.no_backward_sync(model, enabled=is_accumulating):
            loss = torch.nn.functional.mse_loss(model(inputs), targets)
            fabric.backward(loss)
        if not is_accumulating:
            fabric.clip_gradients(model, optimizer, max_norm=1.0)
            optimizer.step()
            optimizer.zero_grad()
    fabric.print(f"epoch {epoch}: {loss.item():.8f}")
fabric.save("state.ckpt", {"model": model, "optimizer": optimizer, "epoch": epoch})
fabric.print(sum(weight.sum().item() for weight in model.parameters()))
