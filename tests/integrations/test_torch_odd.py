"""Odd places to train in: tasks, threads, forks, workers, generators, modules with a ``backward`` of their own."""

import sys

IMPORTS = "import asyncio, os, random, sys, threading, numpy, torch, joblib"
BODY = """
torch.set_num_threads(1)
X = torch.randn(16, 4)

class Own(torch.nn.Linear):
    def backward(self, loss):
        self.calls = getattr(self, "calls", 0) + 1
        loss.backward()

def train(steps=3, hidden=1):
    model = Own(4, hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    for epoch in range(steps):
        loss = model(X).square().mean() + 0.1 * model(X).abs().mean()
        optimizer.zero_grad()
        model.backward(loss)
        optimizer.step()
        scheduler.step()
        yield epoch
    groups = optimizer.state_dict()["param_groups"]
    return [model.weight.detach().clone(), model.calls, groups, sorted(optimizer.__dict__)]

def whole(hidden=1):
    steps = train(hidden=hidden)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value

async def task(hidden):
    steps = train(hidden=hidden)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        await asyncio.sleep(0)

async def tasks():
    return await asyncio.gather(task(2), task(3))

def forked():
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, repr(whole(4)[0].tolist()).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return os.read(read, 4096)

def in_a_thread(results):
    def body():
        with torch.random.fork_rng():
            torch.manual_seed(5)
            results.append(whole(5))
    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    return results

def seeded(number):
    torch.manual_seed(number)
    return whole(6)[0].tolist()

def refused():
    model = Own(4, 1)
    optimizer = torch.optim.LBFGS(model.parameters())
    def closure():
        raise KeyError("closure")
    try:
        optimizer.step(closure)
    except KeyError as error:
        return repr(error), error.__traceback__.tb_next is not None

weights = [
    whole(), asyncio.run(tasks()), forked(), in_a_thread([]),
    joblib.Parallel(n_jobs=2)(joblib.delayed(seeded)(number) for number in range(2)), refused(),
]
torch.manual_seed(1)
"""


def test_odd_places(transparent):
    compared = transparent(IMPORTS, BODY, AUTOLOG_DISABLE="seeds")
    assert compared.off.code == 0, compared.off.stderr
    for outcome in (compared.first, compared.late):
        assert outcome.recording.problems == []
        fits = outcome.recording.children
        sizes = [fit.facts["model"]["parameters"] for fit in fits]
        assert sorted(sizes) == [5, 10, 15, 20, 25, 30, 30]  # also in the fork (20) and in the two workers (30)
        for fit in fits:
            for name in ("loss", "lr-Adam"):
                assert [(step, epoch) for step, epoch, _ in fit.points(name)] == [(1, 0), (2, 1), (3, 2)], name
            assert fit.params["scheduler.name"] == "ExponentialLR"


NAMESPACES = """
import argparse, torch

def train(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.ones(2, 3)).mean().backward()
    optimizer.step()

def of_others():
    args, net = argparse.Namespace(dir="here", lr=0.1), torch.nn.Linear(3, 1)
    print(vars(args), len(dir(args)), args.dir)
    net.eval()
    train(net)

def its_own(read):
    net = torch.nn.Linear(3, 1)
    if read == "vars":
        held = vars()
    if read == "dir":
        held = dir()
    if read == "alias":
        read = vars
        held = read()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    net(torch.ones(2, 3)).mean().backward()
    optimizer.step()
    print(sorted(held))

of_others()
for read in ("vars", "dir", "alias"):
    its_own(read)
"""


def test_a_function_that_holds_its_own_locals_is_left_alone_and_no_other(tmp_path):
    from tests.integrations.conftest import run_script

    off = run_script(tmp_path / "off", f"import autolog\n{NAMESPACES}", AUTOLOG="off")
    on = run_script(tmp_path / "on", f"import autolog\n{NAMESPACES}")
    assert on.stdout == off.stdout
    first, *others = on.recording.children
    assert (first.name, on.recording.problems) == ("Linear", [])
    assert {other.name for other in others} == ({"SGD"} if sys.version_info < (3, 13) else {"Linear"})
