"""Two processes under torchrun: DDP, a sharded optimizer, FSDP of both versions; with and without autolog."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autolog.testing import recording
from tests.integrations.conftest import environment
from tests.waiting import LONG

BIN = Path(sys.executable).parent
PROGRAM = Path(__file__).parents[1] / "programs" / "torch_sharded.py"
KINDS = ["ddp", "zero", "fsdp2", "fsdp1-original", "fsdp1-flat"]


def launched(folder, *command, **variables):
    folder.mkdir()
    done = subprocess.run(
        [*map(str, command), str(BIN / "torchrun"), "--nproc-per-node", "2", "--standalone", str(PROGRAM), *KINDS],
        cwd=folder, env=environment(folder) | {"TORCH_CPP_LOG_LEVEL": "ERROR"} | variables, capture_output=True,
        text=True, timeout=LONG, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines() if line.split()[0] in KINDS], recording(folder / "runs")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What the program printed of each kind, and the recording."""
    folder = tmp_path_factory.mktemp("ranks")
    off, nothing = launched(folder / "off", AUTOLOG="off")
    on, told = launched(folder / "on", BIN / "autolog", "run", "--")
    assert nothing.records == []
    assert on == off  # to the bit: every loss is printed in full
    return {kind: [float(value) for name, value in on if name == kind] for kind in KINDS}, told


def test_one_run_whose_rank_0_reports(ran):
    _, told = ran
    assert told.problems == []
    assert len(list(told.root.glob("*/*/journal.jsonl"))) == 1
    assert [(child.name, child.kind) for child in told.children] == [("Net", "fit")] * len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_losses_steps_and_epochs(ran, kind):
    losses, told = ran
    fit = told.children[KINDS.index(kind)]
    expected = list(zip(range(1, 7), [0, 0, 0, 1, 1, 1], losses[kind], strict=True))
    assert fit.points("loss") == expected
    rate = "lr-ZeroRedundancyOptimizer" if kind == "zero" else "lr-Adam"
    assert fit.series(rate) == [(step, 0.01) for step in range(1, 7)]


def test_the_whole_model_is_told_not_this_ranks_shard(ran):
    _, told = ran
    models = [child.facts["model"] for child in told.children]
    assert [model["class"] for model in models] == ["__main__.Net"] * len(KINDS)
    assert [model["parameters"] for model in models] == [65] * len(KINDS)
    wrapped = ["DistributedDataParallel"] * 2 + ["fully_shard"] + ["FullyShardedDataParallel"] * 2
    assert [model["wrapped_in"] for model in models] == wrapped
    assert "inner: Linear  56  weight [8, 6], bias [8]" in models[2]["summary"]
    assert [model.get("sharded") for model in models] == [None, None, None, True, True]


def test_weights_of_a_sharded_model_are_the_shard_of_rank_0_and_marked(ran):
    _, told = ran
    shown = {}
    for kind, fit in zip(KINDS, told.children, strict=True):
        assert [(asset.name, asset.step, asset.epoch) for asset in fit.assets if asset.kind == "histograms"] == [
            ("gradients", 1, 0), ("weights", 3, 0), ("gradients", 4, 1), ("weights", 6, 1),
        ]  # fmt: skip
        (path,) = told.root.glob(f"*/*/{fit.assets[-1].path}")
        shown[kind] = json.loads(path.read_text("utf-8"))["histograms"]
    whole = {"inner.weight": 48, "inner.bias": 8, "outer.weight": 8, "outer.bias": 1}
    # The second version shards the first dimension, the first one what it has made flat: 65 elements, 33 and 32.
    half = {"inner.weight": 24, "inner.bias": 4, "outer.weight": 8, "outer.bias": 1}
    assert {kind: {name: one["count"] for name, one in found.items()} for kind, found in shown.items()} == {
        "ddp": whole, "zero": whole, "fsdp2": half, "fsdp1-original": {"inner.weight": 33},
        "fsdp1-flat": {"_flat_param": 33},
    }  # fmt: skip
    for kind, fit in zip(KINDS, told.children, strict=True):
        sharded = kind.startswith("fsdp")
        assert all(one.get("local_shard", False) is sharded for one in shown[kind].values())
        assert ("autolog/weight_norm" in fit.metric_names) is not sharded  # a norm of a part is none
        assert ("autolog/gradient_norm" in fit.metric_names) is not sharded
    empty = {"empty": {"count": 3, "names": ["inner.bias", "outer.weight", "outer.bias"]}}
    assert [fit.facts["weights"].get("absent") for fit in told.children] == [None, None, None, empty, None]
