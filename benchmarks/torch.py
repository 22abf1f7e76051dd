"""What a step of a plain PyTorch loop costs more while it is recorded: CPU time of blocks of steps, taken in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from benchmarks.timing import Row

__all__ = ["loop"]

_STEPS = 50
_GOAL = 20.0


def loop(rounds: int = 60) -> list[Row]:
    """Microseconds of CPU a step more, of a tiny model, where a step is as cheap as steps get."""
    import torch

    import autolog

    torch.set_num_threads(1)
    step = _training()
    spent: dict[bool, list[float]] = {True: [], False: []}
    for number in range(rounds + 1):
        for recorded in (True, False):
            (autolog.enable if recorded else autolog.disable)("torch")
            step()  # a training begins, and describes itself
            begin = time.thread_time()
            for _ in range(_STEPS):
                step()
            if number:  # the first round warms caches
                spent[recorded].append((time.thread_time() - begin) / _STEPS * 1e6)
    autolog.enable("torch")
    autolog.finish()
    plain = statistics.median(spent[False])
    more = statistics.median(on - off for on, off in zip(spent[True], spent[False], strict=True))
    return [
        Row("a step of a tiny model in plain PyTorch", f"{plain:.0f} µs"),
        Row("a recorded step costs more", f"{more:.1f} µs", f"goal {_GOAL:.0f} µs"),
    ]


def _training() -> Callable[[], None]:
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(16, 4)
    y = x.sum(1, keepdim=True)

    def step() -> None:
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()

    return step
