"""Plain PyTorch: programs with loops of their own, and every value on record equal to what the program saw itself."""

import copy
import pickle
import threading
import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, TensorDataset

import autolog
from autolog.store import reader

SGD = ("dampening", "weight_decay", "nesterov", "maximize", "foreach", "differentiable", "fused")


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny models only wait for each other's threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def rows(count=20):
    torch.manual_seed(0)
    x = torch.randn(count, 4)
    return TensorDataset(x, x.sum(1, keepdim=True))


def line(hidden=8):
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, 1))


def mse(model, batch):
    return torch.nn.functional.mse_loss(model(batch[0]), batch[1])


def whole_loop(tmp_path):
    # Functions with `assert` are no place to train in here: pytest rewrites them to call `locals()`.
    model, told, rates = line(), [], []
    optimizer = torch.optim.SGD(
        [{"params": model[0].parameters(), "lr": 0.05}, {"params": model[2].parameters()}], lr=0.1, momentum=0.9
    )
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    train, check = DataLoader(rows(), batch_size=8, shuffle=True), DataLoader(rows(), batch_size=10)
    for epoch in range(3):
        for batch in train:
            optimizer.zero_grad()
            loss = mse(model, batch)
            loss.backward()
            optimizer.step()
            told.append((len(told) + 1, epoch, loss.item()))
            rates.append((len(told), optimizer.param_groups[0]["lr"]))
        autolog.log_metric("val_loss", sum(mse(model, batch).item() for batch in check))
        scheduler.step()
    torch.save(model.state_dict(), tmp_path / "last.pt")
    return told, rates


def test_whole_record_of_a_loop(autolog_run, tmp_path):
    told, rates = whole_loop(tmp_path)
    whole = autolog_run.read()
    (fit,) = whole.children
    assert whole.problems == []
    assert (fit.name, fit.kind, fit.integration, fit.parent) == ("Sequential", "fit", "torch", None)
    assert fit.points("loss") == told
    assert fit.series("lr-SGD/pg1") == rates
    assert fit.series("lr-SGD/pg2") == [(step, 2 * rate) for step, rate in rates]
    assert fit.metric_names == {"loss", "lr-SGD/pg1", "lr-SGD/pg2", "autolog/samples_per_second"}
    assert [(step, epoch) for step, epoch, _ in fit.points("autolog/samples_per_second")] == [(3, 0), (6, 1), (9, 2)]
    assert [(step, epoch) for step, epoch, _ in whole.run.points("val_loss")] == [(3, 0), (6, 1), (9, 2)]

    assert fit.params["optimizer.name"] == "SGD"
    assert (fit.params["optimizer.groups.0.lr"], fit.params["optimizer.groups.1.lr"]) == (0.05, 0.1)
    assert fit.params["optimizer.momentum"] == 0.9
    assert fit.params["scheduler.name"] == "StepLR"
    assert (fit.facts["schedulers"][0]["step_size"], fit.facts["schedulers"][0]["gamma"]) == (1, 0.5)
    assert fit.facts["model"]["parameters"] == 49
    assert fit.facts["model"]["modules"] == [["0", "Linear"], ["1", "Tanh"], ["2", "Linear"]]
    assert [group["tensors"] for group in fit.facts["optimizers"][0]["groups"]] == [2, 2]
    assert fit.facts["data"] == {
        "train_batches": 3, "batch_size": 8, "train_rows": 20, "dataset": "TensorDataset", "workers": 0,
        "drop_last": False,
    }  # fmt: skip
    (asset,) = fit.assets
    assert (asset.name, asset.step, asset.path) == ("last.pt", 9, None)
    assert asset.uri.endswith("/last.pt")
    assert asset.size == (tmp_path / "last.pt").stat().st_size
    assert asset.metadata["saved_by"] == "torch.save"


def test_accumulated_gradients_keep_every_loss_at_its_step(autolog_run):
    model, told = line(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for number, batch in enumerate(DataLoader(rows(32), batch_size=4), 1):
        loss = mse(model, batch)
        (loss / 4).backward()
        told.append(((number - 1) // 4 + 1, loss.item() / 4))
        if number % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()
    (fit,) = autolog_run.read().children
    assert fit.series("loss") == [(step, pytest.approx(value, rel=1e-6)) for step, value in told]
    assert [step for step, _ in fit.series("lr-SGD")] == [1, 2]


def adversaries():
    maker, judge, told = line(), line(), {"err_d": [], "err_g": []}
    opt_d, opt_g = (torch.optim.Adam(model.parameters(), lr=lr) for model, lr in ((judge, 0.01), (maker, 0.02)))
    for number in range(6):
        opt_d.zero_grad()
        err_d = judge(torch.ones(2, 4)).mean()
        err_d.backward()
        opt_d.step()
        told["err_d"].append((number + 1, err_d.item()))
        if number % 3 == 2:
            opt_g.zero_grad()
            err_g = -maker(torch.ones(2, 4)).mean()
            err_g.backward()
            opt_g.step()
            told["err_g"].append((len(told["err_g"]) + 1, err_g.item()))
    return told


def test_two_optimizers_of_a_gan_are_one_training(autolog_run):
    told = adversaries()
    (fit,) = autolog_run.read().children
    assert {name: fit.series(name) for name in told} == told
    assert {value for _, value in fit.series("lr-Adam")} == {0.01}
    assert fit.series("lr-Adam-1") == [(1, 0.02), (2, 0.02)]
    assert (fit.params["optimizer.0.lr"], fit.params["optimizer.1.lr"]) == (0.01, 0.02)
    assert len(fit.facts["optimizers"]) == 2


class Holder:
    """A program's own object with a loss as its attribute."""


def test_names_of_losses(autolog_run):
    model = line()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    x, criterion, holder = torch.ones(2, 4), torch.nn.MSELoss(), Holder()
    recon_loss, kl_loss, objective = (model(x).mean() * scale for scale in (1, 2, 3))
    holder.attribute = model(x).mean() * 4
    objective.backward(retain_graph=True)
    holder.attribute.backward()
    torch.autograd.backward([recon_loss, kl_loss], retain_graph=True)
    torch.autograd.backward(tensors=kl_loss, retain_graph=True)
    (recon_loss + kl_loss).backward()
    (recon_loss / 2).sum() if False else torch.nn.functional.mse_loss(model(x), x[:, :1]).backward()
    criterion(model(x), x[:, :1]).backward()
    (0.5 * model(x).mean()).backward()
    vector = model(x)
    vector.backward(torch.ones_like(vector))  # gradients are given: no loss
    optimizer.step()
    (fit,) = autolog_run.read().children
    counts = {name: len(fit.series(name)) for name in fit.metric_names}
    assert counts == {
        "objective": 1, "attribute": 1, "recon_loss": 1, "kl_loss": 2, "mse_loss": 1, "loss": 3, "lr-SGD": 1,
    }  # fmt: skip
    assert fit.series("objective") == [(1, pytest.approx(objective.item(), abs=0))]


def test_scaled_losses_are_recorded_unscaled_and_skipped_steps_counted(autolog_run):
    model, told = line(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2)
    scales = []
    for number, batch in enumerate(DataLoader(rows(), batch_size=4)):
        optimizer.zero_grad()
        loss = mse(model, batch) * (float("inf") if number in (0, 3) else 1)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scales.append(scaler.get_scale())
        scaler.update()
        told.append(loss.item())
    (fit,) = autolog_run.read().children
    assert fit.series("loss") == list(zip([1, 1, 2, 3, 3], told, strict=True))
    assert fit.series("autolog/skipped_steps") == [(0, 1), (2, 2)]
    assert [value for _, value in fit.series("amp_scale")] == scales[1:]
    assert len(fit.series("lr-SGD")) == 3


def test_closures_and_optimizers_within_optimizers(autolog_run):
    class Mine(torch.optim.SGD):
        def step(self, closure=None):
            return super().step(closure)

    model, told = line(), []
    torch.optim.SGD(model.parameters(), lr=0.1)  # so that the base's own step has hooks too
    optimizer = Mine(model.parameters(), lr=0.1)
    mse(model, rows()[:]).backward()
    optimizer.step()
    optimizer.step()
    newton = torch.optim.LBFGS(model.parameters(), max_iter=3)

    def closure():
        newton.zero_grad()
        loss = mse(model, rows()[:])
        loss.backward()
        told.append((1, loss.item()))
        return loss

    newton.step(closure)
    mine, newtons = autolog_run.read().children  # `newton` was not there at the first step
    assert [step for step, _ in mine.series("lr-Mine")] == [1, 2]
    assert newtons.series("loss") == told
    assert len(told) > 1


def fitted(model, steps=2, lr=0.1):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(steps):
        loss = mse(model, rows()[:])
        loss.backward()
        optimizer.step()
    return optimizer


def test_trainings_in_a_row_and_in_trials(autolog_run):
    fitted(line(3))
    fitted(line(4))
    for number in range(2):
        with autolog.current_run().child(f"trial {number}", "trial"):
            fitted(line(5 + number), steps=1)
    whole = autolog_run.read()
    fits = [child for child in whole.children if child.kind == "fit"]
    assert [fit.facts["model"]["parts"][0]["parameters"] for fit in fits] == [15, 20, 25, 30]
    assert [[step for step, _ in fit.series("loss")] for fit in fits] == [[1, 2], [1, 2], [1], [1]]
    trials = [child.id for child in whole.children if child.kind == "trial"]
    assert [fit.parent for fit in fits] == [None, None, *trials]


def test_each_thread_has_its_training(autolog_run):
    autolog.start_run()
    threads = [threading.Thread(target=fitted, args=(line(3 + number), 5)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fits = autolog_run.read().children
    assert sorted(fit.facts["model"]["parts"][0]["parameters"] for fit in fits) == [15, 20]
    assert [[step for step, _ in fit.series("loss")] for fit in fits] == [[1, 2, 3, 4, 5]] * 2


@pytest.mark.filterwarnings("ignore")  # Lightning and torch warn about each other
def test_lightning_reports_alone(autolog_run, tmp_path):
    import lightning.pytorch as pl

    class Line(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = line()

        def training_step(self, batch, index):
            loss = mse(self.net, batch)
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False, "accelerator": "cpu"}
    trainer = pl.Trainer(max_epochs=1, default_root_dir=tmp_path, log_every_n_steps=1, **quiet)
    trainer.fit(Line(), DataLoader(rows(), batch_size=10))
    fitted(line(), steps=1)
    one, other = autolog_run.read().children
    own = {name for name in one.metric_names if not name.startswith("autolog/")}
    assert (one.integration, own) == ("lightning", {"train_loss", "lr-SGD"})
    assert len(one.series("train_loss")) == 2
    assert [asset.name for asset in one.assets if asset.metadata.get("saved_by") == "torch.save"] == []
    assert (other.integration, len(other.series("loss"))) == ("torch", 1)


@pytest.mark.filterwarnings("ignore")
def test_transformers_reports_alone(autolog_run, tmp_path):
    from transformers import Trainer, TrainingArguments

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = line()

        def forward(self, x, labels):
            return {"loss": torch.nn.functional.mse_loss(self.net(x), labels)}

    data = [{"x": x, "labels": y} for x, y in rows()]
    options = TrainingArguments(
        str(tmp_path), max_steps=3, logging_steps=1, use_cpu=True, disable_tqdm=True, save_strategy="no"
    )
    Trainer(Model(), options, train_dataset=data).train()
    (fit,) = autolog_run.read().children
    assert fit.integration == "transformers"
    assert "lr-AdamW" not in fit.metric_names
    assert [step for step, _ in fit.series("loss")] == [1, 2, 3]


IMPORTS = """
import random, numpy, torch
from torch import save
from torch.nn.functional import mse_loss
from torch.nn.utils import clip_grad_norm_
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader
"""
BODY = """
import copy, pickle
def main():
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))
    optimizer = AdamW(model.parameters(), lr=0.01)
    scheduler = OneCycleLR(optimizer, 0.1, total_steps=12)
    x = torch.randn(32, 4)
    data = torch.utils.data.TensorDataset(x, x.sum(1, keepdim=True))
    loader = DataLoader(data, batch_size=8, shuffle=True, num_workers=WORKERS)
    early = locals()
    for epoch in range(3):
        for a, b in loader:
            optimizer.zero_grad()
            loss = mse_loss(model(a), b)
            loss.backward()
            clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
        save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "last.pt")
    print(sorted(early), sorted(vars(optimizer)), sorted(vars(loader)), loss.item())
    twin = pickle.loads(pickle.dumps(copy.deepcopy(optimizer)))
    return [list(model.state_dict().values()), twin.state_dict()["param_groups"], open("last.pt", "rb").read()]
weights = main()
FAIL
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_nothing_is_disturbed(transparent, workers):
    body = BODY.replace("WORKERS", str(workers)).replace("FAIL", "")
    compared = transparent(IMPORTS, body)
    for outcome in (compared.first, compared.late):
        (fit,) = outcome.recording.children
        assert [(step, epoch) for step, epoch, _ in fit.points("loss")] == [(n + 1, n // 4) for n in range(12)]
        assert outcome.recording.problems == []
        assert len(fit.assets) == 3
        assert {step for step, _ in fit.series("grad_norm")} == set(range(1, 13))
    assert compared.first.recording.children[0].points("loss") == compared.late.recording.children[0].points("loss")


def test_a_failed_program_has_a_failed_training(transparent):
    body = BODY.replace("WORKERS", "0").replace("FAIL", "torch.ones(2, requires_grad=True).backward()")
    compared = transparent(IMPORTS, body)
    assert compared.first.code == 1
    (directory,) = compared.first.recording.root.glob("*/*/")
    summary = reader.read_run(directory)
    assert (summary.status, [child.status for child in summary.children]) == ("failed", ["failed"])


def test_originals_come_back(restores):
    use = """
m = torch.nn.Linear(2, 1); o = torch.optim.SGD(m.parameters(), lr=0.1); m(torch.ones(1, 2)).sum().backward(); o.step()
"""
    restores("torch", ["torch"], "import torch", use, ["torch.autograd.backward"], counters=("next_id",))


def deleting():
    model = line()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    large = torch.ones(2, 4)
    loss = model(large).mean()
    loss.backward()
    optimizer.step()
    watched = [weakref.ref(large), weakref.ref(loss)]
    del large, loss
    return [each() for each in watched]


def test_what_the_program_deletes_is_gone(autolog_run):
    assert deleting() == [None, None]
    (fit,) = autolog_run.read().children
    assert fit.name == "Sequential"


def test_objects_stay_what_they_are(autolog_run):
    optimizer = fitted(line())
    twin = pickle.loads(pickle.dumps(copy.deepcopy(optimizer)))
    assert twin.state_dict().keys() == optimizer.state_dict().keys()
    assert not optimizer._optimizer_step_post_hooks
    assert pickle.loads(pickle.dumps(torch.autograd.backward)) is torch.autograd.backward
    assert len(autolog_run.read().children) == 1


def test_dispatch_modes_of_the_program_see_only_the_program(autolog_run):
    class Seen(TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.names = []

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.names.append(str(function))
            return function(*args, **(kwargs or {}))

    with Seen() as seen:
        fitted(line(), steps=1)
    assert seen.names
    assert not [name for name in seen.names if "local_scalar" in name]
    (fit,) = autolog_run.read().children
    assert len(fit.series("loss")) == 1
