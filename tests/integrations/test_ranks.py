"""Real launchers: ``torchrun`` with four gloo processes on two simulated nodes, ``accelerate launch``."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from autolog.store import read_run
from autolog.store.series import system_samples
from tests.labs import beside
from tests.waiting import LONG, until

BIN = Path(sys.executable).parent
DDP = """
import autolog
import os, sys, torch, torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

dist.init_process_group("gloo")
rank = dist.get_rank()
print("rank", rank, "of", dist.get_world_size())
torch.manual_seed(0)
model = DistributedDataParallel(torch.nn.Linear(4, 1))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for step in range(3):
    loss = model(torch.full((2, 4), float(rank))).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if rank == 0:
        autolog.log_metric("loss", loss.item(), step=step)
    if "FAIL" in os.environ and rank == 3 and step == 1:
        raise RuntimeError("rank three has had enough")
    if "KILL" in os.environ and rank == 3 and step == 1:
        import signal, time
        time.sleep(2)
        os.kill(os.getpid(), signal.SIGKILL)
dist.destroy_process_group()
"""
TRANSFORMERS = """
import autolog
import torch, transformers

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(4, 1)
    def forward(self, x, labels):
        return {"loss": (self.line(x) - labels).square().mean()}

data = [{"x": torch.ones(4) * i, "labels": torch.zeros(1)} for i in range(16)]
arguments = transformers.TrainingArguments(
    "out", max_steps=2, per_device_train_batch_size=2, logging_steps=1, report_to="none", use_cpu=True,
    save_strategy="no", disable_tqdm=True,
)
transformers.Trainer(Net(), arguments, train_dataset=data).train()
"""
LIGHTNING_MODULE = """
import autolog
import torch, lightning.pytorch as pl
from torch.utils.data import DataLoader

class Line(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(4, 1)
    def training_step(self, batch, index):
        loss = self.net(batch).square().mean()
        self.log("loss", loss)
        return loss
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)
"""
LIGHTNING = (
    LIGHTNING_MODULE
    + """
pl.Trainer(
    max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu", devices=2,
    num_nodes=2, strategy="ddp", log_every_n_steps=1, enable_model_summary=False,
).fit(Line(), DataLoader(torch.ones(32, 4), batch_size=4))
"""
)

SPAWNED = """
import autolog, os, sys
import torch, torch.distributed as dist, torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

class Worked(torch.utils.data.Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        from sklearn.linear_model import Ridge
        Ridge().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
        return torch.ones(4)

def loop(model, backward):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for step in range(3):
        loss = model(torch.ones(2, 4)).square().mean()
        optimizer.zero_grad()
        backward(loss)
        optimizer.step()

def train(rank, port):
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    loop(DistributedDataParallel(torch.nn.Linear(4, 1)), torch.Tensor.backward)
    dist.destroy_process_group()

def accelerated():
    from accelerate import Accelerator
    accelerator = Accelerator(cpu=True)
    loop(accelerator.prepare(torch.nn.Linear(4, 1)), accelerator.backward)
    assert accelerator.num_processes == 2

if __name__ == "__main__":
    from accelerate import notebook_launcher
    with autolog.child_run("spawn"):
        mp.spawn(train, args=(sys.argv[1],), nprocs=2)
    with autolog.child_run("fork"):
        forks = [mp.get_context("fork").Process(target=train, args=(rank, sys.argv[2])) for rank in (0, 1)]
        [fork.start() for fork in forks]
        [fork.join() for fork in forks]
    with autolog.child_run("notebook_launcher"):
        notebook_launcher(accelerated, num_processes=2, use_port=sys.argv[3])
    with autolog.child_run("loader"):
        batches = list(torch.utils.data.DataLoader(Worked(), batch_size=2, num_workers=2))
        loop(torch.nn.Linear(4, 1), torch.Tensor.backward)
"""
SPAWNED_LIGHTNING = (
    LIGHTNING_MODULE
    + """
if __name__ == "__main__":
    for strategy in ("ddp_notebook", "ddp_spawn"):
        with autolog.child_run(strategy):
            trainer = pl.Trainer(
                max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu",
                devices=2, strategy=strategy, log_every_n_steps=1, enable_model_summary=False,
            )
            trainer.fit(Line(), DataLoader(torch.ones(32, 4), batch_size=4))
            print(float(trainer.callback_metrics["loss"]))
"""
)
SLURM = """
import autolog, os, torch, torch.distributed as dist
rank = int(os.environ["SLURM_PROCID"])
if "GROUP" in os.environ:
    dist.init_process_group("gloo", rank=rank, world_size=2)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), 0.1 * (rank + 1))
for step in range(3):
    loss = model(torch.ones(2, 4)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


class Cluster:
    """Two nodes of two processes each, all on this machine."""

    def __init__(self, folder):
        self.folder = folder
        self.runs = folder / "runs"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTOLOG")}
        self.environment = kept | {
            "AUTOLOG_DIR": str(self.runs),
            "AUTOLOG_PROJECT": "lab",
            "AUTOLOG_STRICT": "1",
            "AUTOLOG_SAMPLE_INTERVAL": "0.5",
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "HF_HUB_OFFLINE": "1",
        }
        self.agents = []

    def launch(self, text, *rendezvous, **environment):
        """Start an agent a node, the second first, and wait for both; their exit codes."""
        (self.folder / "train.py").write_text(text)
        for node in ("1", "0"):
            command = [
                str(BIN / "torchrun"), "--nnodes", "2", "--nproc-per-node", "2", "--node-rank", node,
                *rendezvous, "train.py",
            ]  # fmt: skip
            self.agents.append(self.start(command, environment, f"agent.{len(self.agents)}"))
        codes = [agent.wait(timeout=LONG) for agent in self.agents[-2:]]
        self.settle()
        return codes

    def start(self, command, environment, name):
        with (self.folder / name).open("wb") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env=self.environment | environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT,
            )  # fmt: skip

    def said(self):
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("agent.*")))

    def only(self):
        (directory,) = (path.parent for path in self.runs.glob("lab/*/journal.jsonl"))
        assert len(list(self.runs.glob("lab/*"))) == 1
        return directory

    def settle(self):
        """Wait until the sidecars have written all they have to."""
        until(lambda: not beside(self.runs))

    def close(self):
        for agent in self.agents:
            if agent.poll() is None:
                agent.send_signal(signal.SIGTERM)
                agent.wait()


@pytest.fixture
def cluster(tmp_path):
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.close()


def static():
    return "--rdzv-backend", "static", "--master-addr", "127.0.0.1", "--master-port", free_port()


def c10d():
    return "--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{free_port()}", "--rdzv-id", "job"


def is_whole(directory):
    """One run: a journal, console and end of every rank, samples of every node."""
    run = read_run(directory)
    assert {one["rank"]: one["status"] for one in run.processes if one["role"] in ("main", "rank")} == dict.fromkeys(
        range(4), "completed"
    )
    assert {one["node"] for one in run.processes if one["role"] == "rank"} == {"0", "1"}
    assert len(list(directory.glob("console*.log"))) == 4
    assert list(system_samples(directory))
    assert list(system_samples(directory, "1"))
    assert (run.status, run.health["errors"]) == ("completed", [])
    return run


@pytest.mark.parametrize("rendezvous", [static, c10d])
def test_plain_ddp_on_two_nodes_is_one_run(cluster, rendezvous):
    assert cluster.launch(DDP, *rendezvous()) == [0, 0], cluster.said()
    directory = cluster.only()
    run = is_whole(directory)
    assert run.metrics["loss"].count == 3
    for rank, name in enumerate(["console.log", "console.1.log", "console.2.log", "console.3.log"]):
        assert f"rank {rank} of 4" in (directory / name).read_text()


def test_the_next_launch_on_the_same_port_is_another_run(cluster):
    rendezvous = static()
    for _ in range(2):
        assert cluster.launch(DDP, *rendezvous) == [0, 0], cluster.said()
    found = sorted(path.parent for path in cluster.runs.glob("lab/*/journal.jsonl"))
    assert len(found) == 2
    for directory in found:
        is_whole(directory)


def test_a_rank_that_raises_is_named(cluster):
    assert 1 in cluster.launch(DDP, *static(), FAIL="1"), cluster.said()
    run = read_run(cluster.only())
    assert (run.status, run.end["rank"]) == ("failed", 3), (run.end, run.processes, cluster.said())
    (third,) = (one for one in run.processes if one["rank"] == 3 and one["role"] == "rank")
    assert third["exception"]["message"] == "rank three has had enough"


def test_a_rank_that_is_killed_is_named(cluster):
    assert 1 in cluster.launch(DDP, *static(), KILL="1"), cluster.said()
    run = read_run(cluster.only())
    (third,) = (one for one in run.processes if one["rank"] == 3 and one["role"] == "rank")
    assert (third["status"], third["signal"]) == ("killed", "KILL")
    assert (run.status in ("failed", "killed"), run.end["rank"]) == (True, 3), (run.end, run.processes)


def test_a_restart_by_torchrun_is_a_run_of_its_own(cluster):
    # Without a process group: gloo's own restart fails now and then, where nobody records anything too.
    failing = """
import autolog, os, time
autolog.start_run()
if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
    if os.environ["RANK"] == "1":
        raise RuntimeError("once")
    time.sleep(600)
"""
    (cluster.folder / "train.py").write_text(failing)
    command = [str(BIN / "torchrun"), "--standalone", "--nproc-per-node", "2", "--max-restarts", "1", "train.py"]
    cluster.agents.append(cluster.start(command, {}, "agent.0"))
    assert cluster.agents[0].wait(timeout=LONG) == 0, cluster.said()
    cluster.settle()
    found = [read_run(path.parent) for path in sorted(cluster.runs.glob("lab/*/journal.jsonl"))]
    assert [run.status for run in found] == ["failed", "completed"]
    assert [sorted(one["rank"] for one in run.processes if one["role"] != "sidecar") for run in found] == [[0, 1]] * 2


def test_transformers_on_two_nodes(cluster):
    assert cluster.launch(TRANSFORMERS, *static()) == [0, 0], cluster.said()
    run = is_whole(cluster.only())
    assert run.metrics["loss"].count == 2


def test_lightning_on_two_nodes(cluster):
    assert cluster.launch(LIGHTNING, *static()) == [0, 0], cluster.said()
    run = is_whole(cluster.only())
    assert (run.metrics["loss"].count, run.params["trainer.world_size"]) == (2, 4)


def test_accelerate_launch(cluster):  # "multi_gpu" is its word for several processes; the script needs no GPU
    (cluster.folder / "train.py").write_text(DDP)
    command = [
        str(BIN / "accelerate"), "launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
        "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", free_port(), "train.py",
    ]  # fmt: skip
    agent = cluster.start(command, {}, "agent.0")
    cluster.agents.append(agent)
    assert agent.wait(timeout=LONG) == 0, cluster.said()
    cluster.settle()
    run = read_run(cluster.only())
    assert (run.status, run.metrics["loss"].count, len(list(cluster.only().glob("journal*")))) == ("completed", 3, 2)


def alone(cluster, text, *arguments, **environment):
    """Run a script that starts its ranks itself, or is one; its run."""
    (cluster.folder / "train.py").write_text(text)
    command = [sys.executable, "train.py", *arguments]
    agent = cluster.start(command, {"AUTOLOG_SIDECAR": "0", **environment}, f"agent.{len(cluster.agents)}")
    cluster.agents.append(agent)
    return agent


def fits(run):
    return {
        place.name: [(fit.integration, fit.status, fit.metrics["loss"].count) for fit in place.children]
        for place in run.children
    }


def test_ranks_that_a_script_starts_itself(cluster):
    """Each is a worker of the script's run; of those that form a group the first reports, as in a job."""
    agent = alone(cluster, SPAWNED, free_port(), free_port(), free_port(), ACCELERATE_USE_CPU="1")
    assert agent.wait(timeout=LONG) == 0, cluster.said()
    run = read_run(cluster.only())
    once = [("torch", "completed", 3)]
    assert run.health["errors"] == []
    assert fits(run) == {"spawn": once, "fork": once, "notebook_launcher": once, "loader": once}


def test_ranks_that_lightning_starts_in_its_process(cluster):
    agent = alone(cluster, SPAWNED_LIGHTNING)
    assert agent.wait(timeout=LONG) == 0, cluster.said()
    run = read_run(cluster.only())
    assert run.health["errors"] == []
    assert fits(run) == {strategy: [("lightning", "completed", 4)] for strategy in ("ddp_notebook", "ddp_spawn")}


@pytest.mark.parametrize(("group", "reporting"), [("1", 1), ("", 2)])
def test_tasks_of_slurm_are_ranks_once_they_form_a_group(cluster, group, reporting):
    port = free_port()
    tasks = [
        alone(
            cluster, SLURM, SLURM_JOB_ID="7", SLURM_STEP_ID="0", SLURM_PROCID=str(rank), SLURM_NTASKS="2",
            SLURM_LOCALID=str(rank), SLURM_NODEID="0", MASTER_ADDR="127.0.0.1", MASTER_PORT=port,
            **({"GROUP": group} if group else {}),
        )
        for rank in (1, 0)
    ]  # fmt: skip
    assert [task.wait(timeout=LONG) for task in tasks] == [0, 0], cluster.said()
    run = read_run(cluster.only())
    assert [child.metrics["loss"].count for child in run.children] == [3] * reporting
    assert sorted(child.params["optimizer.lr"] for child in run.children) == [0.1, 0.2][:reporting]
    assert "AUTOLOG_RANKS" not in cluster.said()
