"""A generative adversarial network: two models, two optimizers, three backward passes a step."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(999)
angles = torch.rand(2000) * 6.2832
data = torch.stack([angles.cos(), angles.sin()], 1) + 0.05 * torch.randn(2000, 2)
loader = DataLoader(TensorDataset(data), batch_size=64, shuffle=True, drop_last=True)

netG = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
netD = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
criterion = nn.BCEWithLogitsLoss()
optimizerD = torch.optim.Adam(netD.parameters(), lr=2e-4, betas=(0.5, 0.999))
optimizerG = torch.optim.Adam(netG.parameters(), lr=2e-4, betas=(0.5, 0.999))
fixed = torch.randn(16, 8)

for epoch in range(12):
    for i, (real,) in enumerate(loader):
        netD.zero_grad()
        errD_real = criterion(netD(real).view(-1), torch.ones(len(real)))
        errD_real.backward()
        fake = netG(torch.randn(len(real), 8))
        errD_fake = criterion(netD(fake.detach()).view(-1), torch.zeros(len(real)))
        errD_fake.backward()
        errD = errD_real + errD_fake
        optimizerD.step()

        netG.zero_grad()
        errG = criterion(netD(fake).view(-1), torch.ones(len(real)))
        errG.backward()
        optimizerG.step()
    print(f"[{epoch}] Loss_D: {errD.item():.4f} Loss_G: {errG.item():.4f}")
    torch.save(netG.state_dict(), f"netG_epoch_{epoch}.pth")
print(netG(fixed).norm(dim=1).tolist())
