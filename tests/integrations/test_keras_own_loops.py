"""Loops of a program's own over ``optimizer.apply``: Keras' guides for each backend, and what can be seen of them."""

import gc
import json
import os
import sys
import weakref

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import pytest
import torch

import autolog
from autolog import config
from autolog.integrations import keras_own_loops, weights
from autolog.testing import recording
from tests.integrations.test_keras_backends import needs, process

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def network(name="small"):
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)], name=name)


def batches(count=4):
    x = np.random.default_rng(0).random((8 * count, 4)).astype("float32")
    return [(torch.from_numpy(part), torch.from_numpy(part.sum(1, keepdims=True))) for part in np.split(x, count)]


def told(recording):
    assert not recording.problems
    return recording


def gradients(model):
    return [variable.value.grad for variable in model.trainable_variables]


def train(model, optimizer, epochs=2, seen=None):
    """As the guide "Writing a training loop from scratch in PyTorch"."""
    loss_of = keras.losses.MeanSquaredError()
    for epoch in range(epochs):
        for x, y in batches():
            mse_loss = loss_of(y, model(x))
            model.zero_grad()
            mse_loss.backward()
            with torch.no_grad():
                optimizer.apply(gradients(model), model.trainable_variables)
            if seen is not None:
                seen.append((int(optimizer.iterations.value), epoch, mse_loss.item()))
            autolog.log_metric("mine", epoch)


def test_a_loop_on_torch(autolog_run, monkeypatch):
    monkeypatch.setattr(weights, "process_budget", weights.Budget(1000.0))
    config.configure(weights="epoch")
    try:
        model, seen = network(), []
        train(model, keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.01, 4, 0.5)), seen=seen)
        whole = told(autolog_run.read())
    finally:
        config.configure(weights=None)
    (loop,) = whole.children
    assert (loop.name, loop.kind, loop.integration) == ("small", "fit", "keras")
    assert [step for step, _, _ in seen] == list(range(1, 9))
    assert loop.points("mse_loss") == seen
    assert loop.points("learning_rate") == [
        (step, epoch, pytest.approx(0.01 * 0.5 ** ((step - 1) / 4))) for step, epoch, _ in seen
    ]
    assert whole.run.points("mine") == [(step, epoch, epoch) for step, epoch, _ in seen]
    assert (loop.params["optimizer.class"], loop.sources["optimizer.class"]) == ("Adam", "keras.optimizer")
    assert loop.params["optimizer.learning_rate.config.decay_steps"] == 4
    assert loop.facts["model"]["parameters"] == model.count_params()
    assert loop.facts["training"] == {"steps_done": 8}
    assert {asset.name for asset in loop.assets} == {"architecture.json", "weights", "gradients"}
    assert [asset.step for asset in loop.assets if asset.name == "weights"] == [1, 2, 4, 8]
    assert loop.metric_names == {"mse_loss", "learning_rate", "autolog/weight_norm", "autolog/gradient_norm"}


def duel():
    critic, generator = network("critic"), network("generator")
    critic_optimizer = keras.optimizers.SGD(0.1)
    generator_optimizer = keras.optimizers.SGD(0.2, gradient_accumulation_steps=2)
    for step, (x, y) in enumerate(batches()):
        critic_loss = (critic(x) - y).square().mean()
        critic.zero_grad()
        critic_loss.backward()
        critic_optimizer.apply_gradients(zip(gradients(critic), critic.trainable_variables, strict=True))
        generator_loss = (generator(x) - y).square().mean()
        generator.zero_grad()
        generator_loss.backward()
        if step == 2:
            generator_optimizer.learning_rate = 0.05
        generator_optimizer.apply(gradients(generator), generator.trainable_variables)


def test_two_optimizers_are_one_training(autolog_run):
    duel()
    (loop,) = told(autolog_run.read()).children
    assert [step for step, _ in loop.series("critic_loss")] == [1, 2, 3, 4]
    assert [step for step, _ in loop.series("generator_loss")] == [0, 1, 1, 2]  # as Keras counts accumulated steps
    assert loop.series("learning_rate_critic_optimizer") == [(1, pytest.approx(0.1))]
    assert loop.series("learning_rate_generator_optimizer") == [(0, pytest.approx(0.2)), (1, pytest.approx(0.05))]
    assert loop.params["critic_optimizer.class"] == "SGD"
    assert loop.params["generator_optimizer.gradient_accumulation_steps"] == 2
    assert loop.facts["optimizers"] == [
        {"name": "critic_optimizer", "updates": 4}, {"name": "generator_optimizer", "updates": 2},
    ]  # fmt: skip
    assert loop.facts["training"] == {"steps_done": 4}


def test_what_has_its_own_record_is_not_recorded_again(autolog_run):
    model = network()
    model.compile(keras.optimizers.SGD(0.01), "mse")
    x, y = (torch.cat(parts) for parts in zip(*batches(), strict=True))
    model.fit(x, y, batch_size=8, verbose=0)
    model.train_on_batch(x, y)
    train(model, model.optimizer, epochs=1)  # part of the loop that is there
    train(model, other := keras.optimizers.SGD(0.01), epochs=1)
    model.compile(other, "mse")
    model.fit(x, y, batch_size=8, verbose=0)
    train(model, other, epochs=1)
    autolog.disable("keras")
    train(model, keras.optimizers.SGD(0.01), epochs=1)
    autolog.enable("keras")
    fit, calls, loop, again, after = told(autolog_run.read()).children
    assert "loss" in fit.metric_names & calls.metric_names & again.metric_names
    assert loop.status == "completed"
    assert [[step for step, _ in one.series("mse_loss")] for one in (loop, after)] == [[1, 2, 3, 4], [9, 10, 11, 12]]
    assert not any("mse_loss" in one.metric_names for one in (fit, calls, again))


def test_a_failure_and_the_next_run(autolog_run):
    model, optimizer = network(), keras.optimizers.SGD(0.01)
    train(model, optimizer, epochs=1)
    with pytest.raises(ValueError, match="must match"):
        optimizer.apply(gradients(model)[:1])
    train(model, optimizer, epochs=1)
    autolog.finish()
    train(model, optimizer, epochs=1)
    failed, second, third = told(autolog_run.read()).children
    assert (failed.status, failed.end.exception["type"], second.status) == ("failed", "ValueError", "running")
    assert [step for step, _ in second.series("mse_loss") + third.series("mse_loss")] == list(range(5, 13))


def test_nothing_is_kept_alive(autolog_run):
    model, optimizer = network(), keras.optimizers.SGD(0.01)
    train(model, optimizer, epochs=1)
    gone = [weakref.ref(model), weakref.ref(optimizer)]
    del model, optimizer
    gc.collect()
    assert [one() for one in gone] == [None, None]
    (loop,) = told(autolog_run.read()).children
    assert loop.facts["training"] == {"steps_done": 4}


@pytest.mark.filterwarnings("ignore")
def test_torch_compile_has_the_graphs_it_has_alone():
    from torch._dynamo.utils import counters

    def graphs():
        torch._dynamo.reset()
        counters.clear()
        model, optimizer = network(), keras.optimizers.SGD(0.01)
        optimizer.build(model.trainable_variables)

        @torch.compile(backend="eager")
        def step(x, y):
            loss = (model(x) - y).square().mean()
            loss.backward()
            with torch.no_grad():
                optimizer.apply(gradients(model))
            return loss.detach()

        losses = [step(*batch).item() for batch in batches(2)]
        return losses, dict(counters["stats"]), len(counters["graph_break"])

    autolog.disable("keras")
    alone = graphs()
    autolog.enable("keras")
    assert graphs() == alone
    keras_own_loops.at_end()


TENSORFLOW = """
import json, keras, numpy as np, tensorflow as tf
keras.utils.set_random_seed(0)

def train(compiled):
    x = np.random.rand(32, 4).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((x, x.sum(1, keepdims=True))).batch(8)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)], name="traced" if compiled else "eager")
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.01, 4, 0.5))

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - y) ** 2)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    step = tf.function(step) if compiled else step
    losses = [float(step(*batch)) for epoch in range(2) for batch in data]
    return losses, int(optimizer.iterations), [weight.tolist() for weight in model.get_weights()]

print(json.dumps([train(False), train(True)]))
"""

JAX = """
import json, jax, keras, numpy as np
keras.utils.set_random_seed(0)

def train(compiled):
    x = np.random.rand(32, 4).astype("float32")
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)], name="traced" if compiled else "eager")
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)

    def loss_of(trained, fixed, x, y):
        found, _ = model.stateless_call(trained, fixed, x)
        return ((found - y) ** 2).mean()

    def step(state, x, y):
        trained, fixed, moments = state
        loss, gradients = jax.value_and_grad(loss_of)(trained, fixed, x, y)
        trained, moments = optimizer.stateless_apply(moments, gradients, trained)
        return loss, (trained, fixed, moments)

    step = jax.jit(step) if compiled else step
    groups = model.trainable_variables, model.non_trainable_variables, optimizer.variables
    state, losses = tuple([variable.value for variable in group] for group in groups), []
    for part in np.split(x, 4):
        loss, state = step(state, part, part.sum(1, keepdims=True))
        losses.append(float(loss))
    if compiled:
        for group, values in zip(groups, state):
            for variable, value in zip(group, values):
                variable.assign(value)
    return losses, 4, [np.asarray(value).tolist() for value in state[0]]

print(json.dumps([train(False), train(True)]))
"""


@pytest.mark.parametrize(("backend", "script"), [("tensorflow", TENSORFLOW), ("jax", JAX)])
def test_steps_are_seen_unless_they_are_traced(tmp_path, backend, script):
    needs(backend)
    for name, line in (("off", ""), ("on", "import autolog\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.py").write_text(line + script, "utf-8")
    off, on = (process(tmp_path / name, backend, sys.executable, "train.py") for name in ("off", "on"))
    assert off == on
    (_, eager_steps, _), (_, traced_steps, _) = json.loads(on.splitlines()[-1])
    eager, traced = told(recording(tmp_path / "on" / "runs")).children
    assert (eager.name, traced.name) == ("eager", "traced")
    assert (eager.facts["training"], traced.facts["training"]) == (
        {"steps_done": eager_steps}, {"traced": True, "steps_done": traced_steps},
    )  # fmt: skip
    steps = [step for step, _ in eager.series("learning_rate")]
    assert steps == (list(range(1, eager_steps + 1)) if backend == "tensorflow" else [1])
    assert traced.metrics == []
    for loop in (eager, traced):
        assert loop.params["optimizer.class"] == "Adam"
        assert loop.facts["model"]["parameters"] == 5
