"""What a training batch of Lightning costs more when autolog records it: CPU time, and tensors read.

``python -m benchmarks.lightning`` trains a tiny model, so that nearly all of its time is Lightning's own.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any

from benchmarks.timing import Row, show

__all__ = ["per_batch"]

_BATCHES = 1000
_WARM = 50


def per_batch(rounds: int = 9) -> list[Row]:
    """CPU microseconds of a batch that logs one value, with the integration off and on, taken in turn.

    Args:
        rounds: fits of each kind.
    """
    import autolog

    spent: dict[str, list[float]] = {"off": [], "every step": [], "every 50th step": []}
    with tempfile.TemporaryDirectory() as folder:
        autolog.configure(dir=folder, sidecar=False)
        fit = _training(folder)
        for number in range(rounds + 1):
            for name, options in (("off", {}), ("every step", {}), ("every 50th step", {"log_every_n_steps": 50})):
                (autolog.disable if name == "off" else autolog.enable)("lightning")
                taken = fit(options)
                if number:
                    spent[name].append(taken)
        autolog.finish()
    off = statistics.median(spent["off"])
    rows = [Row("a batch without autolog, median", f"{off:.1f} us")]
    for name in ("every step", "every 50th step"):
        more = statistics.median(on - bare for on, bare in zip(spent[name], spent["off"], strict=True))
        rows.append(Row(f"more with autolog, values of {name}", f"{more:.1f} us", f"{100 * more / off:.1f} % of it"))
    return rows


def _training(folder: str) -> Callable[[dict[str, Any]], float]:
    import logging

    import lightning
    import torch

    torch.set_num_threads(1)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")

    class Line(lightning.LightningModule):  # type: ignore[misc]  # Lightning is Any here
        def __init__(self) -> None:
            super().__init__()
            self.net = torch.nn.Linear(4, 1)
            self.times: list[int] = []

        def training_step(self, batch: Any, index: int) -> Any:
            if index == _WARM:
                self.times.append(time.process_time_ns())
            loss = self.net(batch).square().mean()
            self.log("loss", loss)
            return loss

        def on_train_epoch_end(self) -> None:
            self.times.append(time.process_time_ns())

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), 0.1)

    data = torch.utils.data.DataLoader(torch.ones(_BATCHES * 2, 4), batch_size=2)

    def fit(options: dict[str, Any]) -> float:
        quiet: dict[str, Any] = dict.fromkeys(
            ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
        )
        model = Line()
        trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", default_root_dir=folder, **quiet, **options)
        trainer.fit(model, data)
        return (model.times[1] - model.times[0]) / 1000 / (_BATCHES - _WARM)

    return fit


if __name__ == "__main__":
    show("Lightning", per_batch())
