"""Transformers' Trainer: the whole record of real training of tiny models, compared with the trainer's own history."""

import copy
import inspect
import pickle

import pytest
import torch

import autolog
from autolog import plugins

pytestmark = pytest.mark.filterwarnings("ignore")  # transformers and torch warn about each other

SUMMARY = {"train_runtime", "train_samples_per_second", "train_steps_per_second", "total_flos", "train_loss"}
FILLED_IN = {"logging_dir", "local_rank", "report_to", "run_name", "include_num_input_tokens_seen"}
"""Arguments that transformers 4 fills in itself where they are not given."""
SPEEDS = {"autolog/steps_per_second", "autolog/samples_per_second", "autolog/tokens_per_second"}
EVALUATION = {"eval_loss", "eval_runtime", "eval_samples_per_second", "eval_steps_per_second"}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny models only wait for each other's threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def rows(count=32):
    generator = torch.Generator().manual_seed(1)
    return [
        {"input_ids": torch.randint(0, 50, (8,), generator=generator), "labels": number % 3} for number in range(count)
    ]


def bert():
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "vocab_size": 50, "max_position_embeddings": 16}
    return BertForSequenceClassification(BertConfig(**sizes, num_hidden_layers=1, num_attention_heads=2, num_labels=3))


def arguments(tmp_path, **options):
    from transformers import TrainingArguments

    return TrainingArguments(
        str(tmp_path / "out"),
        **{
            "num_train_epochs": 2, "per_device_train_batch_size": 8, "logging_steps": 1, "save_strategy": "no",
            "use_cpu": True, "disable_tqdm": True, **options,
        },
    )  # fmt: skip


def trainer(tmp_path, callbacks=None, kind=None, model=None, **options):
    from transformers import Trainer

    data = rows()
    return (kind or Trainer)(
        model or bert(), arguments(tmp_path, **options), train_dataset=data, eval_dataset=data, callbacks=callbacks
    )


def history(training, *names):
    """What the trainer itself has logged: ``{metric: [(step, epoch, value)]}``."""
    told = {}
    for entry in training.state.log_history:
        for name, value in entry.items():
            if name not in ("step", "epoch"):
                told.setdefault(name, []).append((entry["step"], entry["epoch"], value))
    return told


def recorded(child):
    """All metrics but those that autolog computes."""
    return {name: child.points(name) for name in child.metric_names if not name.startswith("autolog/")}


def test_whole_record_of_a_training(autolog_run, tmp_path):
    training = trainer(tmp_path, eval_strategy="epoch", learning_rate=1e-3, weight_decay=0.01, hub_token="hf_never")
    callbacks = list(training.callback_handler.callbacks)
    result = training.train()

    assert training.callback_handler.callbacks == callbacks
    recording = autolog_run.read()
    (fit,) = recording.children
    assert (recording.problems, recording.run.metrics) == ([], [])
    assert (fit.name, fit.kind, fit.status) == ("BertForSequenceClassification", "fit", "completed")
    assert (fit.integration, fit.parent) == ("transformers", None)
    assert recorded(fit) == history(training)
    assert fit.metric_names == {"loss", "grad_norm", "learning_rate"} | EVALUATION | SUMMARY | SPEEDS
    assert [step for step, _ in fit.series("autolog/samples_per_second")] == list(range(1, 9))
    assert [step for step, _ in fit.series("loss")] == list(range(1, 9))
    assert [(step, epoch) for step, epoch, _ in fit.points("eval_loss")] == [(4, 1.0), (8, 2.0)]
    assert fit.points("train_loss") == [(8, 2.0, result.training_loss)]

    params = fit.params
    assert (params["learning_rate"], params["num_train_epochs"], params["optim"]) == (1e-3, 2, "adamw_torch_fused")
    assert (params["lr_scheduler_type"], params["seed"]) == ("linear", 42)
    assert (params["config.hidden_size"], params["config.model_type"]) == (16, "bert")
    assert (params["optimizer.name"], params["optimizer.lr"]) == ("AdamW", 1e-3)
    assert (params["optimizer.groups.0.weight_decay"], params["optimizer.groups.1.weight_decay"]) == (0.01, 0.0)
    assert not any("id2label" in name or name.endswith("_token") for name in params)
    assert fit.sources["learning_rate"] == "transformers.TrainingArguments"
    assert set(fit.facts) == {
        "changed_arguments", "model", "labels", "training", "optimizers", "schedulers", "data", "callbacks", "trainer",
    }  # fmt: skip
    changed = {name: value for name, value in fit.facts["changed_arguments"].items() if name not in FILLED_IN}
    assert changed == {
        "output_dir": str(tmp_path / "out"), "num_train_epochs": 2, "learning_rate": 1e-3, "weight_decay": 0.01,
        "logging_steps": 1, "save_strategy": "no", "use_cpu": True, "disable_tqdm": True, "eval_strategy": "epoch",
        "do_eval": True, "dataloader_pin_memory": False,
    }  # fmt: skip
    assert fit.facts["model"]["parameters"] == sum(parameter.numel() for parameter in training.model.parameters())
    assert fit.facts["labels"]["id2label"] == {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}
    assert fit.facts["data"] == {"train_batches": 4, "train_rows": 32, "train_batch_size": 8}
    told = fit.facts["training"]
    assert (told["global_step"], told["max_steps"], told["epoch"]) == (8, 8, 2.0)
    assert "hf_never" not in "".join(path.read_text() for path in autolog_run.root.rglob("*.jsonl"))


def test_evaluate_and_predict_are_child_runs_of_their_own(autolog_run, tmp_path):
    training = trainer(tmp_path, num_train_epochs=1)
    training.train()
    evaluated = training.evaluate()
    predicted = training.predict(rows())
    fit, evaluate, predict = autolog_run.read().children
    assert [child.kind for child in (fit, evaluate, predict)] == ["fit", "evaluate", "predict"]
    assert not fit.metric_names & EVALUATION
    assert recorded(evaluate) == {name: [(4, 1.0, evaluated[name])] for name in EVALUATION}
    assert recorded(predict) == {name: [(4, 1.0, value)] for name, value in predicted.metrics.items()}
    assert "test_loss" in predict.metric_names
    assert evaluate.params["num_train_epochs"] == 1
    assert evaluate.facts["model"]["class"].endswith("BertForSequenceClassification")


def test_language_model_with_accumulation_and_own_metrics(autolog_run, tmp_path):
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer

    class Talking(Trainer):
        def compute_loss(self, *args, **kwargs):
            autolog.log_metric("mine", 1.0)
            self.log({"aside": 0.5})
            return super().compute_loss(*args, **kwargs)

    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_positions=8, n_embd=16, n_layer=1, n_head=2))
    data = [{"input_ids": row["input_ids"], "labels": row["input_ids"]} for row in rows()]
    options = {"num_train_epochs": 1, "gradient_accumulation_steps": 2, "per_device_train_batch_size": 4}
    training = Talking(model, arguments(tmp_path, **options), train_dataset=data)
    training.train()
    (fit,) = autolog_run.read().children
    assert fit.name == "GPT2LMHeadModel"
    assert [step for step, _ in fit.series("loss")] == [1, 2, 3, 4]
    assert [step for step, _ in fit.series("mine")] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [step for step, _ in fit.series("aside")] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert recorded(fit) == history(training) | {"mine": fit.points("mine")}


def test_second_training_and_resumed_training(autolog_run, tmp_path):
    training = trainer(tmp_path, num_train_epochs=1, save_strategy="epoch")
    training.train()
    training.train()
    longer = trainer(tmp_path, num_train_epochs=2, save_strategy="epoch")
    longer.train(resume_from_checkpoint=True)
    first, second, resumed = autolog_run.read().children
    assert [step for step, _ in first.series("loss")] == [1, 2, 3, 4]
    assert [step for step, _ in second.series("loss")] == [1, 2, 3, 4]
    assert [step for step, _ in resumed.series("loss")] == [5, 6, 7, 8]
    assert {child.status for child in (first, second, resumed)} == {"completed"}


def test_best_model_and_early_stopping(autolog_run, tmp_path):
    from transformers import EarlyStoppingCallback

    options = {"eval_strategy": "epoch", "save_strategy": "epoch", "load_best_model_at_end": True}
    stopping = EarlyStoppingCallback(early_stopping_patience=1)
    training = trainer(tmp_path, [stopping], num_train_epochs=3, learning_rate=1.0, **options)
    training.train()
    (fit,) = autolog_run.read().children
    told = fit.facts["training"]
    assert told["best_metric"] == training.state.best_metric
    assert told["best_model_checkpoint"] == training.state.best_model_checkpoint
    assert told["global_step"] == training.state.global_step
    ours = [fact for fact in fit.facts["callbacks"] if fact["class"] == "EarlyStoppingCallback"]
    assert ours[0]["early_stopping_patience"] == 1


@pytest.mark.parametrize("place", ["compute_loss", "get_train_dataloader", "evaluate", "_inner_training_loop"])
def test_an_error_marks_the_training_failed_and_passes_unchanged(autolog_run, tmp_path, place):
    from transformers import Trainer

    error = ValueError("no such luck")

    def fail(*_, **__):
        raise error

    training = trainer(tmp_path, kind=type("Bad", (Trainer,), {place: fail}), eval_strategy="epoch")
    with pytest.raises(ValueError, match="no such luck") as caught:
        training.train()
    assert caught.value is error
    recording = autolog_run.read()
    (fit,) = recording.children
    assert (fit.status, fit.end.exception["type"], recording.problems) == ("failed", "ValueError", [])
    assert fit.params["learning_rate"] == 5e-5
    assert fit.facts["training"]["global_step"] == (4 if place == "evaluate" else 0)


def test_ctrl_c_marks_the_training_interrupted(autolog_run, tmp_path):
    from transformers import TrainerCallback

    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if state.global_step == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path, [Stop]).train()
    (fit,) = autolog_run.read().children
    assert fit.status == "interrupted"
    assert [step for step, _ in fit.series("loss")] == [1, 2]


def test_trainers_that_replace_methods_are_recorded(autolog_run, tmp_path):
    from transformers import Trainer

    class Own(Trainer):
        def train(self, *args, **kwargs):
            return self._inner_training_loop(self.args.train_batch_size, self.args)

    trainer(tmp_path, kind=Own, num_train_epochs=1).train()
    (fit,) = autolog_run.read().children
    assert (fit.kind, fit.status, fit.params["num_train_epochs"]) == ("fit", "completed", 1)
    assert [step for step, _ in fit.series("loss")] == [1, 2, 3, 4]


def test_a_handler_without_a_trainer_reports_to_the_run(autolog_run, tmp_path):
    from transformers import TrainerControl, TrainerState
    from transformers.trainer_callback import CallbackHandler, DefaultFlowCallback

    model = bert()
    args, state, control = arguments(tmp_path), TrainerState(epoch=0.5, global_step=7), TrainerControl()
    handler = CallbackHandler([DefaultFlowCallback], model, None, None, None)
    handler.on_train_begin(args, state, control)
    handler.on_log(args, state, control, logs={"loss": 0.25, "epoch": 0.5, "text": "left out"})
    recording = autolog_run.read()
    assert recording.children == []
    assert recorded(recording.run) == {"loss": [(7, 0.5, 0.25)]}
    assert recording.run.params["config.model_type"] == "bert"


def test_a_training_within_a_fit_reports_through_the_owner(autolog_run, tmp_path):
    with autolog.start_run().child("search", "fit", integration="sklearn"):
        trainer(tmp_path, num_train_epochs=1).train()
    (owner,) = autolog_run.read().children
    assert [step for step, _ in owner.series("loss")] == [1, 2, 3, 4]
    assert owner.params == {}


# -- explicit ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["on", "off"])
def automatic(request):
    """The explicit callback works with the automatic integration and without it."""
    import transformers.trainer  # noqa: F401  patched by now

    if request.param == "off":
        autolog.disable("transformers")
    yield request.param
    autolog.enable("transformers")
    assert plugins.states()["transformers"].status == "patched"


@pytest.mark.parametrize("given", ["instance", "class"])
def test_explicit_callback_records_nothing_twice(autolog_run, tmp_path, automatic, given):
    from transformers import TrainerCallback

    from autolog.integrations.transformers import AutologCallback

    assert issubclass(AutologCallback, TrainerCallback)
    callbacks = [AutologCallback if given == "class" else AutologCallback()]
    training = trainer(tmp_path, callbacks, num_train_epochs=1, eval_strategy="epoch", save_strategy="epoch")
    training.train()
    assert len(callbacks) == 1
    assert sum(isinstance(callback, AutologCallback) for callback in training.callback_handler.callbacks) == 1
    exported = (tmp_path / "out" / "checkpoint-4" / "trainer_state.json").read_text()
    assert "utolog" not in exported
    recording = autolog_run.read()
    (fit,) = recording.children
    assert (recording.problems, recording.run.metrics) == ([], [])
    assert (fit.name, fit.status, fit.integration) == ("BertForSequenceClassification", "completed", "transformers")
    assert recorded(fit) == history(training)
    assert (fit.params["num_train_epochs"], fit.params["config.hidden_size"]) == (1, 16)
    assert fit.facts["training"]["global_step"] == 4


def test_explicit_callback_only_for_the_chosen_trainer(autolog_run, tmp_path):
    from autolog.integrations.transformers import AutologCallback

    autolog.disable("transformers")
    try:
        trainer(tmp_path, [AutologCallback]).train()
        trainer(tmp_path).train()
    finally:
        autolog.enable("transformers")
    assert len(autolog_run.read().children) == 1


def test_explicit_callback_survives_an_unfinished_training(autolog_run, tmp_path, automatic):
    from transformers import TrainerCallback

    from autolog.integrations.transformers import AutologCallback

    class Fail(TrainerCallback):
        def on_step_end(self, *_, **__):
            raise ValueError("no")

    training = trainer(tmp_path, [AutologCallback, Fail], num_train_epochs=1)
    with pytest.raises(ValueError, match="no"):
        training.train()
    (ours,) = [one for one in training.callback_handler.callbacks if isinstance(one, AutologCallback)]
    assert pickle.loads(pickle.dumps(ours)).options == ours.options
    training.remove_callback(Fail)
    training.train()
    bad, good = autolog_run.read().children
    assert (bad.status, good.status) == ("failed", "completed")
    assert [step for step, _ in good.series("loss")] == [1, 2, 3, 4]


# -- transparency ------------------------------------------------------------------------------------------------------


def test_callbacks_copies_and_signatures_are_untouched(autolog_run, tmp_path):
    from transformers import PrinterCallback, Trainer
    from transformers.trainer_callback import CallbackHandler

    names = [(Trainer, "train"), (Trainer, "evaluate"), (CallbackHandler, "on_log")]
    signatures = [inspect.signature(getattr(*name)) for name in names]
    autolog.disable("transformers")
    assert signatures == [inspect.signature(getattr(*name)) for name in names]
    plain = trainer(tmp_path)
    autolog.enable("transformers")
    training = trainer(tmp_path)
    assert training.callback_handler.callback_list == plain.callback_handler.callback_list
    assert type(training.pop_callback(PrinterCallback)) is PrinterCallback
    training.add_callback(PrinterCallback)
    attributes = set(vars(plain.callback_handler))
    plain.train()
    training.train()
    assert set(vars(training.callback_handler)) == attributes
    assert set(vars(training)) == set(vars(plain))
    assert copy.deepcopy(training.state) == training.state


IMPORTS = """
import json, os, warnings; warnings.simplefilter("ignore")
import torch, transformers
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainerCallback, TrainingArguments
"""
BODY = """
class Round(TrainerCallback):
    # Times differ from run to run; everything else must not.
    def on_log(self, args, state, control, logs=None, **kwargs):
        for name in list(logs):
            if "runtime" in name or "per_second" in name:
                logs.pop(name)

class Model(Trainer):
    def training_step(self, *args, **kwargs):
        if self.state.global_step == 5 and failing:
            raise ValueError("the weather")
        return super().training_step(*args, **kwargs)

transformers.set_seed(3)
config = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
model = BertForSequenceClassification(config)
weights = [parameter.data for parameter in model.parameters()]
data = [{"input_ids": torch.randint(0, 50, (8,)), "labels": number % 2} for number in range(32)]
args = TrainingArguments(
    "out", num_train_epochs=2, per_device_train_batch_size=8, logging_steps=2, eval_strategy="epoch", use_cpu=True,
    disable_tqdm=True, save_strategy="epoch", save_total_limit=1,
)
trainer = Model(model, args, train_dataset=data, eval_dataset=data, callbacks=[Round])
print(trainer.callback_handler.callback_list)
failing = False
trainer.train()
print(trainer.state.global_step)
said = json.load(open("out/checkpoint-8/trainer_state.json"))
for entry in said["log_history"]:
    for name in [name for name in entry if "runtime" in name or "per_second" in name]:
        del entry[name]
weights.append(json.dumps(said))
print(sorted(os.listdir("out")), sorted(os.listdir("out/checkpoint-8")))
"""


def test_training_is_the_same_with_and_without(transparent):
    compared = transparent(IMPORTS, f"{BODY}\nfailing = True\ntrainer.train()")
    assert compared.off.code == 1
    assert "'loss'" in compared.off.stdout
    for outcome in (compared.first, compared.late):
        done, failed = outcome.recording.children
        assert (done.status, failed.status, outcome.recording.problems) == ("completed", "failed", [])
        assert [step for step, _ in done.series("loss")] == [2, 4, 6, 8]
        assert [step for step, _ in failed.series("loss")] == [2, 4]


def test_disable_restores_the_originals(restores):
    restores(
        "transformers", ["transformers"], IMPORTS, BODY,
        ["Trainer.train", "Trainer.evaluate", "Trainer.predict", "CallbackHandler.on_log"],
    )  # fmt: skip
