"""A version that autolog is not tested with: training is undisturbed, and ``autolog doctor`` says what is the matter.

Run by matrix.py in environments that hold such a version; pytest does not collect this file by itself.
"""

import json
import os
import subprocess
import sys

import pytest

SKLEARN = """
import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

x, y = load_iris(return_X_y=True)
np.random.seed(0)
model = make_pipeline(StandardScaler(), SGDClassifier())
search = GridSearchCV(model, {"sgdclassifier__alpha": [1e-4, 1e-2]}, cv=3).fit(x, y)
print(search.best_params_, search.best_estimator_[-1].coef_.tolist())
print(np.random.rand())
"""

KERAS = """
import keras, numpy as np

keras.utils.set_random_seed(0)
x = np.random.rand(64, 4).astype("float32")
y = x.sum(axis=1)
model = keras.Sequential([keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
model.compile("adam", "mse", metrics=["mae"])
history = model.fit(x, y, epochs=2, batch_size=16, verbose=2, validation_split=0.25, shuffle=True)
print(history.history, model.evaluate(x, y, verbose=0))
print([weight.tolist() for weight in model.get_weights()], np.random.rand())
"""

LIGHTNING = """
import warnings; warnings.simplefilter("ignore")
import torch, {package} as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, rate=0.1):
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(4, 1)

    def training_step(self, batch, index):
        loss = torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, index):
        self.log("val_loss", torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), self.hparams.rate)


torch.manual_seed(0)
data = DataLoader(TensorDataset(torch.rand(32, 4), torch.rand(32, 1)), batch_size=8, shuffle=True)
model = Model()
trainer = pl.Trainer(max_epochs=2, accelerator="cpu", enable_progress_bar=False, log_every_n_steps=1)
trainer.fit(model, data, data)
print({{name: float(value) for name, value in trainer.callback_metrics.items()}}, trainer.global_step)
print([weight.tolist() for weight in model.parameters()], torch.rand(1).item())
"""

TRANSFORMERS = """
import torch, transformers
from torch.utils.data import Dataset


class Lines(Dataset):
    def __len__(self):
        return 16

    def __getitem__(self, index):
        ids = torch.arange(8) + index
        return {"input_ids": ids, "labels": ids}


transformers.set_seed(0)
config = transformers.GPT2Config(vocab_size=32, n_positions=16, n_embd=16, n_layer=1, n_head=2)
model = transformers.GPT2LMHeadModel(config)
arguments = transformers.TrainingArguments(
    "out", per_device_train_batch_size=4, num_train_epochs=2, logging_steps=1, report_to="none", use_cpu=True,
    disable_tqdm=True, save_strategy="no",
)
trainer = transformers.Trainer(model, arguments, train_dataset=Lines(), eval_dataset=Lines())
trainer.train()
losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
print("losses", losses, trainer.evaluate()["eval_loss"])
print(sum(weight.double().sum().item() for weight in model.parameters()), torch.rand(1).item())
"""


def process(folder, *words):
    folder.mkdir(exist_ok=True)
    kept = {name: text for name, text in os.environ.items() if not name.startswith("AUTOLOG")}
    environment = kept | {
        "AUTOLOG_DIR": str(folder / "runs"),
        "AUTOLOG_SIDECAR": "0",
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def printed(text):
    """What the script prints itself: frameworks print durations."""
    return [line for line in text.splitlines() if not any(word in line for word in ("runtime", "ms/step", "s/epoch"))]


def undisturbed(tmp_path, script):
    (tmp_path / "train.py").write_text(script, "utf-8")
    bare = process(tmp_path / "bare", "../train.py")
    ours = process(tmp_path / "ours", "-m", "autolog.cli", "run", "../train.py")
    assert bare.returncode == 0, bare.stderr
    assert ours.returncode == 0, ours.stderr
    assert printed(ours.stdout) == printed(bare.stdout)
    assert any(line[:1] in "[{(-0123456789" for line in printed(bare.stdout)), "the script told nothing"


def said(tmp_path, name):
    """What the doctor says of an integration."""
    report = process(tmp_path / "doctor", "-m", "autolog.cli", "doctor", "--json")
    (finding,) = [each for each in json.loads(report.stdout)["Integrations"] if each["name"] == name]
    assert finding["fine"] is not True, finding
    assert " than what autolog is tested with " in finding["text"]
    return finding


def test_sklearn(tmp_path):
    undisturbed(tmp_path, SKLEARN)
    finding = said(tmp_path, "sklearn")
    assert finding["fine"] is False
    assert "scikit-learn before 1.3 is not supported" in finding["text"]


def test_keras(tmp_path):
    undisturbed(tmp_path, KERAS)
    said(tmp_path, "keras")


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_lightning(tmp_path, package):
    undisturbed(tmp_path, LIGHTNING.format(package=package))
    said(tmp_path, "pytorch_lightning" if package == "pytorch_lightning" else "lightning")


def test_transformers(tmp_path):
    undisturbed(tmp_path, TRANSFORMERS)
    said(tmp_path, "transformers")
