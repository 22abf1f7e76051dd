"""Histograms and norms: exact, within their budget, and honest about what they leave out."""

import json
import math

import numpy as np
import pytest
import torch

import autolog
from autolog import config
from autolog.integrations import array_histograms, torch_histograms, torch_tensors, torch_weights, weights


def histograms(runs, asset):
    """What an asset of kind ``histograms`` holds."""
    (path,) = runs.root.glob(f"*/*/{asset.path}")
    content = json.loads(path.read_text("utf-8"))
    assert (content["version"], asset.media_type) == (1, "application/vnd.autolog.histograms+json")
    return content["histograms"]


def assets(entry, name):
    return [asset for asset in entry.assets if asset.name == name]


def model(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))


@pytest.fixture
def every_epoch(autolog_run):
    """Weights on, the automatic PyTorch recording off, time without end."""
    config.configure(weights="epoch", weights_budget=1000.0)
    autolog.disable("torch")
    try:
        yield autolog_run
    finally:
        autolog.enable("torch")
        config.configure(weights=None, weights_budget=None, activations=None)
    assert torch_weights._watched == {}
    assert torch_weights._unhook is None


# -- exact -------------------------------------------------------------------------------------------------------------


def tensors():
    torch.manual_seed(0)
    odd = torch.randn(1000)
    odd[3], odd[7:9], odd[9] = math.nan, math.inf, -math.inf
    return {
        "plain": torch.randn(100, 30),
        "large": torch.randn(1_100_000) * 1e-3 + 2,
        "double": torch.randn(3, 4, dtype=torch.float64),
        "half": torch.randn(500).half(),
        "brain": torch.randn(500).bfloat16(),
        "odd": odd,
        "odd half": odd.half(),
        "zeros": torch.zeros(5),
        "one": torch.tensor(3.0),
        "all nan": torch.full((3,), math.nan),
        "widest": torch.tensor([3e38, -3e38, 1.0]),
        "narrowest": torch.tensor([1.0, 1.0000001]),
        "transposed": torch.randn(8, 4).t(),
        "channels last": torch.randn(16, 3, 7, 7).contiguous(memory_format=torch.channels_last),
        "edges": torch.arange(33.0),
    }


@pytest.mark.filterwarnings("error")
def test_counts_are_those_of_numpy():
    given = tensors()
    found, norms, seconds = torch_histograms.begin(
        given, dict.fromkeys(given, 32), {name: {} for name in given}
    ).result()
    assert seconds == 0.0
    for name, tensor in given.items():
        told, values = found[name], (tensor if tensor.dtype == torch.float64 else tensor.float()).numpy().ravel()
        fine = values[np.isfinite(values)]
        assert told["nan"] == np.isnan(values).sum()
        assert (told["infinity"], told["minus_infinity"]) == ((values == np.inf).sum(), (values == -np.inf).sum())
        assert told["count"] + told["nan"] + told["infinity"] + told["minus_infinity"] == tensor.numel()
        if name in ("all nan", "widest", "narrowest"):
            assert told["counts"] == []
        elif fine.min() == fine.max():
            assert told["counts"] == [fine.size]
        else:
            assert told["counts"] == np.histogram(fine, 32)[0].tolist(), name
        if fine.size:
            exact = fine.astype(np.float64)
            assert (told["min"], told["max"]) == (fine.min(), fine.max())
            assert told["mean"] == pytest.approx(exact.mean(), rel=1e-9)
            assert told["std"] == pytest.approx(exact.std(), rel=1e-5, abs=1e-8)  # by sums of squares
            assert told["norm"] == pytest.approx(np.linalg.norm(exact), rel=1e-9)
        if fine.size == values.size:
            assert norms[name] == told["norm"]
    assert math.isnan(norms["odd"])
    assert math.isnan(norms["all nan"])
    assert weights.total_norm({"a": 3.0, "b": 4.0}) == 5.0
    assert weights.total_norm({"a": 3.0, "b": math.inf}) == math.inf
    assert math.isnan(weights.total_norm({"a": math.nan, "b": math.inf}))
    assert weights.total_norm({}) is None


@pytest.mark.parametrize("deterministic", [False, True])
def test_what_runs_on_a_device_counts_the_same(deterministic):
    torch.use_deterministic_algorithms(deterministic)
    try:
        for name, tensor in tensors().items():
            wide = tensor if tensor.dtype == torch.float64 else tensor.float()
            on_host = array_histograms.row(wide.numpy(), 32)
            with torch_histograms.quiet(torch):
                there = torch_histograms.device_row(torch, tensor.reshape(-1), 32).tolist()
                norm_only = torch_histograms.device_row(torch, tensor.reshape(-1), 0).tolist()
            assert [*there[:5], *there[7:]] == [*on_host[:5], *on_host[7:]], name
            assert there[5:7] == pytest.approx(on_host[5:7], rel=1e-9, abs=1e-9), name
            assert norm_only == there[: array_histograms.STATS]
    finally:
        torch.use_deterministic_algorithms(False)


def test_pieces_are_counted_together(monkeypatch):
    given = tensors()
    whole = {name: torch_histograms.device_row(torch, tensor.reshape(-1), 16) for name, tensor in given.items()}
    rows = {name: array_histograms.row(given[name].numpy(), 16) for name in ("plain", "odd", "double")}
    monkeypatch.setattr(torch_histograms, "_CHUNK", 7)
    monkeypatch.setattr(array_histograms, "_CHUNK", 7)
    del given["large"]
    for name, tensor in given.items():
        pieces = torch_histograms.device_row(torch, tensor.reshape(-1), 16).tolist()
        assert pieces == pytest.approx(whole[name].tolist(), rel=1e-9, abs=1e-9, nan_ok=True), name
    for name, row in rows.items():
        pieces = array_histograms.row(given[name].numpy(), 16)
        assert [*pieces[:5], *pieces[7:]] == [*row[:5], *row[7:]]
        assert pieces[5:7] == pytest.approx(row[5:7])


def test_the_public_method(autolog_run):
    values = np.random.default_rng(0).normal(size=(20, 5))
    autolog.log_histograms(
        "parts", {"a": values, "b": [1.0, math.nan], "c": {"counts": [1, 2], "min": 0, "max": 1.0}}, 3
    )
    with pytest.raises(TypeError, match="log_histograms: given float"):
        autolog.log_histograms("parts", 1.0)
    with pytest.raises(TypeError, match="counts of 'a'"):
        autolog.log_histograms("parts", {"a": {"min": 0}})
    with pytest.raises(ValueError, match="give min and max"):
        autolog.log_histograms("parts", {"a": {"counts": [1]}})
    with pytest.raises(ValueError, match="2 counts and 2 edges"):
        autolog.log_histograms("parts", {"a": {"counts": [1, 2], "edges": [0, 1]}})
    (asset,) = autolog_run.read().run.assets
    assert (asset.kind, asset.step, asset.metadata) == ("histograms", 3, {"histograms": 3})
    told = histograms(autolog_run, asset)
    assert told["a"]["counts"] == np.histogram(values, 32)[0].tolist()
    assert (told["a"]["shape"], "edges" in told["a"]) == ([20, 5], False)
    assert told["a"]["norm"] == pytest.approx(np.linalg.norm(values))
    assert (told["b"]["count"], told["b"]["nan"]) == (1, 1)
    assert told["c"] == {"counts": [1, 2], "min": 0, "max": 1.0}


# -- when --------------------------------------------------------------------------------------------------------------


def test_due():
    assert [step for step in range(1, 12) if weights.due(5, step - 1, step, epochs=True)] == [5, 10]
    assert weights.due(5, 4, 11, epochs=True)  # a step that was jumped over is not lost
    assert [step for step in range(1, 40) if weights.due("epoch", step - 1, step, epochs=False)] == [1, 2, 4, 8, 16, 32]
    assert not any(weights.due("epoch", step - 1, step, epochs=True) for step in range(1, 40))


class Clock:
    """Seconds that pass when a test says so, and processor time of ours: ``cost`` for each piece of work."""

    def __init__(self, cost):
        self.now, self.used, self.cost = 1000.0, 0.0, cost

    def clock(self):
        return self.now

    def cpu(self):
        self.used += self.cost / 2
        return self.used


def budget(clock, grace=0.0):
    return weights.Budget(grace, clock.clock, clock.clock, clock.cpu)


def train(run, network, epochs, *, steps=3, each=lambda: None, hooked=True):
    """A loop as an integration sees it."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for epoch in range(epochs):
        run.epoch = epoch
        for _ in range(steps):
            optimizer.zero_grad()
            network(torch.ones(2, 4)).square().sum().backward()
            optimizer.step()
            run.step = int(run.step or 0) + 1
            torch_weights.stepped(run)
            optimizer.zero_grad()
        torch_weights.epoch_ended(run)
        each()
    return optimizer


def test_the_budget_thins_and_says_so(every_epoch):
    config.configure(weights_budget=0.01)
    clock = Clock(cost=1.0)  # a snapshot has two pieces of work, its reduction and its writing: a second
    with autolog.start_run().child("net", "fit") as run:
        network, ours, spent = model(), budget(clock), []
        torch_weights.watch(run, network, budget=ours)
        clock.now += 100.0
        for epoch in range(61):
            run.epoch, run.step = epoch, epoch + 1
            torch_weights.epoch_ended(run)
            clock.now += 40.0
            spent.append(ours.spent / (clock.now - 1000.0))
        torch_weights.unwatch(run)
    (fit,) = every_epoch.read().children
    taken = assets(fit, "weights")
    fact = fit.facts["weights"]
    # An epoch earns 0.4 s: about two in five have a snapshot.
    assert 20 <= len(taken) <= 27
    assert fact["snapshots"]["weights"] == len(taken)
    assert fact["skipped_for_budget"]["weights"] == 61 - len(taken)
    assert fact["budget"] == 0.01
    assert max(spent[5:]) < 0.02  # what was begun within the budget may end beyond it
    # It was on record before the end, too: a training may be killed.
    said = [record for record in fit.records if getattr(record, "name", "") == "weights" and hasattr(record, "value")]
    assert len(said) >= 2


def test_trained_is_the_lesser_of_time_passed_and_processor_time():
    passed, worked = iter([0.0, 100.0, 0.0, 100.0]), iter([0.0, 30.0, 0.0, 400.0])
    spare = weights.Budget(0.0, lambda: next(passed), lambda: next(worked))
    spare.begin()
    spare.end()
    assert spare.left(0.01) == pytest.approx(0.3)  # seventy seconds went to others
    spare.begin()
    spare.end()
    assert spare.left(0.01) == pytest.approx(1.3)  # with four threads


def test_what_is_far_too_dear_shows_less(every_epoch):
    config.configure(weights_budget=0.01)
    network = torch.nn.ModuleList([torch.nn.Linear(2, number) for number in range(1, 41)])
    clock = Clock(cost=1.0)
    with autolog.start_run().child("net", "fit") as run:
        torch_weights.watch(run, network, budget=budget(clock, grace=10.0))
        for epoch in range(200):
            run.epoch, run.step = epoch, epoch + 1
            torch_weights.epoch_ended(run)
            clock.now += 10.0
        torch_weights.unwatch(run)
    (fit,) = every_epoch.read().children
    sizes = [len(histograms(every_epoch, asset)) for asset in assets(fit, "weights")]
    assert (sizes[0], sizes[-1]) == (80, 16)
    assert sizes == sorted(sizes, reverse=True)
    assert set(sizes) == {80, 64, 16}
    assert fit.facts["weights"]["reduced_to"] == {"bins": 16, "tensors": 16}
    last = histograms(every_epoch, assets(fit, "weights")[-1])
    assert "39.weight" in last  # the largest stay
    assert all(len(one["counts"]) == 16 for one in last.values())
    whole = math.sqrt(sum(float(one.detach().double().square().sum()) for one in network.parameters()))
    assert fit.series("autolog/weight_norm")[-1][1] == pytest.approx(whole)  # the norm is still that of all


def test_a_short_training_has_its_snapshots_a_thousand_have_not(every_epoch):
    config.configure(weights_budget=0.01)
    clock = Clock(cost=0.001)
    shared = budget(clock, grace=0.05)
    root = autolog.start_run()
    for _ in range(100):
        with root.child("net", "fit") as run:
            network = model()
            torch_weights.watch(run, network, budget=shared)
            train(run, network, 1, steps=1)
            clock.now += 0.01
            torch_weights.unwatch(run)
    fits = every_epoch.read().children
    having = [bool(fit.assets) for fit in fits]
    assert all(having[:5])
    assert not all(having)
    assert shared.spent < 0.12  # half of it for looking at the models


@pytest.mark.parametrize("setting", ["off", False, "epoch", 0, 20, "20"])
def test_the_setting(autolog_run, setting, monkeypatch):
    config.configure(weights=setting)
    off = setting in ("off", False, 0)
    assert weights.every() == (None if off else "epoch" if setting == "epoch" else 20)
    config.configure(weights=None)
    monkeypatch.setenv("AUTOLOG_WEIGHTS", str(setting).lower())
    assert config.load().weights == ("off" if off else str(setting))
    with pytest.raises(config.ConfigError, match="'epoch', 'off' or a number of steps"):
        config.configure(weights="sometimes")
    with pytest.raises(config.ConfigError, match="'epoch', 'off' or a number of steps"):
        config.configure(weights=-3)


def test_nothing_in_workers_and_nothing_when_off(every_epoch, monkeypatch):
    with autolog.start_run().child("net", "fit") as run:
        config.configure(weights="off")
        torch_weights.watch(run, model())
        assert torch_weights._watched == {}
        config.configure(weights="epoch")
        monkeypatch.setattr("autolog.patching._silent", True)
        torch_weights.watch(run, model())
        assert torch_weights._watched == {}
    assert torch_tensors.named(model())[0][0] == "0.weight"


# -- of a torch model --------------------------------------------------------------------------------------------------


def seen_by_a_hook(optimizer, told):
    """What the program itself sees of its gradients when the optimizer has stepped."""
    return optimizer.register_step_post_hook(
        lambda optimizer, args, kwargs: told.append(
            [tensor.grad.clone() for group in optimizer.param_groups for tensor in group["params"]]
        )
    )


def loop(run, network, optimizer, epochs, steps, weights_seen):
    for epoch in range(epochs):
        run.epoch = epoch
        for _ in range(steps):
            network(torch.ones(2, 4)).square().sum().backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 0.5)
            optimizer.step()
            optimizer.zero_grad()
            run.step = int(run.step or 0) + 1
            torch_weights.stepped(run)
            weights_seen.append([one.detach().clone() for one in network.parameters()])
        torch_weights.epoch_ended(run)


def is_of(told, tensor):
    values = tensor.detach().numpy()
    assert told["counts"] == np.histogram(values, len(told["counts"]))[0].tolist()
    assert sum(told["counts"]) == tensor.numel()
    assert (told["shape"], told["dtype"]) == (list(values.shape), "float32")
    assert told["norm"] == pytest.approx(np.linalg.norm(values.astype(float)))


def norm(tensors):
    return float(torch.linalg.vector_norm(torch.cat([one.double().reshape(-1) for one in tensors])))


@pytest.mark.parametrize("every", ["epoch", 5])
def test_weights_after_and_gradients_in_a_step(every_epoch, every):
    config.configure(weights=every)
    network, used, after = model(), [], []
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    handle = seen_by_a_hook(optimizer, used)
    with autolog.start_run().child("net", "fit") as run:
        torch_weights.watch(run, torch.compile(network, backend="eager"))
        loop(run, network, optimizer, 3, 4, after)
        torch_weights.unwatch(run)
    handle.remove()
    (fit,) = every_epoch.read().children
    names = [name for name, _ in network.named_parameters()]
    of_weights, of_gradients = ([4, 8, 12], [1, 5, 9]) if every == "epoch" else ([5, 10], [5, 10])
    epochs = {step: (step - 1) // 4 for step in range(1, 13)}
    for kind, steps, truth in (("weights", of_weights, after), ("gradients", of_gradients, used)):
        taken = assets(fit, kind)
        assert [(asset.step, asset.epoch) for asset in taken] == [(step, epochs[step]) for step in steps]
        for asset in taken:
            told = histograms(every_epoch, asset)
            assert list(told) == names
            for name, tensor in zip(names, truth[asset.step - 1], strict=True):
                is_of(told[name], tensor)
        points = fit.points(f"autolog/{kind[:-1]}_norm")
        assert [point[:2] for point in points] == [(asset.step, asset.epoch) for asset in taken]
        assert [point[2] for point in points] == pytest.approx([norm(truth[asset.step - 1]) for asset in taken])
    assert all(value < 0.51 for _, value in fit.series("autolog/gradient_norm"))  # clipped, as they were used
    assert "skipped_for_budget" not in fit.facts["weights"]


def test_a_loop_without_epochs_and_one_that_changes_its_weights_itself(every_epoch):
    network, root = model(), autolog.start_run()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    for changed in (False, True):
        with root.child("net", "fit") as run:
            torch_weights.watch(run, network, hooked=False)
            for step in range(1, 12):
                network(torch.ones(2, 4)).sum().backward()
                optimizer.step()
                torch_weights.optimizer_stepped(run, optimizer)
                run.step = step
                torch_weights.stepped(run, epochs=False)
            if changed:
                network.load_state_dict(model(1).state_dict())
            torch_weights.unwatch(run)
    kept, put_back = every_epoch.read().children
    assert [asset.step for asset in assets(kept, "weights")] == [1, 2, 4, 8, 11]
    assert [asset.step for asset in assets(kept, "gradients")] == [1, 2, 4, 8]
    # What is in the model at the end is not what step 11 left: it is not said to be.
    assert [asset.step for asset in assets(put_back, "weights")] == [1, 2, 4, 8]
    assert put_back.facts["weights"]["absent"] == {
        "changed since the last step": {"count": 1, "names": ["weights of step 11"]}
    }


def test_each_optimizer_has_gradients_of_its_own(every_epoch):
    generator, critic = model(1), model(2)
    first, second = (torch.optim.SGD(part.parameters(), lr=0.01) for part in (critic, generator))
    truth = {}
    with autolog.start_run().child("gan", "fit") as run:
        torch_weights.watch(run, critic, generator)
        run.epoch = 0
        for step in range(1, 7):
            optimizer, part = (second, generator) if step % 3 == 0 else (first, critic)
            optimizer.zero_grad()
            part(torch.ones(2, 4)).sum().backward()
            truth[step] = norm([one.grad for one in part.parameters()])
            optimizer.step()
            run.step = step
            torch_weights.stepped(run)
        torch_weights.epoch_ended(run)
        torch_weights.unwatch(run)
    (fit,) = every_epoch.read().children
    taken = assets(fit, "gradients")
    assert [asset.step for asset in taken] == [1, 3]
    assert [name.split(".")[0] for name in histograms(every_epoch, taken[0])] == ["Sequential"] * 4
    assert [name.split(".")[0] for name in histograms(every_epoch, taken[1])] == ["Sequential-1"] * 4
    assert len(histograms(every_epoch, *assets(fit, "weights"))) == 8
    assert fit.series("autolog/gradient_norm") == [(1, pytest.approx(truth[1]))]
    assert fit.series("autolog/gradient_norm-1") == [(3, pytest.approx(truth[3]))]


class Scale(torch.Tensor):
    """A wrapper without memory of its own, like those of quantisation libraries."""

    @staticmethod
    def __new__(cls, size):
        return torch.Tensor._make_wrapper_subclass(cls, size, dtype=torch.float32)

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        if function in (torch.ops.aten.detach.default, torch.ops.aten.alias.default):
            return args[0]
        raise AssertionError(f"{function} of a tensor that cannot be read")


def test_tensors_of_every_kind(every_epoch):
    class Odd(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.tied = torch.nn.Linear(3, 3)
            self.again = torch.nn.Linear(3, 3)
            self.again.weight = self.tied.weight
            self.lazy = torch.nn.LazyLinear(2)
            self.meta = torch.nn.Parameter(torch.empty(3, device="meta"))
            self.complex = torch.nn.Parameter(torch.ones(2, dtype=torch.complex64))
            self.bytes = torch.nn.Parameter(torch.ones(2, dtype=torch.uint8), requires_grad=False)
            self.wrapped = torch.nn.Parameter(Scale((2, 2)))
            self.nothing = torch.nn.Parameter(torch.empty(0))
            self.half_ = torch.nn.Parameter(torch.ones(2, dtype=torch.float16))
            self.brain = torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
            self.sparse = torch.nn.Embedding(5, 2, sparse=True)
            self.odd = torch.nn.Parameter(torch.tensor([1.0, math.nan, math.inf, -math.inf]))

    network = Odd()
    optimizer = torch.optim.SGD([*network.sparse.parameters(), network.tied.weight], lr=0.1)
    with autolog.start_run().child("odd", "fit") as run:
        torch_weights.watch(run, network)
        (network.sparse(torch.tensor([1, 1])).sum() + network.tied.weight.sum()).backward()
        optimizer.step()
        run.step, run.epoch = 1, 0
        torch_weights.stepped(run)
        torch_weights.epoch_ended(run)
        torch_weights.unwatch(run)
    (fit,) = every_epoch.read().children
    told = histograms(every_epoch, *assets(fit, "weights"))
    assert list(told) == ["half_", "brain", "odd", "tied.weight", "tied.bias", "again.bias", "sparse.weight"]
    assert told["half_"]["dtype"] == "float16"
    assert {key: told["odd"][key] for key in ("nan", "infinity", "minus_infinity", "count")} == {
        "nan": 1, "infinity": 1, "minus_infinity": 1, "count": 1,
    }  # fmt: skip
    assert list(histograms(every_epoch, *assets(fit, "gradients"))) == ["tied.weight"]
    absent = {reason: said["names"] for reason, said in fit.facts["weights"]["absent"].items()}
    assert absent == {
        "not initialised": ["lazy.weight", "lazy.bias"],
        "on the device meta": ["meta"],
        "of type complex64": ["complex"],
        "frozen": ["bytes"],
        "a Scale": ["wrapped"],
        "empty": ["nothing"],
        "sparse": ["gradients of sparse.weight"],
    }
    assert fit.metric_names == set()  # the norm of some is not the norm


def test_activations_are_opt_in(every_epoch):
    network, root = model(), autolog.start_run()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
    outputs = [network[0](torch.ones(2, 4)).detach()]
    for wanted in (False, True):
        config.configure(activations=wanted)
        with root.child("net", "fit") as run:
            torch_weights.watch(run, network)
            assert [len(layer._forward_hooks) for layer in network] == [int(wanted)] * 3
            assert len(network._forward_hooks) == 0
            with torch.no_grad():
                network.eval()(torch.zeros(1, 4))  # a look at the validation data first
            loop(run, network.train(), optimizer, 2, 3, [])
            torch_weights.unwatch(run)
        assert [len(layer._forward_hooks) for layer in network] == [0, 0, 0]
    without, having = every_epoch.read().children
    assert assets(without, "activations") == []
    taken = assets(having, "activations")
    assert [(asset.step, asset.epoch) for asset in taken] == [(1, 0), (4, 1)]
    told = histograms(every_epoch, taken[0])
    assert list(told) == ["0", "1", "2"]
    is_of(told["0"], outputs[0])
    is_of(told["1"], outputs[0].tanh())


def test_no_hooks_in_what_is_compiled(every_epoch):
    config.configure(activations=True)
    network = torch.nn.ModuleDict(
        {"bare": torch.nn.Linear(2, 2), "compiled": torch.nn.Sequential(torch.nn.Linear(2, 2))}
    )
    network["compiled"].compile(backend="eager")
    whole = torch.compile(model(), backend="eager")
    for number, watched in enumerate((network, whole)):
        with autolog.start_run().child("net", "fit") as run:
            torch_weights.watch(run, watched)
            hooked = [name for name, layer in watched.named_modules() if layer._forward_hooks]
            assert hooked == (["bare"] if number == 0 else [])
            torch_weights.epoch_ended(run)
            torch_weights.unwatch(run)
    fits = every_epoch.read().children
    assert fits[-1].facts["weights"]["absent"] == {"compiled": {"count": 1, "names": ["activations of the model"]}}
