"""Policy gradients on a pole that is to be balanced; the physics is here too."""

import math

import torch
from torch import nn, optim
from torch.distributions import Categorical


class Pole:
    def reset(self):
        self.state = (torch.rand(4) * 0.1 - 0.05).tolist()
        return self.state

    def step(self, action):
        x, v, angle, turn = self.state
        force = 10.0 if action else -10.0
        pull = (force + 0.05 * turn**2 * math.sin(angle)) / 1.1
        accel = (9.8 * math.sin(angle) - math.cos(angle) * pull) / (0.5 * (4 / 3 - 0.1 * math.cos(angle) ** 2 / 1.1))
        push = pull - 0.05 * accel * math.cos(angle) / 1.1
        self.state = (x + 0.02 * v, v + 0.02 * push, angle + 0.02 * turn, turn + 0.02 * accel)
        return self.state, abs(self.state[0]) > 2.4 or abs(self.state[2]) > 0.21


torch.manual_seed(543)
policy = nn.Sequential(nn.Linear(4, 64), nn.Dropout(0.2), nn.ReLU(), nn.Linear(64, 2))
optimizer = optim.Adam(policy.parameters(), lr=1e-2)
world, running = Pole(), 10.0
for episode in range(60):
    state, log_probs, rewards = world.reset(), [], []
    for _ in range(500):
        choice = Categorical(logits=policy(torch.tensor(state)))
        action = choice.sample()
        log_probs.append(choice.log_prob(action))
        state, done = world.step(action.item())
        rewards.append(1.0)
        if done:
            break
    running = 0.05 * len(rewards) + 0.95 * running
    returns, total = [], 0.0
    for reward in reversed(rewards):
        total = reward + 0.99 * total
        returns.insert(0, total)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + 1e-6)
    optimizer.zero_grad()
    loss = torch.stack([-p * r for p, r in zip(log_probs, returns)]).sum()
    loss.backward()
    optimizer.step()
    if episode % 10 == 0:
        print(f"Episode {episode}\tLast length: {len(rewards)}\tAverage length: {running:.2f}\tLoss: {loss.item():.4f}")
