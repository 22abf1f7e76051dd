"""Transformers' Trainer: data sets, checkpoints, resume, speeds, searches, and the explicit callback's options."""

import threading

import pytest
import torch

import autolog
from autolog import config
from autolog.integrations import weights

pytestmark = pytest.mark.filterwarnings("ignore")  # transformers and torch warn about each other


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["<pad>", "<unk>", *"abcdefghij"])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>", model_max_length=8)


def dataset(rows=30):
    from datasets import Dataset

    texts = [" ".join("abcdefghij"[number % 10] for _ in range(number % 3 + 2)) for number in range(rows)]
    data = Dataset.from_dict({"text": texts, "label": [number % 2 for number in range(rows)]})
    words = tokenizer()
    return data.map(lambda row: words(row["text"], truncation=True), remove_columns="text")


def bert():
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "vocab_size": 12, "max_position_embeddings": 16}
    return BertForSequenceClassification(BertConfig(**sizes, num_hidden_layers=1, num_attention_heads=2))


def accuracy(predictions):
    return {"accuracy": float((predictions.predictions.argmax(-1) == predictions.label_ids).mean())}


def trainer(tmp_path, callbacks=None, rows=30, kind=None, parts=None, **options):
    from transformers import Trainer, TrainingArguments

    args = TrainingArguments(
        str(tmp_path / "out"),
        **{
            "num_train_epochs": 1, "per_device_train_batch_size": 8, "logging_steps": 1, "save_strategy": "no",
            "use_cpu": True, "disable_tqdm": True, **options,
        },
    )  # fmt: skip
    data = dataset(rows)
    given = {"model": bert(), "train_dataset": data, "eval_dataset": data, "processing_class": tokenizer()}
    return (kind or Trainer)(args=args, callbacks=callbacks, compute_metrics=accuracy, **{**given, **(parts or {})})


def test_data_processing_class_speeds_and_tokens(autolog_run, tmp_path):
    data = dataset(12)
    training = trainer(
        tmp_path, eval_strategy="epoch", include_num_input_tokens_seen="all",
        parts={"eval_dataset": {"seen": data, "held_out": dataset(6)}},
    )  # fmt: skip
    tokens = [batch["input_ids"].numel() for batch in training.get_train_dataloader()]
    training.train()
    test = dataset(4)
    training.predict(test)
    training.evaluate(data)
    recording = autolog_run.read()
    fit, predict, evaluate = recording.children
    assert recording.problems == []
    assets = {asset.name: asset for asset in fit.assets}
    assert set(assets) == {"train_dataset", "eval_dataset/seen", "eval_dataset/held_out"}
    train = assets["train_dataset"].metadata
    assert (train["context"], train["rows"], train["own_fingerprint"]) == (
        "train", 30, training.train_dataset._fingerprint,
    )  # fmt: skip
    assert set(train["columns"]) == set(training.train_dataset.column_names)
    assert assets["eval_dataset/held_out"].metadata["rows"] == 6
    assert [(asset.name, asset.metadata["own_fingerprint"]) for asset in predict.assets] == [
        ("test_dataset", test._fingerprint)
    ]
    assert [(asset.name, asset.metadata["own_fingerprint"]) for asset in evaluate.assets] == [
        ("eval_dataset", data._fingerprint)
    ]
    assert {"eval_seen_accuracy", "eval_held_out_accuracy", "eval_held_out_loss"} <= fit.metric_names
    words = fit.facts["processing_class"]
    assert (words["vocab_size"], words["tokens"], words["model_max_length"]) == (12, 12, 8)
    assert words["special_tokens"]["pad_token"] == "<pad>"
    assert fit.facts["trainer"]["data_collator"]["class"].endswith("DataCollatorWithPadding")
    assert fit.facts["trainer"]["compute_metrics"].endswith(".accuracy")
    # The trainer's own count, and ours of the same batches, in which the last one is smaller.
    assert [value for _, value in fit.series("num_input_tokens_seen")][:4] == [sum(tokens[: n + 1]) for n in range(4)]
    speed = {what: dict(fit.series(f"autolog/{what}_per_second")) for what in ("steps", "samples", "tokens")}
    assert [speed["samples"][step] / speed["steps"][step] for step in (1, 2, 3, 4)] == pytest.approx([8, 8, 8, 6])
    assert [speed["tokens"][step] / speed["steps"][step] for step in (1, 2, 3, 4)] == pytest.approx(tokens)


def test_checkpoints_the_best_those_that_made_room_and_resume(autolog_run, tmp_path):
    options = {"eval_strategy": "epoch", "save_strategy": "epoch", "save_total_limit": 2, "learning_rate": 1e-2}
    best = {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss"}
    training = trainer(tmp_path, num_train_epochs=4, **options, **best)
    training.train()
    training.save_model(str(tmp_path / "final"))
    resumed = trainer(tmp_path, num_train_epochs=5, **options)
    resumed.train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-16"))
    recording = autolog_run.read()
    fit, second = recording.children
    assert recording.problems == []
    folder = tmp_path / "out"
    there = {place.name for place in folder.iterdir()}
    saved = [asset for asset in fit.assets if asset.name.startswith("checkpoint")]
    assert [(asset.name, asset.step, asset.kind) for asset in saved] == [
        (f"checkpoint-{step}", step, "model") for step in (4, 8, 12, 16)
    ]
    assert saved[0].metadata["path"] == str(folder / "checkpoint-4")
    assert saved[0].metadata["files"] >= 5
    told = {entry["step"]: entry for entry in fit.facts["checkpoints"]}
    assert list(told) == [4, 8, 12, 16]
    assert [step for step, entry in told.items() if entry.get("removed")] == [4, 8]
    (chosen,) = [entry for entry in told.values() if entry["best"]]
    assert chosen["path"] == training.state.best_model_checkpoint
    assert {entry["step"] for entry in fit.facts["removed_checkpoints"]} == {4, 8}
    (asset,) = [asset for asset in fit.assets if asset.name == "best"]
    assert (asset.step, asset.metadata["value"]) == (training.state.best_global_step, training.state.best_metric)
    assert asset.metadata["metric"] == "eval_loss"
    (final,) = recording.run.assets
    assert (final.name, final.step, final.metadata["folder"]) == ("final", 16, str(tmp_path / "final"))
    assert (final.hash is None, final.size) == (False, (tmp_path / "final" / "model.safetensors").stat().st_size)
    assert second.facts["resumed"] == {"checkpoint": str(folder / "checkpoint-16"), "step": 16, "epoch": 4.0}
    assert [step for step, _ in second.series("loss")] == [17, 18, 19, 20]
    assert "checkpoint-20" in there | {asset.name for asset in second.assets}
    assert "resumed" not in fit.facts


def test_sequence_to_sequence_with_generation(autolog_run, tmp_path):
    from transformers import (
        DataCollatorForSeq2Seq,
        Seq2SeqTrainer,
        Seq2SeqTrainingArguments,
        T5Config,
        T5ForConditionalGeneration,
    )  # fmt: skip

    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2, "vocab_size": 12}
    model = T5ForConditionalGeneration(T5Config(**sizes, decoder_start_token_id=0, pad_token_id=0))
    data = [{"input_ids": [2, 3, number % 8 + 2], "labels": [number % 8 + 2, 3]} for number in range(16)]
    args = Seq2SeqTrainingArguments(
        str(tmp_path), predict_with_generate=True, generation_max_length=4, num_train_epochs=1, eval_strategy="epoch",
        per_device_train_batch_size=8, use_cpu=True, disable_tqdm=True, logging_steps=1, save_strategy="no",
        label_smoothing_factor=0.1, optim="adafactor",
    )  # fmt: skip
    training = Seq2SeqTrainer(
        model, args, DataCollatorForSeq2Seq(tokenizer(), model), data, data, processing_class=tokenizer(),
        compute_metrics=lambda given: {"length": given.predictions.shape[1]},
    )  # fmt: skip
    training.train()
    training.predict(data, max_length=3)
    recording = autolog_run.read()
    fit, predict = recording.children
    assert (recording.problems, fit.status) == ([], "completed")
    assert (fit.params["predict_with_generate"], fit.params["optimizer.name"]) == (True, "Adafactor")
    assert fit.facts["changed_arguments"]["label_smoothing_factor"] == 0.1
    assert fit.facts["generation_config"]["decoder_start_token_id"] == 0
    assert [value for _, value in fit.series("eval_length")] == [
        entry["eval_length"] for entry in training.state.log_history if "eval_length" in entry
    ]
    assert "test_length" in predict.metric_names
    (asset,) = [asset for asset in fit.assets if asset.name == "train_dataset"]
    assert (asset.metadata["type"], asset.metadata["complete"]) == ("list", True)


def test_a_batch_size_that_fits_is_looked_for(autolog_run, tmp_path):
    from transformers import Trainer

    class Narrow(Trainer):
        def training_step(self, model, inputs, *args, **kwargs):
            if len(inputs["input_ids"]) > 4:
                raise RuntimeError("CUDA out of memory.")
            return super().training_step(model, inputs, *args, **kwargs)

    training = trainer(tmp_path, kind=Narrow, rows=16, auto_find_batch_size=True)
    training.train()
    recording = autolog_run.read()
    (fit,) = recording.children
    sizes = fit.facts["batch_sizes_tried"]
    assert (fit.status, recording.problems, sizes[0]) == ("completed", [], 8)
    assert sizes[-1] == fit.facts["data"]["train_batch_size"] <= 4
    assert [step for step, _ in fit.series("loss")] == list(range(1, training.state.max_steps + 1))


def test_a_trainer_inside_a_training_has_series_of_its_own(autolog_run, tmp_path):
    from transformers import TrainerCallback

    class Probe(TrainerCallback):
        def on_epoch_end(self, args, state, control, **_):
            trainer(tmp_path / "inner", max_steps=2).train()

    trainer(tmp_path, [Probe]).train()
    outer, inner = autolog_run.read().children
    assert (outer.parent, inner.parent, inner.kind) == (None, outer.id, "fit")
    assert [step for step, _ in outer.series("loss")] == [1, 2, 3, 4]
    assert [step for step, _ in inner.series("loss")] == [1, 2]


def test_trainings_in_threads_are_told_apart(autolog_run, tmp_path):
    trainers = [trainer(tmp_path / str(steps), max_steps=steps) for steps in (2, 3)]
    autolog.start_run()
    threads = [threading.Thread(target=one.train) for one in trainers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recording = autolog_run.read()
    assert recording.problems == []
    steps = sorted([step for step, _ in child.series("loss")] for child in recording.children)
    assert steps == [[1, 2], [1, 2, 3]]


def test_beside_a_tensorboard_writer_nothing_is_twice(autolog_run, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    training = trainer(tmp_path, report_to="tensorboard")
    training.train()
    recording = autolog_run.read()
    (fit,) = recording.children
    assert (recording.problems, recording.run.metrics, len(fit.series("loss"))) == ([], [], 4)
    folders = {path.parent for path in tmp_path.rglob("events.out.tfevents*")}
    assert folders
    boards = [EventAccumulator(str(folder)).Reload() for folder in folders]
    (losses,) = [board.Scalars("train/loss") for board in boards if "train/loss" in board.Tags()["scalars"]]
    assert [event.step for event in losses] == [1, 2, 3, 4]


def test_search_for_hyperparameters(autolog_run, tmp_path):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    class Second(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return trial.number == 1

    training = trainer(tmp_path, eval_strategy="epoch", parts={"model": None, "model_init": bert})
    best = training.hyperparameter_search(
        lambda trial: {"learning_rate": trial.suggest_float("learning_rate", 1e-5, 1e-1, log=True)},
        n_trials=3, backend="optuna", direction="minimize", compute_objective=lambda metrics: metrics["eval_loss"],
        pruner=Second(),
    )  # fmt: skip
    recording = autolog_run.read()
    search, *trials = recording.children
    assert (search.kind, search.params["n_trials"], recording.problems) == ("search", 3, [])
    assert [(trial.kind, trial.parent, trial.status) for trial in trials] == [("trial", search.id, "completed")] * 3
    assert [trial.facts.get("pruned") for trial in trials] == [None, {"step": 4}, None]
    assert search.facts["best_trial"]["objective"] == best.objective
    assert search.facts["best_trial"]["hyperparameters"] == best.hyperparameters
    rates = [trial.params["learning_rate"] for trial in trials]
    assert best.hyperparameters["learning_rate"] in rates
    assert all([step for step, _ in trial.series("loss")] == [1, 2, 3, 4] for trial in trials)


# -- the explicit callback ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("automatic", ["on", "off"])
def test_options_of_the_explicit_callback(autolog_run, tmp_path, automatic):
    import transformers.trainer  # noqa: F401  patched by now

    from autolog.integrations.transformers import AutologCallback

    if automatic == "off":
        autolog.disable("transformers")
    try:
        group = autolog.start_run().open_child("group")
        ours = AutologCallback(
            group, name="mine", every_n_steps=3, metrics=["loss", "eval_*", "train_loss"], datasets=False,
            checkpoints=False,
        )  # fmt: skip
        trainer(tmp_path, [ours], num_train_epochs=2, eval_strategy="epoch", save_strategy="epoch").train()
    finally:
        autolog.enable("transformers")
    recording = autolog_run.read()
    _, fit = recording.children
    assert (fit.name, fit.parent, fit.status, recording.problems) == ("mine", group.child_id, "completed", [])
    assert [step for step, _ in fit.series("loss")] == [1, 4, 7]
    assert [step for step, _ in fit.series("eval_accuracy")] == [4, 8]
    assert len(fit.series("train_loss")) == 1
    assert not {"grad_norm", "learning_rate", "autolog/steps_per_second"} & fit.metric_names
    assert (fit.assets, "checkpoints" in fit.facts) == ([], False)
    assert fit.params["num_train_epochs"] == 2


def test_weights_are_recorded_as_the_callback_asks(autolog_run, tmp_path, monkeypatch):
    from autolog.integrations.transformers import AutologCallback

    monkeypatch.setattr(weights, "process_budget", weights.Budget(1000.0))
    trainer(tmp_path, [AutologCallback(weights="epoch")], num_train_epochs=2).train()  # though the setting says off
    trainer(tmp_path, [AutologCallback(weights=3)], num_train_epochs=2).train()
    config.configure(weights="epoch")
    try:
        trainer(tmp_path, [AutologCallback(weights="off")]).train()
    finally:
        config.configure(weights=None)
    fits = autolog_run.read().children
    assert [[asset.step for asset in fit.assets if asset.name == "weights"] for fit in fits] == [[4, 8], [3, 6], []]


def test_the_explicit_callback_alone_sees_errors_evaluations_and_other_trainers_nothing(autolog_run, tmp_path):
    import transformers.trainer
    from transformers import TrainerCallback

    from autolog.integrations.transformers import AutologCallback

    class Fail(TrainerCallback):
        def on_step_end(self, *_, **__):
            raise ValueError("no")

    autolog.disable("transformers")
    try:
        chosen = trainer(tmp_path, [AutologCallback, Fail])
        with pytest.raises(ValueError, match="no"):
            chosen.train()
        chosen.evaluate()
        trainer(tmp_path).train()
    finally:
        autolog.enable("transformers")
    trained = transformers.trainer.Trainer.train
    fit, evaluation = autolog_run.read().children
    assert (fit.status, evaluation.kind, evaluation.status) == ("failed", "evaluate", "completed")
    # On and off again, the trainer is patched once, and then by nobody but the callback.
    assert not hasattr(trained.__autolog_original__, "__autolog_original__")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [({"every_n_steps": 0}, ValueError), ({"completions": -1}, ValueError), ({"metrics": "loss"}, TypeError)],
)
def test_wrong_options_are_refused(wrong, error):
    from autolog.integrations.transformers import AutologCallback

    with pytest.raises(error, match="given"):
        AutologCallback(**wrong)
