"""Loops of many kinds: parts of losses, epochs, train and eval, what joins later, trainings in turns, files."""

import io
import itertools

import pytest
import torch
from safetensors.torch import save_file
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import autolog
from autolog.integrations.torch import integration
from autolog.testing import missing, recording

# Functions with `assert` are no place to train in here: pytest rewrites them to call `locals()`.


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


def made(**options):
    model = line(**options)
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def advance(model, optimizer, x=None):
    loss = model(torch.ones(2, 4) if x is None else x).square().mean()
    loss.backward()
    optimizer.step()
    return loss.item()


# -- parts of losses ---------------------------------------------------------------------------------------------------


def sums(told):
    model, optimizer = made()
    weight = torch.nn.Parameter(torch.ones(()))
    for number in range(4):
        out = model(torch.ones(2, 4))
        recon = out.square().mean()
        loss = weight * recon
        if number % 2 == 0:
            penalty = out.abs().mean()  # in odd steps it is an old one, and no part of the loss
            loss = loss + 0.1 * penalty
            told["penalty"].append((number + 1, penalty.item()))
        loss += out.mean()
        loss.backward()
        optimizer.step()
        told["recon"].append((number + 1, recon.item()))
        told["loss"].append((number + 1, loss.item()))


def test_parts_of_a_sum_have_their_own_names(autolog_run):
    told = {"loss": [], "recon": [], "penalty": []}
    sums(told)
    (fit,) = autolog_run.read().children
    assert {name: fit.series(name) for name in told} == told
    assert fit.metric_names == {*told, "lr-SGD"}  # neither `weight` nor `out`


def detection(told):
    model, optimizer = made()
    for number in range(2):
        out = model(torch.ones(2, 4))
        loss_dict = {"loss_box": out.square().mean(), "loss_class": out.abs().mean(), "count": 3}
        losses = sum(value for name, value in loss_dict.items() if name != "count")
        losses.backward()
        optimizer.step()
        told.append((number + 1, losses.item(), loss_dict["loss_box"].item(), loss_dict["loss_class"].item()))
        result = {"total": model(torch.ones(1, 4)).mean()}
        result["total"].backward()
        optimizer.zero_grad()


def test_parts_in_a_dictionary(autolog_run):
    told = []
    detection(told)
    (fit,) = autolog_run.read().children
    for index, name in enumerate(("losses", "loss_box", "loss_class"), 1):
        assert fit.series(name) == [(each[0], each[index]) for each in told]
    assert [step for step, _ in fit.series("total")] == [2]  # the last one has no step after it


# -- epochs ------------------------------------------------------------------------------------------------------------


def without_a_loader(steps=2):
    model, optimizer = made()
    for epoch in range(1, 3):  # noqa: B007  autolog reads it
        for _ in range(steps):
            advance(model, optimizer)


def counted_by_hand():
    model, optimizer = made()
    cur_epoch = 5
    while cur_epoch < 7:
        advance(model, optimizer)
        cur_epoch += 1


def named_only():
    model, optimizer = made()
    epoch = 3
    for _ in range(epoch):
        advance(model, optimizer)


def resumed():
    model, optimizer = made()
    for epoch in range(5, 7):  # noqa: B007  autolog reads it
        for x, _ in DataLoader(rows(), batch_size=10):
            advance(model, optimizer, x)


def by_passes():
    model, optimizer = made()
    loader = DataLoader(rows(), batch_size=10)
    for _ in range(2):
        for x, _ in loader:
            model.train()  # the pass has begun in evaluation mode
            advance(model, optimizer, x)
        model.eval()


def endless():
    model, optimizer = made()

    def forever(loader):
        while True:
            yield from loader

    for x, _ in itertools.islice(forever(DataLoader(rows(), batch_size=10)), 4):
        advance(model, optimizer, x)


def cycled():
    model, optimizer = made()
    for x, _ in itertools.islice(itertools.cycle(DataLoader(rows(), batch_size=10)), 4):
        advance(model, optimizer, x)


@pytest.mark.parametrize(
    ("loop", "epochs"),
    [
        (without_a_loader, [1, 1, 2, 2]),
        (counted_by_hand, [5, 6]),
        (named_only, [None] * 3),
        (resumed, [5, 5, 6, 6]),
        (by_passes, [0, 0, 1, 1]),
        (endless, [0, 0, 1, 1]),
        (cycled, [0] * 4),  # one pass, whose batches the program keeps
    ],
)
def test_epochs(autolog_run, loop, epochs):
    loop()
    (fit,) = autolog_run.read().children
    assert [epoch for _, epoch, _ in fit.points("loss")] == epochs


class Stream(IterableDataset):
    def __iter__(self):
        return iter(rows(7))


def streamed(told):
    model, optimizer = made()
    for x, _ in DataLoader(Stream(), batch_size=3):
        told.append(len(x))
        advance(model, optimizer, x)


def test_a_stream_whose_last_batch_is_smaller(autolog_run, monkeypatch):
    now = itertools.count(100)
    monkeypatch.setattr("autolog.integrations.torch_passes.time.perf_counter", lambda: next(now))
    told = []
    streamed(told)
    (fit,) = autolog_run.read().children
    assert told == [3, 3, 1]
    # Two batches of three rows; the clock says 100 at the begin, and one more at each batch.
    assert fit.series("autolog/samples_per_second") == [(3, 3.0)]
    assert fit.facts["data"]["train_batches"] is None


# -- train and eval ----------------------------------------------------------------------------------------------------


def attacked(told):
    model, optimizer = made()
    train, check, other = (DataLoader(rows(), batch_size=10) for _ in range(3))
    for _ in range(2):
        model.train()
        for x, _ in train:
            told["loss"].append(advance(model, optimizer, x))
        model.eval()
        for x, _ in check:
            x.requires_grad_()
            loss = model(x).mean()
            loss.backward()
            told["eval_loss"].append(loss.item())
            optimizer.zero_grad()
        with torch.no_grad():
            for x, _ in other:
                model(x)


def test_losses_in_evaluation_mode_are_told_apart(autolog_run):
    told = {"loss": [], "eval_loss": []}
    attacked(told)
    (fit,) = autolog_run.read().children
    assert {name: [value for _, value in fit.series(name)] for name in told} == told
    assert fit.points("eval_loss") == list(zip([2, 2, 4, 4], [0, 0, 1, 1], told["eval_loss"], strict=True))
    assert [epoch for _, epoch, _ in fit.points("loss")] == [0, 0, 1, 1]
    assert len(fit.facts["evaluation_data"]) == 2  # with gradients, and without


def in_evaluation_mode():
    model, optimizer = made()
    advance(model, optimizer)
    model.eval()  # as where batch norms are frozen later
    advance(model, optimizer)
    advance(model, optimizer)


def test_training_in_evaluation_mode_is_training(autolog_run):
    in_evaluation_mode()
    (fit,) = autolog_run.read().children
    assert [step for step, _ in fit.series("loss")] == [1, 2, 3]
    assert fit.facts["modes"] == [{"step": 2, "training": False}]


# -- what comes later --------------------------------------------------------------------------------------------------


def growing():
    model = line()
    optimizer = torch.optim.Adam(model[0].parameters(), lr=0.1)
    advance(model, optimizer)
    optimizer.add_param_group({"params": model[2].parameters(), "lr": 0.01})
    box = {"deep": {"inside": [torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=2)]}}
    advance(model, optimizer)
    box["deep"]["more"] = torch.optim.lr_scheduler.StepLR(optimizer, step_size=3)
    advance(model, optimizer)
    return box


def test_groups_and_schedulers_that_join_later(autolog_run):
    growing()
    (fit,) = autolog_run.read().children
    assert fit.series("lr-Adam") == [(1, 0.1)]
    assert fit.series("lr-Adam/pg2") == [(2, 0.01), (3, 0.01)]
    assert fit.params["optimizer.groups.1.lr"] == 0.01
    assert [group["tensors"] for group in fit.facts["optimizers"][0]["groups"]] == [2, 2]
    classes = [fact["class"].rpartition(".")[2] for fact in fit.facts["schedulers"]]
    assert classes == ["ReduceLROnPlateau", "StepLR"]
    assert (fit.facts["schedulers"][0]["patience"], fit.facts["schedulers"][1]["step_size"]) == (2, 3)


def test_a_rate_in_a_tensor(autolog_run):
    model = line()
    optimizer = torch.optim.Adam(model.parameters(), lr=torch.tensor(0.5), foreach=False)
    advance(model, optimizer)
    optimizer.param_groups[0]["lr"].fill_(0.25)
    advance(model, optimizer)
    (fit,) = autolog_run.read().children
    assert fit.series("lr-Adam") == [(1, 0.5), (2, 0.25)]


def taking_turns():
    clients = []
    for hidden in (3, 4, 5):  # as in federated learning
        clients.append(made(hidden=hidden))
        advance(*clients[-1])
    for _ in range(3):
        for model, optimizer in clients:
            advance(model, optimizer)


def test_trainings_that_take_turns_are_as_many_as_there_are(autolog_run):
    taking_turns()
    fits = autolog_run.read().children
    assert [fit.facts["model"]["parts"][0]["parameters"] for fit in fits] == [15, 20, 25]
    assert [[step for step, _ in fit.series("loss")] for fit in fits] == [[1, 2, 3, 4]] * 3
    assert [fit.status for fit in fits] == ["completed"] * 3
    assert all(fit.end.time >= fit.metrics[-1].time for fit in fits)


# -- optimizers of all kinds -------------------------------------------------------------------------------------------


class SAM(torch.optim.Optimizer):
    """Sharpness-aware minimization, as it is commonly written."""

    def __init__(self, params, base, rho=0.05, **options):
        super().__init__(params, {"rho": rho, **options})
        self.base = base(self.param_groups, **options)
        self.param_groups = self.base.param_groups

    @torch.no_grad()
    def first_step(self):
        norm = torch.stack([p.grad.norm() for group in self.param_groups for p in group["params"]]).norm()
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["moved"] = p.grad * group["rho"] / (norm + 1e-12)
                p.add_(self.state[p]["moved"])
        self.zero_grad()

    @torch.no_grad()
    def second_step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(self.state[p]["moved"])
        self.base.step()
        self.zero_grad()

    def step(self, closure=None):
        self.first_step()
        with torch.enable_grad():
            closure()
        self.second_step()


def sharp(told, *, by_closure):
    model = line()
    optimizer = SAM(model.parameters(), torch.optim.SGD, lr=0.1)

    def again():
        loss = model(torch.ones(2, 4)).square().mean()
        loss.backward()
        told.append(loss.item())

    for _ in range(2):
        again()
        if by_closure:
            optimizer.step(again)
        else:
            optimizer.first_step()
            again()
            optimizer.second_step()


@pytest.mark.parametrize("by_closure", [True, False])
def test_two_backward_passes_for_one_step(autolog_run, by_closure):
    told = []
    sharp(told, by_closure=by_closure)
    (fit,) = autolog_run.read().children
    assert fit.series("loss") == list(zip([1, 1, 2, 2], told, strict=True))
    assert [step for step, _ in fit.series("lr-SAM" if by_closure else "lr-SGD")] == [1, 2]


class Stranger:
    """An optimizer that is none of torch's."""

    def __init__(self, params):
        self.params = list(params)

    @torch.no_grad()
    def step(self):
        for p in self.params:
            p.sub_(0.1 * p.grad)


def test_what_is_not_torchs_is_absent(autolog_run):
    autolog.start_run()
    model = line()
    advance(model, Stranger(model.parameters()))
    assert autolog_run.read().children == []


def failing(told):
    model, optimizer = made()

    def closure():
        raise ZeroDivisionError("in the closure")

    for attempt in (closure, None):
        loss = model(torch.ones(2, 4)).mean()
        loss.backward()
        told.append(loss.item())
        try:
            optimizer.step(attempt)
        except ZeroDivisionError:
            told.append("raised")


def test_a_step_that_raises_is_none(autolog_run):
    told = []
    failing(told)
    (fit,) = autolog_run.read().children
    assert fit.series("loss") == [(1, told[0]), (1, told[2])]
    assert told[1] == "raised"


def test_fake_tensors_are_no_training(autolog_run):
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        advance_fake(*made())
    assert autolog_run.read().children == []


def advance_fake(model, optimizer):
    model(torch.ones(2, 4)).square().mean().backward()
    optimizer.step()


def test_transforms_of_torch_func(autolog_run):
    model, optimizer = made()
    parameters = dict(model.named_parameters())

    def loss(values, x):
        return torch.func.functional_call(model, values, (x,)).square().mean()

    gradients = torch.func.grad(loss)(parameters, torch.ones(2, 4))
    torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, torch.ones(3, 2, 4))
    for name, parameter in parameters.items():
        parameter.grad = gradients[name].detach()
    optimizer.step()
    (fit,) = autolog_run.read().children
    assert fit.metric_names == {"lr-SGD"}  # no backward pass, no loss


def overflowing(told):
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    for trained, factors in enumerate(((1.0, float("inf"), 1.0), (float("inf"), 1.0, float("inf")))):
        model, optimizer = made(hidden=3 + trained)
        for factor in factors:
            optimizer.zero_grad()
            loss = model(torch.ones(2, 4)).square().mean() * factor
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            told[trained].append(loss.item())


def test_each_training_has_its_own_skipped_steps(autolog_run):
    told = [], []
    overflowing(told)
    first, second = autolog_run.read().children
    assert first.series("loss") == list(zip([1, 2, 2], told[0], strict=True))
    assert second.series("loss") == list(zip([1, 1, 2], told[1], strict=True))  # its first step was left out
    assert first.series("autolog/skipped_steps") == [(1, 1)]
    assert second.series("autolog/skipped_steps") == [(0, 1), (1, 2)]
    advance(*made())
    (last,) = autolog_run.read().children[2:]
    assert "autolog/skipped_steps" not in last.metric_names


# -- files -------------------------------------------------------------------------------------------------------------


def saving(folder):
    model, optimizer = made()
    advance(model, optimizer)
    state = model.state_dict()
    with (folder / "open.pt").open("wb") as file:
        torch.save(state, file)
    torch.save(state, folder / "old.pt", _use_new_zipfile_serialization=False)
    torch.save(state, folder / "mit Größe.pt")
    save_file(state, folder / "weights.safetensors", metadata={"format": "pt"})
    torch.save(state, io.BytesIO())
    try:
        torch.save({"model": state, "bad": lambda: 0}, folder / "half.pt")
    except Exception as error:  # what pickle raises for a lambda has changed over time
        return type(error).__name__
    return None


def test_files_by_path_by_open_file_and_of_safetensors(autolog_run, tmp_path):
    assert saving(tmp_path) is not None
    (fit,) = autolog_run.read().children
    assert [asset.name for asset in fit.assets] == ["open.pt", "old.pt", "mit Größe.pt", "weights.safetensors"]
    for asset in fit.assets:
        assert asset.size == (tmp_path / asset.name).stat().st_size
        assert asset.step == 1
    assert [asset.metadata["saved_by"] for asset in fit.assets] == ["torch.save"] * 3 + ["safetensors"]


def checkpointing(folder):
    import torch.distributed.checkpoint as dcp

    model, optimizer = made()
    advance(model, optimizer)
    dcp.save({"model": model.state_dict()}, checkpoint_id=folder / "step-1")


@pytest.mark.filterwarnings("ignore")  # torch says that this is no distributed program
def test_a_distributed_checkpoint_is_one_folder(autolog_run, tmp_path):
    checkpointing(tmp_path)
    (fit,) = autolog_run.read().children
    (asset,) = fit.assets
    assert (asset.name, asset.metadata["saved_by"]) == ("step-1", "torch.distributed.checkpoint")
    assert asset.size == sum(file.stat().st_size for file in (tmp_path / "step-1").iterdir())


# -- the table ---------------------------------------------------------------------------------------------------------


def everything(folder):
    told = {"loss": [], "eval_loss": []}
    attacked(told)
    sums({"loss": [], "recon": [], "penalty": []})
    in_evaluation_mode()
    growing()
    saving(folder)
    model, optimizer = made()
    scaler = torch.amp.GradScaler("cpu")
    for factor in (1.0, float("inf")):
        loss = model(torch.ones(2, 4)).square().mean() * factor
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()


def test_what_the_integration_says_it_captures_is_there(autolog_run, tmp_path):
    autolog.start_run()
    everything(tmp_path)
    autolog.finish()
    assert missing(integration.captures, recording(autolog_run.root)) == []
