"""Two outputs, weights of samples, train_on_batch in a loop, fits that go on where the last one stopped."""

import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(4)
x = np.random.rand(800, 10).astype("float32")
targets = {"price": x.sum(axis=1), "kind": (x[:, 0] > 0.5).astype("float32")}
inputs = keras.Input((10,))
h = layers.BatchNormalization()(layers.Dense(32, activation="gelu")(inputs))
outputs = {"price": layers.Dense(1, name="price")(h), "kind": layers.Dense(1, activation="sigmoid", name="kind")(h)}
model = keras.Model(inputs, outputs)
model.compile(
    keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
    {"price": "mse", "kind": "binary_crossentropy"},
    loss_weights={"price": 0.5, "kind": 1.0},
    metrics={"price": ["mae"], "kind": ["accuracy"]},
)
first = model.fit(x, targets, epochs=3, verbose=2, validation_split=0.2)
more = model.fit(x, targets, initial_epoch=3, epochs=5, verbose=0, callbacks=[keras.callbacks.ReduceLROnPlateau()])
print(first.history["loss"], more.history["loss"], more.epoch)
for begin in range(0, 400, 50):
    rows = slice(begin, begin + 50)
    told = model.train_on_batch(x[rows], {name: values[rows] for name, values in targets.items()}, return_dict=True)
print(told)
print(model.evaluate(x, targets, return_dict=True, verbose=0), np.random.rand())
