"""Lightning with loggers of other tools at once: what each of them writes is what it writes alone, nothing is twice."""

import importlib.util
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.integrations.conftest import run_script, same

if importlib.util.find_spec("mlflow") is None:
    pytest.skip("mlflow is not installed", allow_module_level=True)
pytest.importorskip("tensorboard")

SCRIPT = """
import logging, warnings; warnings.simplefilter("ignore")
import torch, lightning.pytorch as pl
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import MLFlowLogger, TensorBoardLogger
from torch.utils.data import DataLoader, TensorDataset
logging.getLogger("alembic").setLevel(logging.ERROR)

class Line(pl.LightningModule):
    def __init__(self, lr=0.1):
        super().__init__()
        self.save_hyperparameters()
        self.net = torch.nn.Linear(4, 1)
    def training_step(self, batch, index):
        loss = torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])
        self.log("loss", loss)
        return loss
    def validation_step(self, batch, index):
        self.log("val_loss", torch.nn.functional.mse_loss(self.net(batch[0]), batch[1]))
    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), self.hparams.lr)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)]

pl.seed_everything(3)
x = torch.randn(48, 4)
loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=8, shuffle=True)
model = Line()
weights = [parameter.data for parameter in model.parameters()]
loggers = [MLFlowLogger("lines", tracking_uri="sqlite:///mlflow.db"), TensorBoardLogger(".", name="board")]
trainer = pl.Trainer(
    max_epochs=2, logger=loggers, callbacks=[LearningRateMonitor("step"), ModelCheckpoint("kept")],
    log_every_n_steps=2, enable_progress_bar=False, enable_model_summary=False, accelerator="cpu",
)
trainer.fit(model, loader, loader)
print([type(logger).__name__ for logger in trainer.loggers], trainer.global_step)
"""


def of_mlflow(folder):
    """Status, parameters, names of the tags and every point of the one run that is there."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as store:
        ((run, status),) = store.execute("SELECT run_uuid, status FROM runs").fetchall()
        params = dict(store.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run,)))
        tags = sorted(key for (key,) in store.execute("SELECT key FROM tags WHERE run_uuid = ?", (run,)))
        points = {}
        for name, step, value in store.execute(
            "SELECT key, step, value FROM metrics WHERE run_uuid = ? ORDER BY step, timestamp", (run,)
        ):
            points.setdefault(name, []).append((step, value))
    return status, params, tags, points


def of_tensorboard(folder):
    """Every point, the files beside, and the hyperparameters as they are written."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    version = folder / "board" / "version_0"
    board = EventAccumulator(str(version)).Reload()
    points = {name: [(event.step, event.value) for event in board.Scalars(name)] for name in board.Tags()["scalars"]}
    files = sorted(path.name.partition(".tfevents")[0] for path in version.iterdir())
    return points, files, (version / "hparams.yaml").read_text("utf-8")


def test_mlflow_and_tensorboard_at_once(tmp_path):
    off = run_script(tmp_path / "off", f"import autolog\n{SCRIPT}", AUTOLOG="off")
    on = run_script(tmp_path / "on", f"import autolog\n{SCRIPT}")
    same(off, on)
    assert on.code == 0, on.stderr
    for read in (of_mlflow, of_tensorboard):
        assert read(tmp_path / "on") == read(tmp_path / "off")
    assert sorted(path.name for path in Path(tmp_path / "on").iterdir() if path.name != "runs") == sorted(
        path.name for path in Path(tmp_path / "off").iterdir()
    )

    (fit,) = on.recording.children
    assert (on.recording.problems, on.recording.run.metrics, fit.status) == ([], [], "completed")
    status, params, _, logged = of_mlflow(tmp_path / "on")
    board, _, _ = of_tensorboard(tmp_path / "on")
    assert (status, params) == ("FINISHED", {"lr": "0.1"})
    assert logged.keys() == {"loss", "val_loss", "epoch", "lr-SGD"} == board.keys() - {"hp_metric"}
    for name in ("loss", "val_loss"):
        values = [value for _, value in logged[name]]
        assert [value for _, value in fit.series(name)] == values == [value for _, value in board[name]]
    # Their loggers have the number of batches before a step, the record has the optimizer's steps.
    assert [step for step, _ in fit.series("loss")] == [step + 1 for step, _ in logged["loss"]] == [2, 4, 6, 8, 10, 12]
    assert [value for _, value in fit.series("lr-SGD")] == [0.1] * 3 + [0.05] * 3
    assert fit.params["lr"] == 0.1
    assert {"loss", "val_loss", "lr-SGD"} == {name for name in fit.metric_names if not name.startswith("autolog/")}
