"""Lightning: arguments, several optimizers, checkpoints, resuming, the command line, odd trainers, other loggers."""

import asyncio
import copy
import os
import pickle
import threading
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch.utils.data import DataLoader, TensorDataset

import autolog
from autolog import config, events, journal
from autolog.integrations import lightning_fit, lightning_rates, lightning_values, torch_values, weights
from autolog.integrations.lightning import AutologCallback, AutologLogger, integration
from autolog.integrations.torch_values import Reading
from autolog.testing import missing
from tests.integrations.conftest import SEED, run_script, same
from tests.integrations.test_lightning import one_thread

__all__ = ["one_thread"]
pytestmark = pytest.mark.filterwarnings("ignore")


def data(rows=32, batch=8):
    x = torch.linspace(-1, 1, rows * 4).reshape(rows, 4)
    return DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=batch)


class Line(pl.LightningModule):
    def __init__(self, lr=0.1):
        super().__init__()
        self.save_hyperparameters()
        torch.manual_seed(0)
        self.net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
        self.told = []

    def loss(self, batch):
        return torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])

    def training_step(self, batch, index):
        loss = self.loss(batch)
        self.log("loss", loss)
        self.told.append(float(loss))
        return loss

    def validation_step(self, batch, index, dataloader_idx=0):
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)


def trainer(tmp_path, kind=pl.Trainer, **options):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False, "accelerator": "cpu"}
    return kind(**{"max_epochs": 1, "default_root_dir": tmp_path, **quiet, **options})


def steps(child, name):
    return [step for step, _ in child.series(name)]


# -- what is logged ----------------------------------------------------------------------------------------------------


class Duel(Line):
    """A generator and a critic that steps twice as often; optimized by hand, some values logged only now and then."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, index):
        critic, generator = self.optimizers()
        for _ in range(2):
            self._turn(critic, batch, "critic_loss")
        self._turn(generator, batch, "generator_loss")
        self.lr_schedulers().step()
        if index % 3 == 0:
            self.log("rare", float(index))

    def _turn(self, optimizer, batch, name):
        optimizer.zero_grad()
        loss = self.loss(batch)
        self.manual_backward(loss)
        optimizer.step()
        self.log(name, loss, on_step=True, on_epoch=True)

    def configure_optimizers(self):
        critic = torch.optim.Adam(self.net[0].parameters(), lr=0.01)
        generator = torch.optim.Adam(self.net[2].parameters(), lr=torch.tensor(0.02))
        schedule = {"scheduler": torch.optim.lr_scheduler.ExponentialLR(generator, 0.5), "name": "generator_lr"}
        return [critic, generator], [schedule]


def test_every_step_is_on_record_by_default_and_only_what_it_logged(autolog_run, tmp_path):
    trainer(tmp_path).fit(Duel(), data(), [data(), data()])
    (fit,) = autolog_run.read().children
    assert steps(fit, "critic_loss_step") == steps(fit, "generator_loss_step") == [3, 6, 9, 12]
    assert fit.series("rare") == [(3, 0.0), (12, 3.0)]  # Lightning's loggers would get 0.0 again at 6 and 9
    assert steps(fit, "critic_loss_epoch") == [12]
    assert {name for name in fit.metric_names if "val" in name} == {
        "val_loss/dataloader_idx_0", "val_loss/dataloader_idx_1",
    }  # fmt: skip
    assert [value for _, value in fit.series("lr-Adam")] == [0.01] * 4
    assert [value for _, value in fit.series("generator_lr")] == pytest.approx([0.02, 0.01, 0.005, 0.0025])
    assert (fit.params["scheduler.name"], fit.params["scheduler.gamma"]) == ("ExponentialLR", 0.5)
    assert (fit.params["optimizer.0.lr"], len(fit.facts["optimizers"])) == (0.01, 2)
    assert [round(value, 6) for _, value in fit.series("autolog/samples_per_second")] != []


class Device:
    """A device that has computed nothing before the fit is over, at the place where values are begun to be read."""

    def __init__(self, monkeypatch):
        self.done = False
        self.begun = []
        monkeypatch.setattr(torch_values, "_free", {torch.float32: []})
        for module in (lightning_fit, lightning_rates):
            monkeypatch.setattr(module, "begin", self.begin)

    def query(self):
        return self.done

    def begin(self, values):
        begun = lightning_values.begin(values)
        self.begun += begun
        return {
            name: value if type(value) is Reading else Reading(torch.tensor(value), self, None)
            for name, value in begun.items()
        }


def test_nothing_is_waited_for_while_a_fit_goes_on(autolog_run, tmp_path, monkeypatch):
    """Every value of a trainer passes the one place that begins to read it, and is recorded when it has arrived."""
    device, written = Device(monkeypatch), []

    class Slow(Line):
        def training_step(self, batch, index):
            self.log("step", 10.0 * self.global_step)
            self.log("mean", float(index), on_step=False, on_epoch=True)
            self.logger.log_metrics({"direct": torch.tensor(float(index))})
            return super().training_step(batch, index)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=torch.tensor(0.5), foreach=False)

        def on_fit_end(self):
            written.extend(record for record in journal_of(autolog.current_run()) if isinstance(record, events.Metrics))
            device.done = True

    model = Slow()
    trainer(tmp_path, logger=AutologLogger()).fit(model, data(), data())
    names = {name for record in written for name in record.values}
    assert {name for name in names if not name.startswith("autolog/")} == set()
    (fit,) = autolog_run.read().children
    assert fit.series("loss") == list(zip([0, 10, 20, 30], [pytest.approx(value) for value in model.told], strict=True))
    assert steps(fit, "lr-SGD") == [0, 10, 20, 30]
    assert {value for _, value in fit.series("lr-SGD")} == {0.5}
    assert [value for _, value in fit.series("direct")] == [0, 1, 2, 3]
    assert [value for _, value in fit.series("mean")] == [1.5]
    assert {"loss", "lr-SGD", "direct", "mean", "val_loss", "step"} == set(device.begun)


def journal_of(run):
    return [record for record, _ in journal.read(run.directory / "journal.jsonl")]


@pytest.mark.gpu
def test_no_synchronisation_is_added_on_a_gpu(autolog_run, tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")

    class Rated(Line):
        def training_step(self, batch, index):
            loss = self.loss(batch)
            self.log("loss", loss)
            return loss

        def configure_optimizers(self):
            rate = torch.tensor(0.1, device=self.device)
            return torch.optim.Adam(self.parameters(), lr=rate, capturable=True)

        def on_train_batch_start(self, batch, index):
            torch.cuda.set_sync_debug_mode("error")

        def on_train_batch_end(self, outputs, batch, index):
            self.net.weight_seen = None

        def on_train_epoch_end(self):
            torch.cuda.set_sync_debug_mode("default")

    try:
        trainer(tmp_path, accelerator="gpu", devices=1, enable_checkpointing=False).fit(Rated(), data())
    finally:
        torch.cuda.set_sync_debug_mode("default")
    (fit,) = autolog_run.read().children
    assert steps(fit, "loss") == [1, 2, 3, 4]
    assert [value for _, value in fit.series("lr-Adam")] == pytest.approx([0.1] * 4)


# -- checkpoints, resuming, stopping -----------------------------------------------------------------------------------


def test_checkpoints_early_stopping_and_resuming(autolog_run, tmp_path):
    keeping = ModelCheckpoint(str(tmp_path / "kept"), "{epoch}", monitor="val_loss", save_top_k=2, save_last="link")
    stopping = EarlyStopping("val_loss", stopping_threshold=1e6)  # met at once
    first = trainer(tmp_path, max_epochs=3, min_epochs=3, callbacks=[keeping, stopping])
    first.fit(Line(), data(), data())
    first.save_checkpoint(tmp_path / "mine.ckpt")
    goes_on = trainer(tmp_path, max_epochs=4, callbacks=[ModelCheckpoint(str(tmp_path / "more"))])
    goes_on.fit(Line(), data(), data(), ckpt_path=tmp_path / "mine.ckpt")
    goes_on.validate(Line(), data(), ckpt_path=keeping.best_model_path, verbose=False)
    whole = autolog_run.read()
    fit, more, judged = whole.children
    assert whole.problems == []

    scores = dict(fit.series("val_loss"))
    checkpoints = {Path(each["path"]).name: each for each in fit.facts["checkpoints"]}
    assert set(checkpoints) == {"epoch=0.ckpt", "epoch=1.ckpt", "epoch=2.ckpt", "last.ckpt"}
    assert [checkpoints[f"epoch={number}.ckpt"]["score"] for number in range(3)] == list(scores.values())
    gone = [name for name, each in checkpoints.items() if each.get("removed")]
    assert gone == [name for name in checkpoints if not (tmp_path / "kept" / name).exists()] == ["epoch=0.ckpt"]
    (best,) = [each for each in checkpoints.values() if each.get("best")]
    assert (best["path"], best["score"]) == (keeping.best_model_path, min(scores.values()))
    assert checkpoints["last.ckpt"]["last"] is True
    assert {"best", "last", "epoch=0.ckpt"} <= {asset.name for asset in fit.assets}
    assert [asset.name for asset in whole.run.assets] == ["mine.ckpt"]

    (told,) = [fact for fact in fit.facts["callbacks"] if fact["class"] == "EarlyStopping"]
    assert told["stopping_threshold"] == 1e6
    if hasattr(stopping, "stopping_reason"):  # older versions only print it
        assert told["stopping_reason"] == "stopping_threshold"
        assert "Stopping threshold reached" in told["stopping_reason_message"]
    assert more.facts["restored_checkpoint"] == {"path": str(tmp_path / "mine.ckpt"), "step": 12, "epoch": 3}
    assert steps(more, "loss") == [13, 14, 15, 16]
    assert judged.facts["restored_checkpoint"] == {"path": keeping.best_model_path}
    assert judged.facts["data"]["val"]["rows"] == 32


CLI = """
import warnings; warnings.simplefilter("ignore")
import lightning.pytorch as pl, torch
from lightning.pytorch.cli import LightningCLI
from torch.utils.data import DataLoader

class Rows(pl.LightningDataModule):
    def __init__(self, batch: int = 8):
        super().__init__()
        self.batch = batch
    def train_dataloader(self):
        return DataLoader(torch.ones(32, 4), batch_size=self.batch)

class Model(pl.LightningModule):
    def __init__(self, lr: float = 0.1):
        super().__init__()
        self.save_hyperparameters()
        self.net = torch.nn.Linear(4, 1)
    def training_step(self, batch, index):
        loss = self.net(batch).square().mean()
        self.log("loss", loss)
        return loss
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), self.hparams.lr)

cli = LightningCLI(Model, Rows, seed_everything_default=3)
weights = [parameter.data for parameter in cli.model.parameters()]
print(cli.parser.dump(cli.config, skip_none=False))
"""


def test_the_configuration_of_the_command_line(tmp_path):
    quiet = "--trainer.logger=false --trainer.enable_progress_bar=false --trainer.enable_checkpointing=false"
    words = f"fit --model.lr=0.25 --data.batch=16 --trainer.max_epochs=1 --trainer.accelerator=cpu {quiet}".split()
    script = f"import autolog\n{SEED}\n{CLI}"
    off = run_script(tmp_path / "off", script, tuple(words), AUTOLOG="off")
    on = run_script(tmp_path / "on", script, tuple(words))
    same(off, on)
    assert on.code == 0, on.stderr
    (fit,) = on.recording.children
    assert on.recording.problems == []
    cli = {name for name, source in fit.sources.items() if source == "lightning.cli"}
    assert {"model.lr", "data.batch", "seed_everything"} <= cli
    assert (fit.params["model.lr"], fit.params["data.batch"], fit.params["seed_everything"]) == (0.25, 16, 3)
    assert (fit.params["trainer.max_epochs"], fit.params["lr"]) == (1, 0.25)
    assert fit.facts["changed_arguments"]["max_epochs"] == 1
    assert "log_every_n_steps" not in fit.facts["changed_arguments"]
    assert steps(fit, "loss") == [1, 2]


# -- trainers, modules and callbacks of all kinds ----------------------------------------------------------------------


class Loud(pl.Trainer):
    def fit(self, *args, **kwargs):
        self.heard = True
        super().fit(*args, **kwargs)


class Own(pl.Trainer):
    """A trainer with a loop of its own."""

    def fit(self, model, loader):
        optimizer = model.configure_optimizers()
        for batch in loader:
            optimizer.zero_grad()
            loss = model.loss(batch)
            loss.backward()
            optimizer.step()


class Raising(Callback):
    def __init__(self, place, error):
        setattr(self, place, self.fail)
        self.error = error

    def fail(self, *_, **__):
        raise self.error


def test_trainers_that_override_fit_threads_tasks_and_forks(autolog_run, tmp_path):
    fitting = trainer(tmp_path, Loud)
    fitting.fit(Line(), data())
    assert fitting.heard
    trainer(tmp_path, Own).fit(Line(), data())
    thread = threading.Thread(target=lambda: trainer(tmp_path).fit(Line(), data()))
    thread.start()
    thread.join()

    async def task():
        await asyncio.sleep(0)
        trainer(tmp_path).fit(Line(), data())

    asyncio.run(task())
    child = os.fork()
    if child == 0:
        os._exit(0 if autolog.integrations.lightning.fit_of() is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    whole = autolog_run.read()
    assert whole.problems == []
    loud, own, *others = whole.children
    assert (own.integration, steps(own, "loss")) == ("torch", [1, 2, 3, 4])
    for fit in (loud, *others):
        assert (fit.name, fit.integration, fit.status) == ("Line", "lightning", "completed")
        assert steps(fit, "loss") == [1, 2, 3, 4]
    assert len(others) == 2


@pytest.mark.parametrize("place", ["on_train_batch_end", "on_fit_end", "teardown"])
def test_a_callback_that_raises(autolog_run, tmp_path, place):
    error = LookupError("of the callback")
    with pytest.raises(LookupError) as caught:
        trainer(tmp_path, callbacks=[Raising(place, error)]).fit(Line(), data())
    assert caught.value is error
    whole = autolog_run.read()
    (fit,) = whole.children
    assert (fit.status, fit.end.exception["message"], whole.problems) == ("failed", "of the callback", [])
    # Lightning tells of a batch after its callbacks: one that they break off is no batch yet.
    assert steps(fit, "loss") == ([] if place == "on_train_batch_end" else [1, 2, 3, 4])


# -- explicit control --------------------------------------------------------------------------------------------------


def test_what_explicit_classes_can_be_told(autolog_run, tmp_path):
    run = autolog.start_run(name="mine")
    outer = run.open_child("outer", "group")
    callback = AutologCallback(
        every_n_steps=2, metrics="*loss", learning_rates=False, throughput=False, checkpoints=False, run=outer,
        name="chosen",
    )  # fmt: skip
    copied = pickle.loads(pickle.dumps(callback))
    assert (copied.autolog_options.name, copied.autolog_options.run) == ("chosen", None)
    assert copy.deepcopy(callback).autolog_options.every_n_steps == 2
    model = Line()
    trainer(tmp_path, callbacks=[callback]).fit(model, data(), data())
    logger = AutologLogger(metrics=["loss"], throughput=False)
    plain = trainer(tmp_path, logger=logger)
    plain.fit(Line(), data(), data())
    assert float(plain.logged_metrics["val_loss"]) == float(plain.callback_metrics["val_loss"])
    with pytest.raises(ValueError, match="positive whole number, given 0"):
        AutologCallback(every_n_steps=0)
    whole = autolog_run.read()
    assert whole.problems == []
    _, chosen, other = whole.children
    assert (chosen.name, chosen.parent) == ("chosen", outer.child_id)
    own = {name for name in chosen.metric_names if not name.startswith("autolog/weight")}
    assert {name for name in own if "gradient" not in name} == {"loss", "val_loss"}
    assert chosen.series("loss") == [(2, model.told[1]), (4, model.told[3])]
    assert chosen.assets == [] or {asset.kind for asset in chosen.assets} == {"histograms"}
    assert "checkpoints" not in chosen.facts
    assert {name for name in other.metric_names if not name.startswith("autolog/")} == {"loss"}
    assert steps(other, "loss") == [1, 2, 3, 4]


@pytest.mark.parametrize("where", ["callback", "logger"])
def test_weights_are_recorded_as_asked(autolog_run, tmp_path, monkeypatch, where):
    monkeypatch.setattr(weights, "process_budget", weights.Budget(1000.0))

    def fit(asked):
        ours = (
            {"callbacks": [AutologCallback(weights=asked)]}
            if where == "callback"
            else {"logger": AutologLogger(weights=asked)}
        )
        trainer(tmp_path, max_epochs=2, **ours).fit(Line(), data())

    fit("epoch")  # though the setting says off
    fit(3)
    config.configure(weights="epoch")
    try:
        fit("off")
    finally:
        config.configure(weights=None)
    fits = autolog_run.read().children
    assert [[asset.step for asset in fit.assets if asset.name == "weights"] for fit in fits] == [[4, 8], [3, 6], []]
    with pytest.raises(ValueError, match=f"Autolog{where.title()}: setting 'weights' must be"):
        fit("often")


# -- everything it says it captures ------------------------------------------------------------------------------------


def test_captures_are_true(autolog_run, tmp_path):
    class Rows(pl.LightningDataModule):
        def __init__(self, batch=8):
            super().__init__()
            self.save_hyperparameters()

        def train_dataloader(self):
            return data(32, self.hparams.batch)

        val_dataloader = test_dataloader = predict_dataloader = train_dataloader

    class All(Line):
        def training_step(self, batch, index):
            loss = self.loss(batch)
            self.log("train_loss", loss, on_step=True, on_epoch=True)
            return loss

        test_step = Line.validation_step

        def predict_step(self, batch, index):
            return self.net(batch[0])

        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=3)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": plateau, "monitor": "val_loss"}}

    model, rows = All(), Rows()
    fitting = trainer(tmp_path, callbacks=[ModelCheckpoint(save_last=True)])
    fitting.fit(model, datamodule=rows)
    fitting.validate(model, datamodule=rows, ckpt_path="last", verbose=False)
    fitting.test(model, datamodule=rows, verbose=False)
    fitting.predict(model, datamodule=rows)
    whole = autolog_run.read()
    rest = missing(integration.captures, whole)
    # The command line is tested as a process of its own.
    assert [row for row in rest if "lightning.cli" not in row] == []
    assert (whole.children[0].params["scheduler.monitor"], whole.children[0].params["scheduler.patience"]) == (
        "val_loss", 3,
    )  # fmt: skip
