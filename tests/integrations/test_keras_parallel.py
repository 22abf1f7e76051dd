"""Keras on several devices: one run, each value once."""

import json
import sys

from autolog.testing import recording
from tests.integrations.test_keras_backends import needs, process, told

JAX = """
import autolog
import os
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
import json
import keras, numpy as np
keras.distribution.set_distribution(keras.distribution.DataParallel())
keras.utils.set_random_seed(5)
x = np.random.rand(64, 4).astype("float32")
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(6, "relu"), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.01), "mse")
history = model.fit(x, x.sum(1), epochs=2, batch_size=16, validation_split=0.25, verbose=0)
print(len(model.weights[0].value.sharding.device_set))
print(json.dumps(history.history))
"""


def test_data_parallelism_on_jax(tmp_path):
    """The way of Keras: two devices of one process, here two of the host's."""
    needs("jax")
    (tmp_path / "train.py").write_text(JAX, "utf-8")
    devices, history = process(tmp_path, "jax", sys.executable, "train.py").splitlines()
    assert devices == "2"
    record = told(recording(tmp_path / "runs"))
    (fit,) = record.children
    assert (fit.kind, fit.integration, fit.status, record.run.metric_names) == ("fit", "keras", "completed", set())
    for name, values in json.loads(history).items():
        assert fit.points(name) == [(3 * (epoch + 1), epoch, value) for epoch, value in enumerate(values)]
    assert sorted(step for step, _ in fit.series("batch_loss")) == [1, 2, 3, 4, 5, 6]
    assert fit.facts["model"]["parameters"] == 37
