"""A training is the same with its weights on record: to the bit, in every global state, compiled or not."""

import threading
from collections import Counter

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import autolog
from autolog import config
from autolog.integrations import torch_weights


@pytest.fixture(autouse=True)
def settings(autolog_run):
    config.configure(weights=1, weights_budget=1000.0)
    autolog.disable("torch")
    yield
    autolog.enable("torch")
    config.configure(weights=None, weights_budget=None, activations=None)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(6, 16)
        self.drop = torch.nn.Dropout(0.5)
        self.last = torch.nn.Linear(16, 1)

    def forward(self, x):
        return self.last(self.drop(torch.relu(self.first(x))))


def net():
    torch.manual_seed(0)
    return Net()


class Counted(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.seen.append(str(function))
        return function(*args, **(kwargs or {}))


class Called(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.seen.append(getattr(function, "__name__", str(function)))
        return function(*args, **(kwargs or {}))


def state(network, optimizer):
    return {
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "threads": torch.get_num_threads(),
        "rng": torch.get_rng_state().tolist(),
        "versions": [one._version for one in network.parameters()],
        "gradients": [None if one.grad is None else (id(one.grad), one.grad._version) for one in network.parameters()],
        "attributes": sorted(vars(network)) + sorted(vars(optimizer)),
        "hooks": [len(part._forward_hooks) for part in network.modules()],
    }


def train(network, run, *, autocast=False):
    """What the program computes, and everything it can see of the world after each step."""
    torch.manual_seed(1)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    told, losses = [], []
    if run is not None:
        torch_weights.watch(run, network)
    for step in range(4):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            loss = network(torch.randn(5, 6)).square().mean()
            loss.backward()
            optimizer.step()
            if run is not None:
                run.step, run.epoch = step + 1, 0
                torch_weights.stepped(run)
        told.append(state(network, optimizer))
        losses.append(loss.item())
    if run is not None:
        torch_weights.epoch_ended(run)
        torch_weights.unwatch(run)
    told.append(state(network, optimizer))
    for one in told:  # object identities differ from one training to the next; within one they are checked below
        one["gradients"] = [None if pair is None else pair[1] for pair in one["gradients"]]
    return losses, [one.detach().clone() for one in network.parameters()], told


@pytest.mark.parametrize("around", ["nothing", "autocast", "double"])
def test_the_same_to_the_bit(autolog_run, around):
    def both(run):
        if around == "double":
            torch.set_default_dtype(torch.float64)
        try:
            return train(net(), run, autocast=around == "autocast")
        finally:
            torch.set_default_dtype(torch.float32)

    truth = both(None)
    with autolog.start_run().child("net", "fit") as run:
        recorded = both(run)
    (fit,) = autolog_run.read().children
    assert len([asset for asset in fit.assets if asset.name == "weights"]) == 4
    assert len([asset for asset in fit.assets if asset.name == "gradients"]) == 4
    assert recorded[0] == truth[0]
    assert all(torch.equal(one, other) for one, other in zip(recorded[1], truth[1], strict=True))
    assert recorded[2] == truth[2]


def test_the_programs_modes_see_nothing_of_it(autolog_run):
    def seen(run):
        with Called() as called, Counted() as counted:
            train(net(), run)
        return Counter(called.seen), Counter(counted.seen)

    truth = seen(None)
    with autolog.start_run().child("net", "fit") as run:
        recorded = seen(run)
        assert [one - other for one, other in zip(recorded, truth, strict=True)] == [Counter()] * 2
        assert recorded == truth
    assert len(autolog_run.read().children[0].assets) == 8


def test_in_inference_mode_and_without_gradients(autolog_run):
    with torch.inference_mode():
        frozen = net()
    with autolog.start_run().child("net", "fit") as run, torch.inference_mode():
        torch_weights.watch(run, frozen, hooked=False)
        run.step = 1
        torch_weights.stepped(run)
        torch_weights.unwatch(run)
    (fit,) = autolog_run.read().children
    assert [asset.name for asset in fit.assets] == ["weights"]


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("step_too", [False, True])
def test_compiled_models_are_not_compiled_again(autolog_run, step_too):
    compiled = []

    def backend(graph, inputs):
        compiled.append(graph)
        return graph.forward

    def run_through(run):
        torch._dynamo.reset()
        compiled.clear()
        network = net()
        whole = torch.compile(network, backend=backend)
        optimizer = torch.optim.SGD(network.parameters(), lr=torch.tensor(0.1), foreach=False)
        step = torch.compile(optimizer.step, backend=backend) if step_too else optimizer.step
        if run is not None:
            torch_weights.watch(run, whole)
        for number in range(3):
            torch.manual_seed(number)
            optimizer.zero_grad()
            whole(torch.randn(5, 6)).sum().backward()
            step()
            if run is not None:
                run.step, run.epoch = number + 1, 0
                torch_weights.stepped(run)
        if run is not None:
            torch_weights.unwatch(run)
        return len(compiled), [one.detach().clone() for one in network.parameters()]

    count, truth = run_through(None)
    with autolog.start_run().child("net", "fit") as run:
        again, recorded = run_through(run)
    assert again == count > 0
    assert all(torch.equal(one, other) for one, other in zip(recorded, truth, strict=True))
    (fit,) = autolog_run.read().children
    assert len([asset for asset in fit.assets if asset.name == "weights"]) == 3


def test_trainings_in_threads_and_a_model_that_goes_away(autolog_run):
    root, errors = autolog.start_run(), []

    def one(number):
        try:
            with root.child(f"net {number}", "fit") as run:
                train(net(), run)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with root.child("gone", "fit") as run:
        torch_weights.watch(run, net())
        torch_weights.epoch_ended(run)
        torch_weights.unwatch(run)
    assert errors == []
    *fits, gone = autolog_run.read().children
    assert [len(fit.assets) for fit in fits] == [8] * 4
    assert gone.assets == []
    assert torch_weights._watched == {}
    assert torch_weights._unhook is None


def test_sharded_parameters_are_shown_as_what_is_here(autolog_run, tmp_path):
    from torch import distributed
    from torch.distributed.fsdp import fully_shard

    store = distributed.FileStore(str(tmp_path / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        network = torch.nn.parallel.DistributedDataParallel(net())
        sharded = net()
        fully_shard(sharded, mesh=torch.distributed.init_device_mesh("cpu", (1,)))
        for number, one in enumerate((network, sharded)):
            with (autolog.current_run() or autolog.start_run()).child("net", "fit") as run:
                losses, _, _ = train(one, run)
                assert len(losses) == 4, number
    finally:
        distributed.destroy_process_group()
    replicated, parts = autolog_run.read().children
    assert replicated.metric_names == {"autolog/weight_norm", "autolog/gradient_norm"}
    assert parts.metric_names == set()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_nobody_waits_for_the_gpu(autolog_run):
    network = net().cuda()
    optimizer = torch.optim.Adam(network.parameters(), capturable=True)
    data = torch.randn(5, 6, device="cuda")
    with autolog.start_run().child("net", "fit") as run:
        torch_weights.watch(run, network)
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            for step in range(4):
                optimizer.zero_grad()
                network(data).sum().backward()
                optimizer.step()
                run.step, run.epoch = step + 1, 0
                torch_weights.stepped(run)
            torch_weights.epoch_ended(run)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        torch_weights.unwatch(run)
    (fit,) = autolog_run.read().children
    assert len([asset for asset in fit.assets if asset.name == "weights"]) == 4
