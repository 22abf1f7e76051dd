"""Lightning, both packages: the whole record of real fits, compared with what Lightning itself reports."""

import contextlib
import copy
import csv
import importlib
import inspect
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import autolog
from autolog import plugins
from autolog.testing import recording

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning and torch warn about each other

PACKAGES = ("lightning.pytorch", "pytorch_lightning")
SPEED = {"autolog/steps_per_second", "autolog/samples_per_second"}
FACTS = {
    "model", "optimizers", "schedulers", "data", "callbacks", "training", "checkpoints", "changed_arguments",
}  # fmt: skip
OPTIONS = (
    "dampening", "weight_decay", "nesterov", "maximize", "foreach", "differentiable", "fused",
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny models only wait for each other's threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def data(rows=32, batch=8):
    x = torch.linspace(-1, 1, rows * 4).reshape(rows, 4)
    return DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=batch)


def modules(package):
    """A module and a data module on top of one of the two packages."""
    pl = importlib.import_module(package)

    class Line(pl.LightningModule):
        def __init__(self, hidden=8, lr=0.1):
            super().__init__()
            self.save_hyperparameters()
            torch.manual_seed(0)
            self.net = torch.nn.Sequential(torch.nn.Linear(4, hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, 1))
            self.told = []

        def loss(self, batch):
            x, y = batch
            return torch.nn.functional.mse_loss(self.net(x), y)

        def training_step(self, batch, index):
            loss = self.loss(batch)
            self.log("train_loss", loss, on_step=True, on_epoch=True)
            self.log("shown", loss, logger=False, prog_bar=True)
            return loss

        def on_train_batch_end(self, outputs, batch, index):
            self.told.append((self.trainer.global_step, self.trainer.current_epoch, float(outputs["loss"])))

        def validation_step(self, batch, index):
            self.log("val_loss", self.loss(batch))

        def test_step(self, batch, index):
            self.log("test_loss", self.loss(batch))

        def predict_step(self, batch, index):
            return self.net(batch[0])

        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.parameters(), lr=self.hparams.lr, momentum=0.9)
            return [optimizer], [{"scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.5), "interval": "step"}]

    class Rows(pl.LightningDataModule):
        def __init__(self, rows=32, batch=8):
            super().__init__()
            self.save_hyperparameters()

        def train_dataloader(self):
            return data(self.hparams.rows, self.hparams.batch)

        val_dataloader = train_dataloader

    return pl, Line, Rows


@pytest.fixture(scope="module")
def light():
    return modules("lightning.pytorch")


def trainer(pl, tmp_path, **options):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False, "accelerator": "cpu"}
    return pl.Trainer(**{"max_epochs": 2, "default_root_dir": tmp_path, "log_every_n_steps": 1, **quiet, **options})


def rows_of(logger):
    """What a CSVLogger wrote: ``{metric: [(epoch, value)]}``."""
    told = {}
    with Path(logger.experiment.metrics_file_path).open() as file:
        for row in csv.DictReader(file):
            for name, text in row.items():
                if text and row["epoch"] and name not in ("epoch", "step"):
                    told.setdefault(name, []).append((int(row["epoch"]), pytest.approx(float(text), abs=0)))
    return told


@pytest.mark.parametrize("package", PACKAGES)
def test_whole_record_of_a_fit(package, autolog_run, tmp_path):
    pl, line, rows = modules(package)
    beside = importlib.import_module(f"{package}.loggers").CSVLogger(tmp_path)
    callbacks = importlib.import_module(f"{package}.callbacks")
    stopping = callbacks.EarlyStopping("val_loss", patience=5)
    keeping = callbacks.ModelCheckpoint(tmp_path / "kept", monitor="val_loss")
    fitting = trainer(pl, tmp_path, logger=beside, callbacks=[stopping, keeping], gradient_clip_val=1.0)
    model = line(lr=0.05)
    fitting.fit(model, datamodule=rows())

    whole = autolog_run.read()
    (fit,) = whole.children
    assert (whole.problems, whole.run.metrics) == ([], [])
    assert (fit.name, fit.kind, fit.parent, fit.status) == ("Line", "fit", None, "completed")
    assert fit.integration == ("lightning" if package == "lightning.pytorch" else "pytorch_lightning")

    steps = [step for step, _, _ in model.told]
    assert steps == list(range(1, 9))
    assert fit.metric_names == {"train_loss_step", "train_loss_epoch", "val_loss", "lr-SGD"} | SPEED
    assert fit.points("train_loss_step") == model.told
    assert fit.points("lr-SGD") == [(step, epoch, 0.05 * 0.5 ** ((step - 1) // 3)) for step, epoch, _ in model.told]
    logged = rows_of(beside)
    assert set(logged) == fit.metric_names - {"lr-SGD"} - SPEED
    for name, values in logged.items():
        assert [(epoch, value) for _, epoch, value in fit.points(name)] == values
    assert [step for step, _ in fit.series("val_loss")] == [4, 8]
    assert [step for step, _ in fit.series("train_loss_epoch")] == [4, 8]
    assert fit.series("val_loss")[-1][1] == float(fitting.callback_metrics["val_loss"])

    params = fit.params
    assert {name: params[name] for name in params if "." not in name} == {
        "hidden": 8,
        "lr": 0.05,
        "rows": 32,
        "batch": 8,
    }
    assert params["trainer.max_epochs"] == 2
    assert params["trainer.min_epochs"] == 0
    assert params["trainer.gradient_clip_val"] == 1.0
    assert params["trainer.precision"] == "32-true"
    assert params["trainer.strategy"] == "SingleDeviceStrategy"
    assert {name for name in params if name.startswith("optimizer.")} == {
        "optimizer.name", "optimizer.lr", "optimizer.initial_lr", "optimizer.momentum",
        *(f"optimizer.{option}" for option in OPTIONS),
    }  # fmt: skip
    assert (params["optimizer.name"], params["optimizer.lr"], params["optimizer.momentum"]) == ("SGD", 0.05, 0.9)
    assert {name: params[name] for name in params if name.startswith("scheduler.")} == {
        "scheduler.name": "StepLR", "scheduler.step_size": 3, "scheduler.gamma": 0.5, "scheduler.interval": "step",
        "scheduler.frequency": 1,
    }  # fmt: skip
    assert fit.sources["lr"] == "lightning.module"
    assert fit.sources["rows"] == "lightning.datamodule"

    assert set(fit.facts) == FACTS
    assert fit.facts["training"] == {"steps": 8, "epochs": 2, "batches": 8, "stopped_by": "max_epochs"}
    assert fit.facts["model"]["parameters"] == fit.facts["model"]["trainable_parameters"] == 49
    assert fit.facts["model"]["parts"] == [{"name": "net", "class": "Sequential", "parameters": 49}]
    (schedule,) = fit.facts["schedulers"]
    assert (schedule["step_size"], schedule["gamma"], schedule["interval"]) == (3, 0.5, "step")
    loader = {
        "type": "DataLoader", "rows": 32, "batch_size": 8, "dataset": "TensorDataset", "sampler": "SequentialSampler",
        "workers": 0, "drop_last": False,
    }  # fmt: skip
    assert fit.facts["data"] == {
        "train_batches": 4, "val_batches": [4], "batch_size": 8, "train_rows": 32, "train": loader, "val": loader,
    }  # fmt: skip
    assert [step for step, _ in fit.series("autolog/samples_per_second")] == [4, 8]
    figures = (fit.series(name) for name in sorted(SPEED, reverse=True))
    for (_, steps_a_second), (_, rows_a_second) in zip(*figures, strict=True):
        assert rows_a_second == pytest.approx(8 * steps_a_second)
    ends = {fact["class"]: fact for fact in fit.facts["callbacks"]}
    best = min(value for _, value in fit.series("val_loss"))
    assert ends["EarlyStopping"]["best_score"] == best
    assert ends["EarlyStopping"]["patience"] == 5
    assert ends["ModelCheckpoint"]["best_model_path"] == keeping.best_model_path
    assert ends["ModelCheckpoint"]["best_model_score"] == best


def test_records_without_any_logger_and_keeps_the_logging_interval(light, autolog_run, tmp_path):
    pl, line, rows = light
    model = line()
    fitting = trainer(pl, tmp_path, log_every_n_steps=3)
    fitting.fit(model, datamodule=rows())
    (fit,) = autolog_run.read().children
    assert fit.points("train_loss_step") == [entry for entry in model.told if entry[0] % 3 == 0]
    assert [step for step, _ in fit.series("lr-SGD")] == [3, 6]
    assert fitting.loggers == []
    assert {type(callback).__name__ for callback in fitting.callbacks} == {"ModelCheckpoint"}


def test_validate_test_and_predict_are_child_runs_of_their_own(light, autolog_run, tmp_path):
    pl, line, _ = light
    fitting, model = trainer(pl, tmp_path, max_epochs=1), line()
    fitting.fit(model, data(), data())
    (validated,) = fitting.validate(model, data(), verbose=False)
    (tested,) = fitting.test(model, data(), verbose=False)
    fitting.predict(model, data())
    fit, validate, test, predict = autolog_run.read().children
    assert [child.kind for child in (fit, validate, test, predict)] == ["fit", "validate", "test", "predict"]
    assert validate.points("val_loss") == [(4, 1, validated["val_loss"])]
    assert test.points("test_loss") == [(4, 1, tested["test_loss"])]
    assert predict.metrics == []
    assert [child.status for child in (validate, test, predict)] == ["completed"] * 3


def test_sanity_check_is_no_validation_and_evaluation_steps_are_lightnings(light, autolog_run, tmp_path):
    pl, line, _ = light

    class Stepwise(line):
        def validation_step(self, batch, index):
            self.log("val_loss", self.loss(batch), on_step=True, on_epoch=True)

    trainer(pl, tmp_path, max_epochs=1, num_sanity_val_steps=2).fit(Stepwise(), data(), data())
    (fit,) = autolog_run.read().children
    assert {name for name in fit.metric_names if "val" in name} == {"val_loss_step", "val_loss_epoch"}
    assert [step for step, _ in fit.series("val_loss_step")] == [0, 1, 2, 3]
    assert [step for step, _ in fit.series("val_loss_epoch")] == [4]


def test_own_step_and_epoch_keys_are_axes(light, autolog_run, tmp_path):
    pl, line, _ = light

    class Axes(line):
        def training_step(self, batch, index):
            loss = self.loss(batch)
            self.log("x", 1.0)
            self.log("step", 100.0 + index)
            self.log("epoch", 7.0)
            return loss

    trainer(pl, tmp_path, max_epochs=1).fit(Axes(), data())
    (fit,) = autolog_run.read().children
    assert fit.points("x") == [(100 + index, 7, 1.0) for index in range(4)]
    assert fit.metric_names == {"x", "lr-SGD"} | SPEED


def test_many_optimizers_and_groups_count_as_lightning_counts(light, autolog_run, tmp_path):
    pl, line, _ = light

    class Duel(line):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = False

        def training_step(self, batch, index):
            for optimizer in self.optimizers():
                optimizer.zero_grad()
                self.manual_backward(self.loss(batch))
                optimizer.step()
            self.log("after", float(self.trainer.global_step))

        def on_train_batch_end(self, outputs, batch, index):
            pass

        def configure_optimizers(self):
            first, last = self.net[0], self.net[2]
            groups = [{"params": first.parameters(), "lr": 0.1}, {"params": last.parameters(), "lr": 0.2}]
            return torch.optim.Adam(groups), torch.optim.Adam(last.parameters(), lr=0.3)

    trainer(pl, tmp_path, max_epochs=1).fit(Duel(), data())
    (fit,) = autolog_run.read().children
    assert fit.series("after") == [(2, 2.0), (4, 4.0), (6, 6.0), (8, 8.0)]
    rates = {name: fit.series(name)[0] for name in fit.metric_names if name.startswith("lr-")}
    assert rates == {"lr-Adam/pg1": (2, 0.1), "lr-Adam/pg2": (2, 0.2), "lr-Adam-1": (2, 0.3)}
    assert fit.params["optimizer.0.groups.0.lr"] == 0.1
    assert fit.params["optimizer.0.groups.1.lr"] == 0.2
    assert fit.params["optimizer.1.lr"] == 0.3
    assert [fact["groups"][0]["parameters"] for fact in fit.facts["optimizers"]] == [40, 9]


def test_accumulated_gradients_keep_the_optimizer_step(light, autolog_run, tmp_path):
    pl, line, _ = light
    trainer(pl, tmp_path, max_epochs=1, accumulate_grad_batches=2).fit(line(), data())
    (fit,) = autolog_run.read().children
    assert [step for step, _ in fit.series("train_loss_step")] == [1, 2]
    assert fit.params["trainer.accumulate_grad_batches"] == 2


def test_own_log_calls_take_the_trainers_step_and_epoch(light, autolog_run, tmp_path):
    pl, line, _ = light

    class Talking(line):
        def training_step(self, batch, index):
            autolog.log_metric("mine", index)
            return self.loss(batch)

    trainer(pl, tmp_path).fit(Talking(), data())
    (fit,) = autolog_run.read().children
    assert fit.points("mine") == [(step, step // 4, step % 4) for step in range(8)]


@pytest.mark.parametrize("place", ["training_step", "configure_optimizers", "on_fit_start", "validation_step"])
def test_an_error_marks_the_fit_failed_and_passes_unchanged(light, autolog_run, tmp_path, place):
    pl, line, _ = light
    error = ValueError("no such luck")

    def fail(*_):
        raise error

    with pytest.raises(ValueError, match="no such luck") as caught:
        trainer(pl, tmp_path).fit(type("Bad", (line,), {place: fail})(), data(), data())
    assert caught.value is error
    whole = autolog_run.read()
    (fit,) = whole.children
    assert (fit.name, fit.status, whole.problems) == ("Bad", "failed", [])
    assert fit.end.exception["type"] == "ValueError"
    assert fit.params["hidden"] == 8


def test_ctrl_c_marks_the_fit_interrupted(light, autolog_run, tmp_path):
    pl, line, _ = light

    class Stopped(line):
        def training_step(self, batch, index):
            signal.raise_signal(signal.SIGINT)

    before, fitting = signal.getsignal(signal.SIGINT), trainer(pl, tmp_path)
    try:
        with contextlib.suppress(SystemExit):  # Lightning's way; 2.1 returns as if nothing had been
            fitting.fit(Stopped(), data())
    finally:
        signal.signal(signal.SIGINT, before)
    assert fitting.interrupted
    (fit,) = autolog_run.read().children
    assert fit.status == "interrupted"


def test_a_second_fit_is_a_second_child_run_and_steps_go_on(light, autolog_run, tmp_path):
    pl, line, _ = light
    fitting, model = trainer(pl, tmp_path, max_epochs=1), line()
    fitting.fit(model, data())
    fitting.fit_loop.max_epochs = 2
    fitting.fit(model, data())
    first, second = autolog_run.read().children
    assert [step for step, _ in first.series("train_loss_step")] == [1, 2, 3, 4]
    assert [step for step, _ in second.series("train_loss_step")] == [5, 6, 7, 8]
    assert {epoch for _, epoch, _ in second.points("train_loss_step")} == {1}


def test_a_fit_within_a_fit_reports_through_the_owner(light, autolog_run, tmp_path):
    pl, line, _ = light
    with autolog.start_run().child("search", "fit", integration="sklearn"):
        trainer(pl, tmp_path, max_epochs=1).fit(line(), data())
    (owner,) = autolog_run.read().children
    assert owner.name == "search"
    assert [step for step, _ in owner.series("train_loss_step")] == [1, 2, 3, 4]
    assert owner.params == {}


def test_a_search_for_a_learning_rate_is_not_taken_for_training(light, autolog_run, tmp_path):
    pl, line, _ = light
    from lightning.pytorch.tuner import Tuner

    fitting, model = trainer(pl, tmp_path, max_epochs=1), line()
    Tuner(fitting).lr_find(model, data(400, 4), num_training=10)
    fitting.fit(model, data())
    search, fit = autolog_run.read().children
    assert (search.metrics, search.status) == ([], "completed")
    assert [step for step, _ in fit.series("train_loss_step")] == [1, 2, 3, 4]


# -- explicit ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["on", "off"])
def automatic(request):
    """The explicit classes work with the automatic integration and without it."""
    if request.param == "off":
        autolog.disable("lightning")
    yield request.param
    autolog.enable("lightning")
    assert plugins.states()["lightning"].status == "patched"


def test_explicit_logger_records_nothing_twice(light, autolog_run, tmp_path, automatic):
    from lightning.pytorch.callbacks import LearningRateMonitor
    from lightning.pytorch.loggers import CSVLogger, Logger

    from autolog.integrations.lightning import AutologLogger

    pl, line, _ = light

    class Direct(line):
        def on_train_epoch_end(self):
            self.loggers[0].log_metrics({"direct": 1.5}, step=77)
            self.loggers[0].experiment.log_param("said", "so")

    logger, beside = AutologLogger(), CSVLogger(tmp_path)
    assert isinstance(logger, Logger)
    model = Direct()
    fitting = trainer(pl, tmp_path, max_epochs=1, logger=[logger, beside], callbacks=[LearningRateMonitor("step")])
    fitting.fit(model, data(), data())
    assert (logger.name, logger.version) == (autolog.current_run().project, autolog.current_run().id)
    assert fitting.checkpoint_callback.dirpath.startswith(str(tmp_path / logger.name / logger.version))
    whole = autolog_run.read()
    assert whole.problems == []
    told = whole.children[0] if automatic == "on" else whole.run
    assert len(whole.children) == (1 if automatic == "on" else 0)
    logged = rows_of(beside)
    speed = SPEED if automatic == "on" else set()
    assert told.metric_names == {"train_loss_step", "train_loss_epoch", "val_loss", "direct", "lr-SGD"} | speed
    for name in ("train_loss_step", "train_loss_epoch", "val_loss"):
        assert [(epoch, value) for _, epoch, value in told.points(name)] == logged[name]
    assert told.series("direct") == [(77, 1.5)]
    assert [value for _, value in told.series("lr-SGD")] == [0.1, 0.1, 0.1, 0.05]
    assert (told.params["hidden"], told.params["lr"], told.params["said"]) == (8, 0.1, "so")
    assert told.sources["lr"] == "lightning.logger"


def test_explicit_callback_records_what_the_automatic_one_would(light, autolog_run, tmp_path, automatic):
    from lightning.pytorch.callbacks import Callback

    from autolog.integrations.lightning import AutologCallback

    pl, line, rows = light
    callback, model = AutologCallback(), line()
    assert isinstance(callback, Callback)
    fitting = trainer(pl, tmp_path, callbacks=[callback])
    fitting.fit(model, datamodule=rows())
    trainer(pl, tmp_path, max_epochs=1).fit(line(), data())  # not asked for, automatic only
    whole = autolog_run.read()
    fit, *others = whole.children
    assert len(others) == (1 if automatic == "on" else 0)
    assert (whole.problems, fit.status, fit.kind, fit.integration) == ([], "completed", "fit", "lightning")
    assert fit.points("train_loss_step") == model.told
    assert [step for step, _ in fit.series("val_loss")] == [4, 8]
    assert fit.metric_names == {"train_loss_step", "train_loss_epoch", "val_loss", "lr-SGD"} | SPEED
    assert (fit.params["lr"], fit.params["rows"], fit.params["optimizer.lr"]) == (0.1, 32, 0.1)
    assert set(fit.facts) == FACTS - ({"changed_arguments"} if automatic == "off" else set())


def test_explicit_callback_sees_the_error(light, autolog_run, tmp_path, automatic):
    from autolog.integrations.lightning import AutologCallback

    pl, line, _ = light

    def fail(*_):
        raise ValueError("no")

    callback = AutologCallback()
    fitting = trainer(pl, tmp_path, callbacks=[callback], max_epochs=1)
    with pytest.raises(ValueError, match="no"):
        fitting.fit(type("Bad", (line,), {"training_step": fail})(), data())
    fitting.fit(line(), data())
    bad, good = autolog_run.read().children
    assert (bad.status, bad.end.exception["message"], good.status) == ("failed", "no", "completed")
    assert copy.deepcopy(callback).state_dict() == {}


def test_explicit_classes_of_the_other_package():
    import pytorch_lightning

    from autolog.integrations import lightning
    from autolog.integrations import pytorch_lightning as other

    assert issubclass(other.AutologLogger, pytorch_lightning.loggers.Logger)
    assert issubclass(other.AutologCallback, pytorch_lightning.Callback)
    assert other.AutologLogger is other.AutologLogger
    assert lightning.AutologLogger is not other.AutologLogger
    assert isinstance(pickle.loads(pickle.dumps(other.AutologCallback())), other.AutologCallback)
    with pytest.raises(AttributeError, match="AutologLoger"):
        lightning.AutologLoger  # noqa: B018  the access is the test


# -- transparency ------------------------------------------------------------------------------------------------------


def test_trainers_copies_and_signatures_are_untouched(light, tmp_path, autolog_run):
    pl, line, _ = light
    model = line()
    names = ("_run", "_run_stage", "fit")
    signatures = [inspect.signature(getattr(pl.Trainer, name)) for name in names]
    autolog.disable("lightning")
    assert signatures == [inspect.signature(getattr(pl.Trainer, name)) for name in names]
    bare = trainer(pl, tmp_path, max_epochs=1)
    bare.fit(line(), data())
    autolog.enable("lightning")
    fitting = trainer(pl, tmp_path, max_epochs=1)
    fitting.fit(model, data())
    assert (set(vars(fitting)), set(vars(model))) == (set(vars(bare)), set(vars(bare.lightning_module)))
    assert not any("autolog" in repr(value).lower() for value in vars(fitting).values())
    assert copy.deepcopy(model).told == model.told


IMPORTS = """
import warnings; warnings.simplefilter("ignore")
import signal, torch, {package} as pl
from {package} import LightningModule, Trainer
from torch.utils.data import DataLoader, TensorDataset
"""
BODY = """
class Line(LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))
    def training_step(self, batch, index):
        loss = torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])
        self.log("loss", loss)
        if index == 5 and failing == "error":
            raise ValueError("the weather")
        if index == 5 and failing == "Ctrl-C":
            signal.raise_signal(signal.SIGINT)
        return loss
    def validation_step(self, batch, index):
        self.log("val_loss", torch.nn.functional.mse_loss(self.net(batch[0]), batch[1]))
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())

pl.seed_everything(3)
x = torch.randn(48, 4)
loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=8, shuffle=True)
model = Line()
weights = [parameter.data for parameter in model.parameters()]
options = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu")
trainer = Trainer(max_epochs=2, **options)
print([type(callback).__name__ for callback in trainer.callbacks], trainer.loggers)
failing = None
trainer.fit(model, loader, loader)
print({name: float(value) for name, value in trainer.callback_metrics.items()}, trainer.global_step)
"""


@pytest.mark.parametrize(
    ("package", "failing", "status"),
    [("lightning.pytorch", "error", "failed"), ("pytorch_lightning", "Ctrl-C", "interrupted")],
)
def test_training_is_the_same_with_and_without(transparent, package, failing, status):
    again = f"failing = {failing!r}\nTrainer(max_epochs=1, **options).fit(model, loader)"
    compared = transparent(IMPORTS.format(package=package), f"{BODY}\n{again}")
    goes_on = failing == "Ctrl-C" and compared.off.code == 0  # Lightning 2.1 returns from the fit
    assert compared.off.code == 1 or goes_on
    for outcome in (compared.first, compared.late):
        done, failed = outcome.recording.children
        assert (done.status, failed.status, outcome.recording.problems) == ("completed", status, [])
        assert outcome.recording.run.status == ("completed" if goes_on else status)
        assert [step for step, _ in done.series("val_loss")] == [6, 12]


RANKS = """
import autolog
import os, torch, lightning.pytorch as pl
from torch.utils.data import DataLoader

class Line(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(4, 1)
    def training_step(self, batch, index):
        autolog.log_metric(f"mine/{self.global_rank}", index)
        loss = self.net(batch).square().mean()
        self.log("loss", loss)
        return loss
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)

pl.Trainer(
    max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu", devices=2,
    strategy="ddp", log_every_n_steps=1,
).fit(Line(), DataLoader(torch.ones(16, 4), batch_size=4))
"""


def test_ranks_that_lightning_starts_are_one_run_and_rank_0_reports(tmp_path):
    (tmp_path / "train.py").write_text(RANKS)
    environment = os.environ | {"AUTOLOG_DIR": str(tmp_path / "runs"), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "train.py"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    (directory,) = (tmp_path / "runs").glob("*/*/")
    told = recording(tmp_path / "runs")
    (fit,) = told.children
    assert (told.problems, told.run.status, fit.status) == ([], "completed", "completed")
    assert [step for step, _ in fit.series("loss")] == [1, 2]
    assert fit.params["trainer.world_size"] == 2
    assert fit.series("mine/0") == [(0, 0), (1, 1)]
    assert [value for _, value in told.run.series("mine/1")] == [0, 1]
    assert len(list(directory.glob("journal*.jsonl"))) == 2


def test_disable_restores_the_originals(restores):
    restores(
        # In `lightning` the integration of Fabric, which stays on, has patches of its own.
        "pytorch_lightning", ["pytorch_lightning"], IMPORTS.format(package="pytorch_lightning"),
        BODY,
        ["_LoggerConnector.log_metrics", "Trainer._run", "Trainer._run_stage", "_LoggerConnector.on_batch_start"],
    )  # fmt: skip
