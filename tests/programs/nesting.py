"""Trainings inside trainings, one function each: every framework on every other one that people put it on."""

import contextlib
import hashlib
import json
import os
import sys
from pathlib import Path

import keras
import lightning.pytorch as pl
import mlflow
import numpy as np
import skorch
import tensorboardX
import torch
import transformers
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.utils.tensorboard import SummaryWriter

X = np.linspace(-1, 1, 96, dtype=np.float32).reshape(24, 4)
Y = (X.sum(1) > 0).astype(np.int64)
PAIRS = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))


class Line(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(4, 2)

    def training_step(self, batch, index):
        loss = torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def trainer(**more):
    return pl.Trainer(
        max_epochs=1, accelerator="cpu", enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1,
        **{"logger": False, "enable_checkpointing": False, **more},
    )  # fmt: skip


def loader():
    return torch.utils.data.DataLoader(PAIRS, batch_size=8)


def loop(each_step=lambda step, loss: None, steps=3):
    """A loop of the program's own."""
    net = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for step in range(steps):
        loss = torch.nn.functional.cross_entropy(net(torch.tensor(X)), torch.tensor(Y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        each_step(step, loss.item())
    return net


def numbers(net):
    return [value.detach().numpy() for value in net.parameters()]


def dense():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


class Loop(ClassifierMixin, BaseEstimator):
    """An estimator of the program's own around its loop."""

    def __init__(self, steps=3):
        self.steps = steps

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.net_ = loop(steps=self.steps)
        return self

    def predict(self, X):
        return self.net_(torch.tensor(X)).argmax(1).numpy()


class Dense(ClassifierMixin, BaseEstimator):
    """As SciKeras wraps a model."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.model_ = dense()
        self.model_.fit(X, y, epochs=2, batch_size=8, verbose=0)
        return self

    def predict(self, X):
        return self.model_.predict(X, verbose=0).argmax(1)


class Lit(RegressorMixin, BaseEstimator):
    """An estimator around Lightning."""

    def fit(self, X, y):
        self.module_ = Line()
        trainer().fit(self.module_, loader())
        return self


class Scaled(keras.callbacks.Callback):
    """A callback that fits something of scikit-learn."""

    def on_epoch_end(self, epoch, logs=None):
        StandardScaler().fit(X)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(4, 1)

    def forward(self, x, labels):
        return {"loss": (self.line(x) - labels).square().mean()}


def on_transformers(**more):
    data = [{"x": torch.ones(4) * i, "labels": torch.zeros(1)} for i in range(16)]
    arguments = transformers.TrainingArguments(
        "out", max_steps=2, per_device_train_batch_size=2, logging_steps=1, use_cpu=True, save_strategy="no",
        disable_tqdm=True, **{"report_to": "none", **more},
    )  # fmt: skip
    model = Net()
    transformers.Trainer(model, arguments, train_dataset=data).train()
    return numbers(model)


def net():
    return skorch.NeuralNetClassifier(
        torch.nn.Linear, module__in_features=4, module__out_features=2, criterion=torch.nn.CrossEntropyLoss, lr=0.1,
        max_epochs=2, batch_size=8, train_split=None, verbose=0,
    )  # fmt: skip


def lightning():
    module = Line()
    trainer().fit(module, loader())
    return numbers(module)


def lightning_tensorboard():
    module = Line()
    trainer(logger=pl.loggers.TensorBoardLogger("lightning")).fit(module, loader())
    return numbers(module)


def transformers_alone():
    return on_transformers()


def transformers_tensorboard():
    os.environ["TENSORBOARD_LOGGING_DIR"] = "transformers"
    return on_transformers(report_to="tensorboard")


def keras_alone():
    model = dense()
    model.fit(X, Y, epochs=2, batch_size=8, verbose=0)
    return model.get_weights()


def keras_with_a_scaler_inside():
    model = dense()
    model.fit(X, Y, epochs=2, batch_size=8, verbose=0, callbacks=[Scaled()])
    return model.get_weights()


def skorch_alone():
    return numbers(net().fit(X, Y).module_)


def skorch_in_a_search():
    search = GridSearchCV(net(), {"lr": [0.1, 0.2]}, cv=2, scoring="accuracy").fit(X, Y)
    return numbers(search.best_estimator_.module_)


def skorch_in_a_cross_validation():
    return cross_val_score(net(), X, Y, cv=2)


def loop_alone():
    return numbers(loop())


def loop_in_an_estimator():
    return numbers(Loop().fit(X, Y).net_)


def loop_in_a_pipeline():
    return numbers(make_pipeline(StandardScaler(), Loop()).fit(X, Y)[-1].net_)


def loop_in_a_search():
    return numbers(GridSearchCV(Loop(), {"steps": [1, 2]}, cv=2).fit(X, Y).best_estimator_.net_)


def keras_in_a_pipeline():
    return make_pipeline(StandardScaler(), Dense()).fit(X, Y)[-1].model_.get_weights()


def lightning_in_an_estimator():
    return numbers(Lit().fit(X, Y).module_)


def pipeline():
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)[-1].coef_


def search():
    return GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(X, Y).best_estimator_.coef_


def loop_with_tensorboard():
    with SummaryWriter("torch_writer") as writer:
        return numbers(loop(lambda step, loss: writer.add_scalar("loss", loss, step)))


def loop_with_tensorboardx():
    with tensorboardX.SummaryWriter("tensorboardx") as writer:
        return numbers(loop(lambda step, loss: writer.add_scalar("loss", loss, step)))


def mlflow_switched_on():
    """From here on it patches what the other functions train with."""
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    mlflow.autolog(log_models=False, silent=True)
    return []


def mlflow_pipeline():
    return pipeline()


def mlflow_search():
    return search()


def mlflow_lightning():
    return lightning()


CASES = [
    lightning, lightning_tensorboard, transformers_alone, transformers_tensorboard, keras_alone,
    keras_with_a_scaler_inside, skorch_alone, skorch_in_a_search, skorch_in_a_cross_validation, loop_alone,
    loop_in_an_estimator, loop_in_a_pipeline, loop_in_a_search, keras_in_a_pipeline, lightning_in_an_estimator,
    pipeline, search, loop_with_tensorboard, loop_with_tensorboardx, mlflow_switched_on, mlflow_pipeline,
    mlflow_search, mlflow_lightning,
]  # fmt: skip


def digest(arrays):
    """Weights to the bit, as text."""
    into = hashlib.sha256()
    for array in arrays if isinstance(arrays, list) else [arrays]:
        into.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
    return into.hexdigest()


def of_mlflow():
    """What MLflow has: of every run its parameters and the history of its metrics, without times."""
    client, told = mlflow.MlflowClient(), []
    for run in client.search_runs(["0"], max_results=100):
        series = {
            name: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]
            for name in run.data.metrics
            if "time" not in name
        }
        told.append([run.info.status, dict(run.data.params), series])
    return sorted(told, key=lambda one: json.dumps(one, sort_keys=True))


def of_tensorboard():
    """What TensorBoard's files hold: steps and values of each tag, without speeds."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    told = {}
    for path in sorted(Path().rglob("events.out.tfevents*")):
        found = EventAccumulator(str(path))
        found.Reload()
        for tag in found.Tags()["scalars"]:
            if "second" not in tag and "runtime" not in tag:
                told[f"{path.parent}: {tag}"] = [(point.step, point.value) for point in found.Scalars(tag)]
    return told


def main():
    """Train each in its own child run, where autolog is there."""
    weights = {}
    autolog = sys.modules.get("autolog")
    for case in CASES:
        keras.utils.set_random_seed(0)
        with autolog.child_run(case.__name__) if autolog else contextlib.nullcontext():
            weights[case.__name__] = digest(case())
    told = {"weights": weights, "mlflow": of_mlflow(), "tensorboard": of_tensorboard()}
    Path("told.json").write_text(json.dumps(told, sort_keys=True), "utf-8")


if __name__ == "__main__":
    main()
