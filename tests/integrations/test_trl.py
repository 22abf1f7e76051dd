"""TRL and sentence-transformers: real trainings of tiny models; on record is what the trainers themselves say."""

import copy
import json

import pytest
import torch

import autolog
from autolog.integrations import sentence_transformers as ours_st
from autolog.integrations import trl as ours
from autolog.testing import missing

pytestmark = pytest.mark.filterwarnings("ignore")  # of these libraries about each other

WORDS = "the cat sat on a mat dog ran to home what is it yes no good bad".split()


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")


def tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["<pad>", "<eos>", "<unk>", *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where a tiny language model is saved: TRL loads its reference model from there."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    sizes = {"vocab_size": 24, "n_positions": 32, "n_embd": 16, "n_layer": 1, "n_head": 2}
    model = GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=1, eos_token_id=1))
    where = tmp_path_factory.mktemp("models") / "tiny"
    model.save_pretrained(where)
    return str(where)


def language_model(place):
    from transformers import GPT2LMHeadModel

    return GPT2LMHeadModel.from_pretrained(place)


def options(tmp_path, **more):
    return {
        "output_dir": str(tmp_path / "out"), "per_device_train_batch_size": 4, "logging_steps": 1, "max_steps": 3,
        "use_cpu": True, "disable_tqdm": True, "report_to": "none", "save_strategy": "no", "bf16": False, **more,
    }  # fmt: skip


def history(training):
    told = {}
    for entry in training.state.log_history:
        for name, value in entry.items():
            if name not in ("step", "epoch") and value is not None:
                told.setdefault(name, []).append((entry["step"], entry["epoch"], value))
    return told


def recorded(child):
    return {name: child.points(name) for name in child.metric_names if not name.startswith("autolog/")}


def table(recording, asset):
    """A table's columns and rows, read from where it is stored."""
    (file,) = recording.root.glob(f"*/*/{asset.path}")
    stored = json.loads(file.read_text("utf-8"))
    return [dict(zip(stored["columns"], row, strict=True)) for row in stored["rows"]]


# -- SFT, DPO ----------------------------------------------------------------------------------------------------------


def test_sft_with_adapters(autolog_run, tmp_path, place):
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    data = Dataset.from_dict({"text": ["the cat sat on a mat", "a dog ran to home"] * 8})
    adapter = LoraConfig(r=2, lora_alpha=4, target_modules=["c_attn"], task_type="CAUSAL_LM")
    args = SFTConfig(**options(tmp_path, max_length=16, packing=False))
    training = SFTTrainer(
        language_model(place), args, train_dataset=data, eval_dataset=data.select(range(4)), peft_config=adapter,
        processing_class=tokenizer(),
    )  # fmt: skip
    training.train()
    training.evaluate()
    recording = autolog_run.read()
    fit, evaluation = recording.children
    assert (recording.problems, fit.status, fit.kind) == ([], "completed", "fit")
    said = history(training)
    assert recorded(fit) | recorded(evaluation) == said
    assert {"loss", "num_tokens", "mean_token_accuracy", "entropy"} <= set(recorded(fit))
    assert (fit.params["max_length"], fit.params["packing"]) == (16, False)
    assert (fit.params["peft.default.r"], fit.params["peft.default.lora_alpha"]) == (2, 4)
    assert (fit.params["peft.default.target_modules"], fit.sources["peft.default.r"]) == (["c_attn"], "peft")
    model = fit.facts["model"]
    trained = [one for one in training.model.parameters() if one.requires_grad]
    assert model["parameters"] == sum(one.numel() for one in training.model.parameters())
    assert model["trainable_parameters"] == sum(one.numel() for one in trained) == 2 * 16 + 48 * 2
    assert (model["adapters"], model["base_model"].rpartition(".")[2]) == (["default"], "GPT2LMHeadModel")
    assets = {asset.name: asset.metadata for asset in fit.assets}
    assert assets["train_dataset"]["own_fingerprint"] == training.train_dataset._fingerprint
    assert (assets["train_dataset"]["rows"], assets["eval_dataset"]["rows"]) == (16, 4)
    assert fit.facts["processing_class"]["tokens"] == len(WORDS) + 3
    assert fit.facts["trainer"]["class"].endswith("SFTTrainer")
    # A batch's rows and tokens are counted from its shapes: 3 steps of 4 rows.
    assert [step for step, _ in fit.series("autolog/samples_per_second")] == [1, 2, 3]


def test_dpo(autolog_run, tmp_path, place):
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    data = Dataset.from_dict(
        {"prompt": ["the cat", "a dog"] * 8, "chosen": [" sat", " ran"] * 8, "rejected": [" bad", " no"] * 8}
    )
    args = DPOConfig(**options(tmp_path, max_length=16, beta=0.2))
    training = DPOTrainer(language_model(place), args=args, train_dataset=data, processing_class=tokenizer())
    training.train()
    recording = autolog_run.read()
    (fit,) = recording.children
    assert (recording.problems, fit.status) == ([], "completed")
    assert recorded(fit) == history(training)
    names = ("rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies", "logps/chosen")
    assert all([step for step, _ in fit.series(name)] == [1, 2, 3] for name in names)
    assert fit.params["beta"] == 0.2
    assert fit.facts["trainer"]["reference_model"].endswith("GPT2LMHeadModel")
    # A pair is two rows of a batch and one of the data set.
    steps, samples = (dict(fit.series(f"autolog/{what}_per_second")) for what in ("steps", "samples"))
    assert [samples[step] / steps[step] for step in (1, 2, 3)] == pytest.approx([4, 4, 4])


# -- GRPO --------------------------------------------------------------------------------------------------------------


def short(completions, **_):
    return [-float(len(text.split())) for text in completions]


def cats(completions, log_extra=None, **_):
    log_extra("characters", [len(text) for text in completions])
    return [float("cat" in text) for text in completions]


def grpo(tmp_path, place, callbacks=None, **more):
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    prompts = Dataset.from_dict({"prompt": ["the cat", "a dog ran", "what is it", "yes no"] * 4})
    given = {"max_completion_length": 6, "num_generations": 4, "beta": 0.1, **more}
    return GRPOTrainer(
        language_model(place), [short, cats], args=GRPOConfig(**options(tmp_path, **given)), train_dataset=prompts,
        eval_dataset=prompts.select(range(1)), processing_class=tokenizer(), callbacks=callbacks,
    )  # fmt: skip


def test_grpo_rewards_kl_and_sampled_completions(autolog_run, tmp_path, place):
    training = grpo(tmp_path, place)
    seen = []
    original = training._generate_and_score_completions

    def generate(inputs):
        result = original(inputs)
        seen.append(
            {name: list(values)[-4:] for name, values in training._logs.items() if name in ("prompt", "completion")}
        )
        return result

    training._generate_and_score_completions = generate
    training.train()
    training.evaluate()
    recording = autolog_run.read()
    fit, evaluation = recording.children
    assert (recording.problems, fit.status) == ([], "completed")
    assert recorded(fit) | recorded(evaluation) == history(training)
    assert [step for step, _ in fit.series("kl")] == [step for step, _ in fit.series("rewards/cats/mean")] == [1, 2, 3]
    assert fit.facts["trainer"]["reward_functions"] == ["short", "cats"]
    tables = [asset for asset in fit.assets if asset.name == "completions"]
    assert [asset.step for asset in tables] == [1, 2, 3]
    for asset, said, step in zip(tables, seen, (1, 2, 3), strict=False):
        rows = table(recording, asset)
        assert [row["prompt"] for row in rows] == said["prompt"]
        assert [row["completion"] for row in rows] == said["completion"]
        assert [row["short"] for row in rows] == short(said["completion"])
        assert [row["characters"] for row in rows] == [len(text) for text in said["completion"]]
        assert list(rows[0]) == ["prompt", "completion", "short", "cats", "characters", "advantage"]
        mean = sum(row["cats"] for row in rows) / len(rows)
        assert mean == dict(fit.series("rewards/cats/mean"))[step]
    (evaluated,) = [asset for asset in evaluation.assets if asset.name == "eval_completions"]
    assert [row["completion"] for row in table(recording, evaluated)] == seen[-1]["completion"]
    assert (
        missing(
            [row for row in ours.integration.captures if "SFT" not in row.when and "DPO" not in row.when], recording
        )
        == []
    )


def test_completions_are_recorded_once_in_full_if_asked_for_and_else_a_few(autolog_run, tmp_path, place, monkeypatch):
    monkeypatch.setattr(ours, "_FEW", 2)
    monkeypatch.setattr(ours, "_CHARACTERS", 3)
    # Two steps are trained on the completions of one generation: they are logged twice, and recorded once.
    grpo(tmp_path, place, max_steps=4, num_iterations=2).train()
    grpo(tmp_path, place, max_steps=1, log_completions=True, num_completions_to_print=1).train()
    recording = autolog_run.read()
    few, all_of_them = ([asset for asset in fit.assets if asset.name == "completions"] for fit in recording.children)
    assert [asset.step for asset in few] == [1, 3]
    assert [len(table(recording, asset)) for asset in few] == [2, 2]
    assert few[0].metadata == {"rows_in_all": 4, "trainer": "GRPOTrainer", "every": 1} | {
        name: few[0].metadata[name] for name in few[0].metadata if name not in ("rows_in_all", "trainer", "every")
    }
    assert "characters in all" in table(recording, few[0])[0]["prompt"]
    assert [len(table(recording, asset)) for asset in all_of_them] == [4]


def test_tables_nobody_asked_for_become_rarer(autolog_run, tmp_path, place, monkeypatch):
    monkeypatch.setattr(ours, "_TABLES", 2)
    from autolog.integrations.transformers import AutologCallback

    training = grpo(tmp_path, place, max_steps=9)
    training.train()
    grpo(tmp_path, place, [AutologCallback(completions=0)], max_steps=2).train()
    grpo(tmp_path, place, [AutologCallback(completions=3)], max_steps=2).train()
    thinned, none, three = autolog_run.read().children
    # Every log, twice; then every second, twice; then every fourth.
    steps = [asset.step for asset in thinned.assets if asset.name == "completions"]
    assert steps == [1, 2, 3, 5, 9]
    assert [asset.metadata["every"] for asset in thinned.assets if asset.name == "completions"] == [1, 2, 2, 4, 4]
    assert not [asset for asset in none.assets if asset.name == "completions"]
    assert [asset.metadata["rows_in_all"] for asset in three.assets if asset.name == "completions"] == [4, 4]


def test_grpo_is_the_same_with_and_without(autolog_run, tmp_path, place):
    def run():
        torch.manual_seed(7)
        training = grpo(tmp_path, place, max_steps=2)
        training.train()
        logs = [dict(entry) for entry in training.state.log_history]
        for entry in logs:
            for name in [name for name in entry if "time" in name or "per_second" in name]:
                del entry[name]
        return copy.deepcopy(training.model.state_dict()), logs, torch.get_rng_state()

    weights, logs, state = run()
    autolog.disable("trl", "transformers")
    try:
        plain, plain_logs, plain_state = run()
    finally:
        autolog.enable("trl", "transformers")
    assert logs == plain_logs
    assert all(torch.equal(weights[name], plain[name]) for name in plain)
    assert torch.equal(state, plain_state)
    assert len(autolog_run.read().children) == 1


# -- sentence-transformers ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bert_place(tmp_path_factory):
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "vocab_size": 24, "max_position_embeddings": 16}
    where = tmp_path_factory.mktemp("models") / "bert"
    BertModel(BertConfig(**sizes, num_hidden_layers=1, num_attention_heads=2)).save_pretrained(where)
    tokenizer().save_pretrained(where)
    return str(where)


def test_sentence_transformers_losses_and_evaluators(autolog_run, tmp_path, bert_place):
    from datasets import Dataset, DatasetDict
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator
    from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss, MultipleNegativesRankingLoss

    left, right = ["the cat sat", "a dog ran", "what is it", "yes good"], ["a cat", "dog ran home", "it is", "good"]
    pairs = Dataset.from_dict({"anchor": left * 4, "positive": right * 4})
    scored = Dataset.from_dict({"sentence1": left * 2, "sentence2": right * 2, "score": [0.1, 0.4, 0.6, 0.9] * 2})
    model = SentenceTransformer(bert_place, device="cpu")
    judge = EmbeddingSimilarityEvaluator(left, right, [0.1, 0.4, 0.6, 0.9], name="dev")
    before = judge(model)
    training = SentenceTransformerTrainer(
        model,
        SentenceTransformerTrainingArguments(
            **{**options(tmp_path), "max_steps": 6, "eval_strategy": "steps", "eval_steps": 3}
        ),
        train_dataset=DatasetDict(pairs=pairs, scored=scored), eval_dataset=DatasetDict(pairs=pairs, scored=scored),
        loss={"pairs": MultipleNegativesRankingLoss(model), "scored": CosineSimilarityLoss(model)}, evaluator=judge,
    )  # fmt: skip
    training.train()
    after = judge(model)
    recording = autolog_run.read()
    first, fit, last = recording.children
    assert recording.problems == []
    for child, scores in ((first, before), (last, after)):
        assert (child.kind, child.name, child.integration) == (
            "evaluate", "EmbeddingSimilarityEvaluator", "sentence_transformers",
        )  # fmt: skip
        assert {name: child.series(name)[0][1] for name in child.metric_names} == scores
    assert (fit.name, fit.kind, fit.status, fit.integration) == (
        "SentenceTransformer",
        "fit",
        "completed",
        "transformers",
    )
    assert recorded(fit) == history(training)
    assert [step for step, _ in fit.series("eval_dev_pearson_cosine")] == [3, 6]
    assert fit.series("eval_dev_spearman_cosine")[-1][1] == after["dev_spearman_cosine"]
    losses = {loss["data"]: loss for loss in fit.facts["losses"]}
    assert losses["pairs"]["class"].endswith("MultipleNegativesRankingLoss")
    assert losses["pairs"]["config"]["scale"] == 20.0
    assert fit.facts["evaluators"][0]["primary_metric"] == "dev_spearman_cosine"
    assets = {asset.name for asset in fit.assets}
    assert {"train_dataset/pairs", "train_dataset/scored", "eval_dataset/scored"} <= assets
    assert missing(ours_st.integration.captures, recording) == []
