"""A variational autoencoder on JAX with a layer that draws."""

import keras
import numpy as np
from keras import layers, ops
from sklearn.datasets import load_digits


class Sampling(layers.Layer):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        mean, log_variance = inputs
        self.add_loss(-5e-4 * ops.mean(1 + log_variance - ops.square(mean) - ops.exp(log_variance)))
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise


keras.utils.set_random_seed(2)
x = (load_digits().data / 16).astype("float32")
inputs = keras.Input((64,))
h = layers.Dense(128, activation="relu")(inputs)
code = Sampling()([layers.Dense(2, name="mean")(h), layers.Dense(2, name="log_variance")(h)])
h = layers.Dense(128, activation="relu")(code)
model = keras.Model(inputs, layers.Dense(64, activation="sigmoid")(h))
model.compile(keras.optimizers.AdamW(2e-3, weight_decay=1e-4), "binary_crossentropy", metrics=["mse"])
history = model.fit(x, x, epochs=30, batch_size=128, validation_split=0.2, verbose=0)
print(history.history["loss"][::10], history.history["val_mse"][::10])
model.save_weights("vae.weights.h5")
print(np.square(model.predict(x, verbose=0) - x).mean())
