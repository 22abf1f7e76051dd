"""``torch.compile``: the same graphs with and without autolog, and steps inside compiled code seen all the same."""

IMPORTS = "import random, numpy, torch, torch._dynamo"
BODY = """
from torch.nn.utils import clip_grad_norm_

def counted(what):
    counters = torch._dynamo.utils.counters
    print(what, sum(counters["graph_break"].values()), dict(counters["stats"]))
    torch._dynamo.reset()
    counters.clear()

def made(kind, lr=0.1):
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 2)
    return model, kind(model.parameters(), lr=lr), torch.randn(8, 4)

def only_the_optimizer():
    model, optimizer, x = made(torch.optim.Adam)
    step = torch.compile(lambda: optimizer.step(), backend="eager")
    losses = []
    for _ in range(4):
        optimizer.zero_grad()
        loss = model(x).square().mean()
        losses.append(loss.item())
        loss.backward()
        step()
    counted("optimizer")
    return model, losses

def the_whole_step():
    model, optimizer, x = made(torch.optim.SGD)
    def step(x):
        optimizer.zero_grad()
        whole_loss = model(x).square().mean()
        whole_loss.backward()
        clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return whole_loss
    compiled = torch.compile(step, backend="eager")
    losses = [compiled(x).item() for _ in range(4)]
    counted("whole")
    return model, losses

def the_model():
    model, optimizer, x = made(torch.optim.AdamW)
    compiled = torch.compile(model, backend="eager")
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = compiled(x).square().mean()
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    counted("model")
    return model, losses

def only_clipping():
    model, optimizer, x = made(torch.optim.SGD)
    clip = torch.compile(lambda: clip_grad_norm_(model.parameters(), 0.01), backend="eager", fullgraph=True)
    for _ in range(2):
        model(x).square().mean().backward()
        print(clip())
    counted("clipping")

def scaled():
    model, optimizer, x = made(torch.optim.SGD)
    scaler = torch.amp.GradScaler("cpu")
    def step(x):
        optimizer.zero_grad()
        loss = model(x).square().mean()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss
    compiled = torch.compile(step, backend="eager")
    losses = [compiled(x).item() for _ in range(2)]
    counted("scaled")
    return model, losses

told = [only_the_optimizer(), the_whole_step(), the_model(), scaled()]
only_clipping()
print([losses for _, losses in told])
weights = [list(model.state_dict().values()) for model, _ in told]
"""


def test_the_same_graphs_and_every_step(transparent):
    compared = transparent(IMPORTS, BODY)
    assert compared.off.code == 0, compared.off.stderr
    losses = eval(compared.off.stdout.splitlines()[-1])
    for outcome in (compared.first, compared.late):
        assert outcome.recording.problems == []
        assert "autolog" not in outcome.stderr
        fits = outcome.recording.children
        assert [fit.name for fit in fits] == ["Linear"] * 4
        names = ["loss", "whole_loss", "loss", "loss"]
        for fit, name, own in zip(fits, names, losses, strict=True):
            assert fit.series(name) == list(enumerate(own, 1))
        assert [step for step, _ in fits[0].series("lr-Adam")] == [1, 2, 3, 4]
        assert [step for step, _ in fits[1].series("lr-SGD")] == [1, 2, 3, 4]
        assert fits[2].facts["model"]["wrapped_in"] == "OptimizedModule"
        assert [step for step, _ in fits[3].series("lr-SGD")] == [1, 2]
        assert "autolog/skipped_steps" not in fits[3].metric_names
