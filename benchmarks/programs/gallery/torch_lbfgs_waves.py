"""Predicting sine waves with LSTM cells; the optimizer calls a closure that it may evaluate many times."""

import numpy as np
import torch
from torch import nn, optim


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm1, self.lstm2, self.linear = nn.LSTMCell(1, 24), nn.LSTMCell(24, 24), nn.Linear(24, 1)

    def forward(self, waves, future=0):
        outputs = []
        h1 = c1 = h2 = c2 = torch.zeros(waves.size(0), 24, dtype=torch.double)
        for value in waves.split(1, dim=1):
            h1, c1 = self.lstm1(value, (h1, c1))
            h2, c2 = self.lstm2(h1, (h2, c2))
            outputs.append(self.linear(h2))
        for _ in range(future):
            h1, c1 = self.lstm1(outputs[-1], (h1, c1))
            h2, c2 = self.lstm2(h1, (h2, c2))
            outputs.append(self.linear(h2))
        return torch.cat(outputs, dim=1)


np.random.seed(2)
torch.manual_seed(0)
phase = np.random.randint(-80, 80, 24).reshape(24, 1)
waves = torch.from_numpy(np.sin((np.arange(120) + phase) / 20.0))
seq, criterion = Sequence().double(), nn.MSELoss()
optimizer = optim.LBFGS(seq.parameters(), lr=0.8, max_iter=6)
for i in range(4):
    calls = []

    def closure():
        optimizer.zero_grad()
        loss = criterion(seq(waves[3:, :-1]), waves[3:, 1:])
        calls.append(loss.item())
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        ahead = seq(waves[:3, :-1], future=20)
        print(f"STEP: {i} calls {len(calls)} loss {calls[-1]:.8f} test {criterion(ahead[:, :-20], waves[:3, 1:]):.8f}")
