"""Loops over accelerate: what the program gave the accelerator, at the optimizer's steps, and nothing twice."""

import pytest
import torch
from torch import nn

import autolog
from autolog.integrations import accelerate as ours
from autolog.testing import missing

pytestmark = pytest.mark.filterwarnings("ignore")  # accelerate and torch about each other


@pytest.fixture(autouse=True)
def one_accelerator_after_the_other():
    """accelerate keeps one state for the process."""
    from accelerate.state import AcceleratorState, GradientState

    def reset():
        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()

    reset()  # trainers of other tests have left theirs
    yield
    reset()


def parts(rows=24):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=6)
    data = torch.utils.data.TensorDataset(torch.randn(rows, 4), torch.randn(rows, 1))
    return model, optimizer, torch.utils.data.DataLoader(data, batch_size=4, shuffle=True), scheduler


def accelerator(**options):
    from accelerate import Accelerator

    return Accelerator(cpu=True, **options)


def loop(accelerator, epochs=2, told=None):
    """What the accelerate documentation's loops look like. Every loss goes into ``told``."""
    model, optimizer, loader, scheduler = accelerator.prepare(*parts())
    done = 0
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for inputs, targets in loader:
            with accelerator.accumulate(model):
                loss = nn.functional.mse_loss(model(inputs), targets)
                accelerator.backward(loss)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
            total += loss.detach().item()
            if told is not None:
                told.append(loss.item())
            if accelerator.sync_gradients:
                done += 1
                accelerator.log({"lr": scheduler.get_last_lr()[0]}, step=done)
        accelerator.log({"train_loss": total / len(loader), "epoch": epoch, "phase": "training"}, step=done)
        yield epoch, model


def test_accumulation_and_everything_the_program_says(autolog_run, tmp_path):
    from accelerate.utils import ProjectConfiguration

    project = ProjectConfiguration(project_dir=str(tmp_path), automatic_checkpoint_naming=True, total_limit=1)
    accelerate = accelerator(gradient_accumulation_steps=3, mixed_precision="bf16", project_config=project)
    accelerate.init_trackers("tried", config={"learning_rate": 0.01, "model": {"layers": 2}})
    losses = []
    for _ in loop(accelerate, told=losses):
        accelerate.save_state()
    accelerate.load_state()
    accelerate.end_training()
    recording = autolog_run.read()
    (fit,) = recording.children
    run = recording.run
    assert (recording.problems, fit.name, fit.integration) == ([], "Sequential", "torch")
    # 6 batches an epoch, a step after every third; each loss as the program gave it, not divided by three.
    assert fit.points("loss") == [
        (step, (step - 1) // 2, value) for step, value in zip([1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4], losses, strict=True)
    ]
    assert [step for step, _ in fit.series("lr-AdamW")] == [1, 2, 3, 4]
    assert [step for step, _ in run.series("lr")] == [1, 2, 3, 4]
    assert run.series("train_loss") == [
        (2, pytest.approx(sum(losses[:6]) / 6)),
        (4, pytest.approx(sum(losses[6:]) / 6)),
    ]
    assert run.metric_names == {"lr", "train_loss", "epoch"}
    params = run.params
    assert (params["accelerator.mixed_precision"], params["accelerator.gradient_accumulation_steps"]) == ("bf16", 3)
    assert (params["accelerator.num_processes"], params["accelerator.distributed_type"]) == (1, "NO")
    assert (params["learning_rate"], params["model.layers"]) == (0.01, 2)
    assert run.facts["trackers"] == {"project": "tried", "trackers": []}
    assert [(asset.name, asset.step, asset.kind) for asset in fit.assets] == [
        ("checkpoint_0", 2, "model"), ("checkpoint_1", 4, "model"),
    ]  # fmt: skip
    assert fit.assets[0].metadata["path"] == str(tmp_path / "checkpoints" / "checkpoint_0")
    assert fit.assets[0].metadata["files"] >= 4
    assert run.facts["removed_checkpoints"] == [{"path": str(tmp_path / "checkpoints" / "checkpoint_0")}]
    assert run.facts["loaded_states"] == [{"path": str(tmp_path)}]
    assert missing(ours.integration.captures, recording) == []


def test_beside_a_tracker_nothing_is_twice_and_the_tracker_gets_everything(autolog_run, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accelerate = accelerator(log_with="tensorboard", project_dir=str(tmp_path))
    accelerate.init_trackers("board", config={"learning_rate": 0.01})
    for _ in loop(accelerate):
        pass
    accelerate.end_training()
    run = autolog_run.read().run
    assert run.facts["trackers"] == {"project": "board", "trackers": ["tensorboard"]}
    (events,) = {path.parent for path in tmp_path.rglob("events.out.tfevents*") if path.parent.name == "board"}
    board = EventAccumulator(str(events)).Reload()
    told = [(event.step, event.value) for event in board.Scalars("train_loss")]
    assert told == [(step, pytest.approx(value)) for step, value in run.series("train_loss")]
    assert len(run.series("lr")) == len(board.Scalars("lr")) == 12


def test_a_state_in_a_folder_of_ones_own_and_files_beside_it(autolog_run, tmp_path):
    accelerate = accelerator()
    for _, model in loop(accelerate, epochs=1):
        accelerate.save_state(str(tmp_path / "mine"))
        accelerate.save(
            accelerate.unwrap_model(model).state_dict(), str(tmp_path / "weights.bin"), safe_serialization=False
        )
    (fit,) = autolog_run.read().children
    assert [(asset.name, asset.step) for asset in fit.assets] == [("mine", 6), ("weights.bin", 6)]


def test_log_takes_tensors_and_a_loop_without_backward(autolog_run):
    accelerate = accelerator()
    accelerate.log({"accuracy": torch.tensor(0.5), "loss": 0.25})
    accelerate.log({"accuracy": torch.tensor([0.75])}, step=7)
    run = autolog_run.read().run
    assert run.series("accuracy") == [(0, 0.5), (7, 0.75)]
    assert run.series("loss") == [(0, 0.25)]
    assert run.params["accelerator.mixed_precision"] == "no"


def test_an_error_passes_and_ends_the_run(autolog_run):
    accelerate = accelerator(gradient_accumulation_steps=2)
    model, optimizer, _, _ = accelerate.prepare(*parts())
    with pytest.raises(RuntimeError, match="grad"):
        accelerate.backward(torch.ones(()))
    accelerate.backward(model(torch.ones(1, 4)).sum())
    optimizer.step()
    recording = autolog_run.read()
    (fit,) = recording.children
    assert (recording.problems, len(fit.metrics)) == ([], 1)


def test_a_trainer_reports_its_accelerator_itself(autolog_run, tmp_path):
    from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

    sizes = {"hidden_size": 16, "intermediate_size": 16, "vocab_size": 50, "max_position_embeddings": 16}
    model = BertForSequenceClassification(BertConfig(**sizes, num_hidden_layers=1, num_attention_heads=2))
    data = [{"input_ids": torch.arange(8), "labels": number % 2} for number in range(8)]
    args = TrainingArguments(str(tmp_path), max_steps=2, gradient_accumulation_steps=2, use_cpu=True, disable_tqdm=True)
    for name in ("transformers", None):
        if name:
            autolog.disable(name)
        try:
            Trainer(model, args, train_dataset=data).train()
        finally:
            if name:
                autolog.enable(name)
    recording = autolog_run.read()
    (fit,) = recording.children
    assert (fit.integration, recording.problems) == ("transformers", [])
    assert (recording.run.params, recording.run.metrics) == ({}, [])
    assert not any(source.startswith("accelerate") for source in fit.sources.values())


IMPORTS = """
import warnings; warnings.simplefilter("ignore")
import torch
from accelerate import Accelerator
"""
BODY = """
accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = torch.utils.data.DataLoader(torch.randn(16, 4), batch_size=4, shuffle=True)
model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
accelerator.init_trackers("tried", config={"lr": 0.1})
for batch in loader:
    with accelerator.accumulate(model):
        loss = model(batch).pow(2).mean()
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
    accelerator.log({"mean": loss.item()})
    print(loss.item())
weights = [parameter.data for parameter in model.parameters()]
accelerator.save_state("state")
accelerator.load_state("state")
"""


USE = """
accelerator = Accelerator(cpu=True)
accelerator.init_trackers("tried", config={"lr": 0.1})
accelerator.log({"mean": 0.5})
"""


def test_training_is_the_same_with_and_without(transparent):
    compared = transparent(IMPORTS, f"{BODY}\naccelerator.load_state('nowhere')")
    assert compared.off.code == 1
    losses = [float(line) for line in compared.off.stdout.split()]
    for outcome in (compared.first, compared.late):
        (fit,) = outcome.recording.children
        assert [value for _, value in fit.series("loss")] == losses
        assert outcome.recording.problems == []


def test_disable_restores_the_originals(restores):
    restores(
        "accelerate", ["accelerate"], IMPORTS, USE,
        ["Accelerator.backward", "Accelerator.log", "Accelerator.init_trackers", "Accelerator.save_state"],
    )  # fmt: skip
