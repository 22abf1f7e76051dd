"""What histograms and norms of weights and gradients cost a training, as a share of its processor time.

``OMP_NUM_THREADS=1 python -m benchmarks.weights``: an MLP and a small transformer in loops of their own, with weights
on and off in turn, and what one snapshot costs where the budget is no matter.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from benchmarks.timing import Row, show

__all__ = ["main", "rows"]

_ROUNDS = 3


def _mlp() -> tuple[Any, Callable[[Any], Any], Any, int]:
    import torch

    model = torch.nn.Sequential(
        torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)
    )
    data = torch.utils.data.TensorDataset(torch.randn(3200, 784), torch.randint(0, 10, (3200,)))
    return model, lambda batch: torch.nn.functional.cross_entropy(model(batch[0]), batch[1]), data, 64


def _transformer() -> tuple[Any, Callable[[Any], Any], Any, int]:
    import torch

    layer = torch.nn.TransformerEncoderLayer(128, 4, 512, batch_first=True)
    body = torch.nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
    model = torch.nn.Sequential(torch.nn.Embedding(1000, 128), body, torch.nn.Linear(128, 1000))
    data = torch.utils.data.TensorDataset(torch.randint(0, 1000, (160, 33)))

    def loss(batch: Any) -> Any:
        logits = model(batch[0][:, :-1])
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[0][:, 1:].flatten())

    return model, loss, data, 16


def _train(make: Callable[[], Any], epochs: int) -> float:
    """Seconds of processor time."""
    import torch

    torch.manual_seed(0)
    model, loss_of, data, size = make()
    optimizer = torch.optim.Adam(model.parameters())
    loader = torch.utils.data.DataLoader(data, batch_size=size, shuffle=True)
    began = time.process_time()
    for _ in range(epochs):
        for batch in loader:
            optimizer.zero_grad()
            loss = loss_of(batch)
            loss.backward()
            optimizer.step()
    return time.process_time() - began


def _compared(name: str, make: Callable[[], Any], epochs: int) -> list[Row]:
    import autolog
    from autolog.integrations.weights import process_budget

    spent: dict[str, list[float]] = {"off": [], "epoch": []}
    own = 0.0
    for number in range(_ROUNDS + 1):
        for setting, times in spent.items():
            autolog.configure(weights=setting)
            with autolog.start_run():
                before = process_budget.spent
                seconds = _train(make, epochs)
            if number:  # the first round loads what is needed
                times.append(seconds)
                own += process_budget.spent - before if setting == "epoch" else 0.0
    off, on = (statistics.median(times) for times in spent.values())
    return [
        Row(f"{name}: {epochs} epochs without", f"{off:.2f} s"),
        Row(f"{name}: with, more", f"{100 * (on / off - 1):+.1f} %"),
        Row(f"{name}: with, as autolog has counted", f"{100 * own / sum(spent['epoch']):.2f} %", "1 %"),
    ]


def _one(name: str, make: Callable[[], Any]) -> list[Row]:
    """A single snapshot of all weights."""
    import torch

    from autolog.integrations.torch_histograms import begin, quiet
    from autolog.integrations.torch_tensors import named

    model = make()[0]
    tensors = dict(named(model))
    count = sum(one.numel() for one in tensors.values())
    took = []
    for _ in range(20):
        began = time.thread_time()
        with quiet(torch):
            begin(tensors, dict.fromkeys(tensors, 32), {key: {} for key in tensors}).result()
        took.append(time.thread_time() - began)
    what = f"{name}: one snapshot, {len(tensors)} tensors, {count / 1e6:.2f} M weights"
    return [Row(what, f"{1e3 * statistics.median(took):.1f} ms")]


def rows() -> list[Row]:
    """All figures."""
    models: dict[str, tuple[Callable[[], Any], int]] = {"MLP": (_mlp, 10), "transformer": (_transformer, 3)}
    told: list[Row] = []
    for name, (make, epochs) in models.items():
        told += [*_compared(name, make, epochs), *_one(name, make)]
    return told


def main() -> None:
    """Print them."""
    with tempfile.TemporaryDirectory(prefix="autolog-bench-") as folder:
        os.environ.setdefault("AUTOLOG_DIR", folder)
        os.environ["AUTOLOG_DISABLE"] = "console"
        os.environ["AUTOLOG_SIDECAR"] = "0"
        import torch

        import autolog

        torch.set_num_threads(1)
        print(f"torch {torch.__version__}, {sys.platform}, one thread, autolog {autolog.__version__}")
        show("Weights and gradients", rows())
        autolog.finish()


if __name__ == "__main__":
    main()
