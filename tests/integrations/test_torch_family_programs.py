"""accelerate, TRL, sentence-transformers: programs of realistic size under ``autolog run``, and their whole record."""

import json

import pytest

from autolog.integrations import accelerate, sentence_transformers
from autolog.testing import missing, recording
from tests.integrations.test_transformers_program import run


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The recording of a program and what the program itself has written down, by the program's name."""
    done = {}

    def get(name, *needed):
        for module in needed:
            pytest.importorskip(module)
        if name not in done:
            folder = tmp_path_factory.mktemp(name)
            run(folder, f"{name}.py")
            done[name] = recording(folder / "runs"), json.loads((folder / "result.json").read_text("utf-8")), folder
        return done[name]

    return get


def said(history):
    """What a trainer has logged: ``{metric: [(step, epoch, value)]}``."""
    told = {}
    for entry in history:
        for name in entry.keys() - {"step", "epoch"}:
            told.setdefault(name, []).append((entry["step"], entry["epoch"], entry[name]))
    return told


def recorded(child):
    return {name: child.points(name) for name in child.metric_names if not name.startswith("autolog/")}


def assets(child, kind):
    return [(asset.name, asset.step) for asset in child.assets if asset.kind == kind]


# -- accelerate --------------------------------------------------------------------------------------------------------


def test_accelerate(ran):
    whole, told, _ = ran("accelerate_digits", "accelerate", "sklearn")
    (fit,) = whole.children
    assert (whole.problems, fit.name, fit.kind, fit.integration) == ([], "Digits", "fit", "torch")
    assert told["steps"] == 90
    # 60 batches an epoch, two of them make a step; each loss is the one the program computed, not its half.
    assert fit.points("loss") == [(number // 2 + 1, number // 60, value) for number, value in enumerate(told["losses"])]
    assert fit.points("grad_norm") == [(step + 1, step // 30, value) for step, value in enumerate(told["norms"])]
    assert fit.points("lr-AdamW") == [(step + 1, step // 30, value) for step, value in enumerate(told["rates"])]
    assert fit.metric_names == {
        "loss", "grad_norm", "lr-AdamW", "autolog/samples_per_second", "autolog/gradient_norm", "autolog/weight_norm",
    }  # fmt: skip
    assert [step for step, _ in fit.series("autolog/samples_per_second")] == [30, 60, 90]
    assert whole.run.series("accuracy") == [(30 * (epoch + 1), value) for epoch, value in enumerate(told["accuracies"])]
    assert whole.run.metric_names == {"accuracy", "epoch"}


def test_what_accelerate_was_told(ran):
    whole, told, folder = ran("accelerate_digits", "accelerate", "sklearn")
    run, (fit,) = whole.run, whole.children
    own = {name: value for name, value in run.params.items() if not name.startswith("accelerator.")}
    assert own == {
        "epochs": 3, "batch_size": 25, "lr": 0.01, "channels": 8, "dropout": 0.1, "accumulate": 2, "resume": None,
    }  # fmt: skip
    assert (run.params["accelerator.gradient_accumulation_steps"], run.params["accelerator.num_processes"]) == (2, 1)
    assert (fit.params["optimizer.name"], fit.params["optimizer.weight_decay"]) == ("AdamW", 0.01)
    assert (fit.params["scheduler.name"], fit.params["scheduler.total_steps"]) == ("OneCycleLR", 90)
    model = fit.facts["model"]
    assert (model["class"], model["parameters"]) == ("__main__.Digits", told["parameters"])
    assert [part["name"] for part in model["parts"]] == ["features", "head"]
    data = {"dataset": "Subset", "workers": 0, "drop_last": False}
    assert fit.facts["data"] == {"train_batches": 60, "batch_size": 25, "train_rows": 1500, **data}
    assert fit.facts["evaluation_data"] == [{"train_batches": 3, "batch_size": 100, "train_rows": 297, **data}]
    assert assets(fit, "model") == [
        ("checkpoint_0", 30), ("checkpoint_1", 60), ("checkpoint_2", 90), ("model.safetensors", 90),
    ]  # fmt: skip
    assert assets(fit, "histograms") == [
        ("gradients", 1), ("weights", 30), ("gradients", 31), ("weights", 60), ("gradients", 61), ("weights", 90),
    ]  # fmt: skip
    states = folder / "project" / "checkpoints"
    assert run.facts["removed_checkpoints"] == [{"path": str(states / "checkpoint_0")}]
    assert sorted(path.name for path in states.iterdir()) == ["checkpoint_1", "checkpoint_2"]
    unused = {"loaded_states"}
    assert [
        row for row in missing(accelerate.integration.captures, whole) if not any(one in row for one in unused)
    ] == []


# -- TRL ---------------------------------------------------------------------------------------------------------------


def test_trl(ran):
    whole, told, _ = ran("trl_recipes", "trl", "peft")
    (fit,) = whole.children
    assert (whole.problems, whole.run.metrics) == ([], [])
    assert (fit.name, fit.kind, fit.integration, fit.status) == ("PeftModel", "fit", "transformers", "completed")
    assert told["steps"] == 20  # 200 rows in batches of 10, a step after every second one, two epochs
    assert recorded(fit) == said(told["history"])
    assert [step for step, _ in fit.series("loss")] == [4, 8, 12, 16, 20]
    assert [step for step, _ in fit.series("eval_loss")] == [10, 20]
    assert {"num_tokens", "mean_token_accuracy", "entropy", "grad_norm", "learning_rate"} <= recorded(fit).keys()
    for name in ("autolog/samples_per_second", "autolog/tokens_per_second", "autolog/steps_per_second"):
        assert [step for step, _ in fit.series(name)] == [4, 8, 12, 16, 20]
    changed = fit.facts["changed_arguments"]
    given = {
        "output_dir": "recipes", "num_train_epochs": 2, "per_device_train_batch_size": 10, "warmup_steps": 2,
        "gradient_accumulation_steps": 2, "learning_rate": 0.002, "logging_steps": 4, "eval_strategy": "epoch",
        "save_strategy": "epoch",
    }  # fmt: skip
    assert {name: changed[name] for name in given} == given == {name: fit.params[name] for name in given}
    assert (fit.params["peft.default.r"], fit.params["peft.default.lora_alpha"]) == (4, 8)
    assert (fit.params["config.n_layer"], fit.params["config.n_embd"]) == (2, 32)
    model = fit.facts["model"]
    assert (model["parameters"], model["trainable_parameters"]) == (told["parameters"], told["trained"])
    assert fit.facts["trainer"]["class"] == "trl.trainer.sft_trainer.SFTTrainer"
    assert fit.facts["training"]["global_step"] == 20
    assert fit.facts["training"]["total_flos"] == told["flos"]
    rows = {asset.name: asset.metadata["rows"] for asset in fit.assets if asset.kind == "dataset"}
    assert rows == {"train_dataset": 200, "eval_dataset": 40}
    assert assets(fit, "model") == [("checkpoint-10", 10), ("checkpoint-20", 20)]
    assert assets(whole.run, "model") == [("final", 20)]
    assert assets(fit, "histograms") == [("gradients", 1), ("weights", 10), ("gradients", 11), ("weights", 20)]
    assert fit.facts["weights"]["absent"]["frozen"]["count"] == 28  # of the base model: only the adapter is trained


# -- sentence-transformers ---------------------------------------------------------------------------------------------


def test_sentence_transformers(ran):
    whole, told, folder = ran("sentence_pairs", "sentence_transformers")
    before, fit, after = whole.children
    assert (whole.problems, whole.run.metrics) == ([], [])
    for child, name, scores in (
        (before, "TripletEvaluator", told["before"]),
        (after, "BinaryClassificationEvaluator", told["after"]),
    ):
        assert (child.name, child.kind, child.integration) == (name, "evaluate", "sentence_transformers")
        assert {name: child.series(name)[0][1] for name in child.metric_names} == scores
    assert (fit.name, fit.kind, fit.integration) == ("SentenceTransformer", "fit", "transformers")
    assert (fit.status, told["steps"]) == ("completed", 20)
    assert recorded(fit) == said(told["history"])
    assert [step for step, _ in fit.series("eval_held-out_cosine_accuracy")] == [10, 20]
    (loss,) = fit.facts["losses"]
    assert loss["class"].endswith("MultipleNegativesRankingLoss")
    assert loss["config"]["scale"] == 10.0
    assert [(one["name"], one["primary_metric"]) for one in fit.facts["evaluators"]] == [
        ("held-out", "held-out_cosine_accuracy")
    ]
    assert (fit.facts["model"]["parameters"], fit.facts["model"]["name_or_path"]) == (told["parameters"], "encoder")
    assert (fit.params["learning_rate"], fit.params["config.num_hidden_layers"]) == (0.001, 2)
    assert assets(fit, "model") == [("checkpoint-10", 10), ("checkpoint-20", 20)]
    assert fit.facts["removed_checkpoints"] == [{"path": str(folder / "out" / "checkpoint-10"), "step": 10}]
    assert assets(fit, "histograms") == [("gradients", 1), ("weights", 10), ("gradients", 11), ("weights", 20)]
    rows = {asset.name: asset.metadata["rows"] for asset in fit.assets if asset.kind == "dataset"}
    assert rows == {"train_dataset": 160, "eval_dataset": 24}
    assert missing(sentence_transformers.integration.captures, whole) == []
