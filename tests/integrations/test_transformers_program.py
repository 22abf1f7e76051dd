"""Programs of realistic size that know nothing of autolog, run by ``autolog run``: their record, value by value."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autolog.integrations.transformers import integration
from autolog.testing import missing, recording
from tests.integrations.conftest import environment
from tests.waiting import LONG

PROGRAMS = Path(__file__).parents[1] / "programs"
EPOCHS, STEPS = 4, 10  # 300 rows in batches of 16, a step after every second one
OPTIONS = {
    "output_dir": "out", "num_train_epochs": EPOCHS, "per_device_train_batch_size": 16, "learning_rate": 0.005,
    "logging_steps": 5, "eval_strategy": "epoch", "save_strategy": "epoch", "metric_for_best_model": "accuracy",
    "save_total_limit": 1, "gradient_accumulation_steps": 2, "warmup_steps": 2, "load_best_model_at_end": True,
}  # fmt: skip


def run(folder, name, *arguments):
    done = subprocess.run(
        [str(Path(sys.executable).parent / "autolog"), "run", str(PROGRAMS / name), *map(str, arguments)],
        cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=LONG, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    """The recording of the classifier, and the folder it ran in."""
    pytest.importorskip("peft")
    folder = tmp_path_factory.mktemp("reviews")
    given = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    run(folder, "transformers_reviews.py", *given)
    return recording(folder / "runs"), folder


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """The recordings of a sequence-to-sequence training and of its continuation, and the folder."""
    folder = tmp_path_factory.mktemp("numbers")
    first = run(folder, "transformers_numbers.py")
    (folder / "runs").rename(folder / "first")
    second = run(folder, "transformers_numbers.py", "--epochs", "3", "--resume")
    told = [json.loads(done.stdout.splitlines()[-1]) for done in (first, second)]
    return recording(folder / "first"), recording(folder / "runs"), told, folder


def history(state):
    """What a trainer has logged: ``{metric: [(step, epoch, value)]}``."""
    told = {}
    for entry in json.loads(state.read_text())["log_history"]:
        for name, value in entry.items():
            if name not in ("step", "epoch"):
                told.setdefault(name, []).append((entry["step"], entry["epoch"], value))
    return told


def recorded(child):
    return {name: child.points(name) for name in child.metric_names if not name.startswith("autolog/")}


def test_the_calls_of_the_program(reviews):
    told, _ = reviews
    assert told.problems == []
    assert [(child.kind, child.name, child.status, child.integration) for child in told.children] == [
        (kind, "PeftModelForSequenceClassification", "completed", "transformers")
        for kind in ("fit", "evaluate", "predict")
    ]
    assert [asset.name for asset in told.run.assets] == ["out"]
    assert told.run.metrics == []


def test_every_value_is_the_trainers_own(reviews):
    told, folder = reviews
    fit, evaluation, prediction = told.children
    assert recorded(fit) == history(folder / "out" / "trainer_state.json")
    steps = range(5, EPOCHS * STEPS + 1, 5)
    assert [step for step, _ in fit.series("loss")] == list(steps)
    assert [step for step, _ in fit.series("autolog/tokens_per_second")] == list(steps)
    for child, file in ((evaluation, "eval"), (prediction, "predict")):
        said = json.loads((folder / "out" / f"{file}_results.json").read_text())
        said.pop("epoch", None)
        assert {name: child.series(name) for name in recorded(child)} == {
            name: [(EPOCHS * STEPS, value)] for name, value in said.items()
        }
    assert {"eval_accuracy", "eval_recall", "eval_loss"} <= recorded(evaluation).keys()


def test_everything_it_was_made_with(reviews):
    told, folder = reviews
    fit = told.children[0]
    assert {name: fit.params[name] for name in OPTIONS} == OPTIONS
    changed = fit.facts["changed_arguments"]
    assert OPTIONS.keys() <= changed.keys()
    settled = {"do_eval", "dataloader_pin_memory", "greater_is_better", "bf16", "optim"}  # by TrainingArguments itself
    settled_once = {"include_num_input_tokens_seen", "local_rank", "logging_dir"}  # in version 4
    assert changed.keys() - OPTIONS.keys() <= settled | settled_once
    assert fit.params["lr_scheduler_type"] == "linear"
    assert (fit.params["config.hidden_size"], fit.params["config.num_hidden_layers"]) == (32, 2)
    assert (fit.params["peft.default.r"], fit.params["peft.default.target_modules"]) == (4, ["query", "value"])
    assert (fit.params["optimizer.name"], fit.params["optimizer.betas"]) == ("AdamW", [0.9, 0.999])
    assert fit.facts["labels"] == {"id2label": {"0": "bad", "1": "good"}, "label2id": {"bad": 0, "good": 1}}
    model = fit.facts["model"]
    # Two matrices of rank 4 for queries and values of two layers, and the classifier.
    assert model["trainable_parameters"] == 2 * 2 * 2 * 32 * 4 + 32 * 2 + 2
    assert model["parameters"] > model["trainable_parameters"]
    assert fit.facts["processing_class"]["special_tokens"]["cls_token"] == "[CLS]"
    assert [one["class"] for one in fit.facts["callbacks"]][1] == "EarlyStoppingCallback"
    assert fit.facts["data"] == {"train_batches": 19, "train_rows": 300, "train_batch_size": 16}
    data = {
        asset.name: asset.metadata["rows"]
        for child in told.children
        for asset in child.assets
        if asset.kind == "dataset"
    }
    assert data == {"train_dataset": 300, "eval_dataset": 50, "test_dataset": 50}
    training = fit.facts["training"]
    state = json.loads((folder / "out" / "trainer_state.json").read_text())
    for name in ("global_step", "max_steps", "total_flos", "best_metric", "best_global_step", "best_model_checkpoint"):
        assert training[name] == state[name]


def test_its_checkpoints(reviews):
    told, folder = reviews
    fit = told.children[0]
    there = {int(place.name.rpartition("-")[2]) for place in (folder / "out").glob("checkpoint-*")}
    checkpoints = {entry["step"]: entry for entry in fit.facts["checkpoints"]}
    assert list(checkpoints) == [STEPS * epoch for epoch in range(1, EPOCHS + 1)]
    assert {step for step, entry in checkpoints.items() if "removed" not in entry} == there
    best = json.loads((folder / "out" / "trainer_state.json").read_text())["best_global_step"]
    assert [step for step, entry in checkpoints.items() if entry["best"]] == [best]
    assert [asset.step for asset in fit.assets if asset.name == "best"] == [best]


def test_a_training_that_goes_on(numbers):
    first, second, told, folder = numbers
    (fit,), (resumed,) = first.children, second.children
    assert (first.problems, second.problems, fit.name) == ([], [], "T5ForConditionalGeneration")
    steps = 7  # 100 rows in batches of 16
    place = folder / "numbers" / f"checkpoint-{2 * steps}"
    assert resumed.facts["resumed"] == {"checkpoint": str(place.relative_to(folder)), "step": 2 * steps, "epoch": 2.0}
    assert [step for step, _ in fit.series("loss")] == [3, 6, 9, 12]
    assert [step for step, _ in resumed.series("loss")] == [15, 18, 21]
    for child, said in ((fit, told[0]), (resumed, told[1])):
        assert child.facts["training"]["global_step"] == said["step"]
        assert child.series("total_flos") == [(said["step"], said["flos"])]
        assert {"eval_two_digits_exact", "eval_three_digits_exact", "num_input_tokens_seen"} <= child.metric_names
    whole = history(folder / "numbers" / f"checkpoint-{3 * steps}" / "trainer_state.json")
    for name in ("loss", "learning_rate", "grad_norm", "eval_two_digits_loss"):
        assert fit.points(name) + resumed.points(name) == whole[name]
    data = {asset.name: asset.metadata["length"] for asset in fit.assets if asset.kind == "dataset"}
    assert data == {"train_dataset": 100, "eval_dataset/two_digits": 20, "eval_dataset/three_digits": 10}
    assert fit.facts["generation_config"]["decoder_start_token_id"] == 0


def test_together_they_have_all_that_is_promised(reviews, numbers):
    assert missing(integration.captures, reviews[0], numbers[0], numbers[1]) == []
