"""Keras and Transformers in tasks, forks and joblib's workers: the same training, a child run for each."""

import json

import pytest

from tests.integrations.conftest import run_script

KERAS = """
import keras, numpy as np

def train(place):
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(0).random((24, 4)).astype("float32")
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)], name=place)
    model.compile("sgd", "mse")
    return model.fit(x, x[:, 0], batch_size=8, epochs=2, verbose=0).history["loss"]
"""
TRANSFORMERS = """
import warnings; warnings.simplefilter("ignore")
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

def train(place):
    torch.manual_seed(1)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "vocab_size": 20, "max_position_embeddings": 8}
    kind = type(place, (BertForSequenceClassification,), {})
    model = kind(BertConfig(**sizes, num_hidden_layers=1, num_attention_heads=2))
    data = [{"input_ids": torch.arange(6) + row, "labels": row % 2} for row in range(12)]
    given = TrainingArguments(
        "out", num_train_epochs=2, per_device_train_batch_size=4, logging_strategy="epoch", use_cpu=True,
        disable_tqdm=True, save_strategy="no", report_to="none", seed=1,
    )
    trainer = Trainer(model, given, train_dataset=data)
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
"""
PLACES = """
import asyncio, json, os, torch, joblib
torch.set_num_threads(1)
FRAMEWORK
async def task():
    await asyncio.sleep(0)
    return train("task")

told = {"main": train("main"), "task": asyncio.run(task())}
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    code = 1
    try:
        os.write(writing, json.dumps(train("fork")).encode())
        code = 0
    finally:
        os._exit(code)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
told["fork"] = json.loads(os.read(reading, 10_000))
told["worker"], = joblib.Parallel(2)([joblib.delayed(train)("worker")])
print(json.dumps(told))
"""


@pytest.mark.parametrize(("name", "framework"), [("keras", KERAS), ("transformers", TRANSFORMERS)])
def test_every_place_has_its_child_run(tmp_path, name, framework):
    pytest.importorskip("joblib")
    done = run_script(tmp_path / "on", "import autolog\n" + PLACES.replace("FRAMEWORK", framework))
    assert done.code == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["main"] == told["task"] == told["fork"] == told["worker"]
    assert len(told["main"]) == 2
    children = {child.name: child for child in done.recording.children}
    assert (done.recording.problems, set(children), len(done.recording.children)) == ([], set(told), 4)
    for place, losses in told.items():
        fit = children[place]
        assert (fit.kind, fit.integration, fit.status, fit.parent) == ("fit", name, "completed", None)
        assert fit.series("loss") == list(zip([3, 6], losses, strict=True))
