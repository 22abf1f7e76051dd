"""A training step of one's own: two losses, metrics kept by the model."""

import keras
import numpy as np
import torch


class Denoiser(keras.Model):
    def __init__(self):
        super().__init__()
        self.encoder = keras.Sequential([keras.layers.Dense(32, activation="relu"), keras.layers.Dense(4)])
        self.decoder = keras.Sequential([keras.layers.Dense(32, activation="relu"), keras.layers.Dense(16)])
        self.total = keras.metrics.Mean(name="loss")
        self.size = keras.metrics.Mean(name="code_size")

    def call(self, x):
        return self.decoder(self.encoder(x))

    @property
    def metrics(self):
        return [self.total, self.size]

    def train_step(self, data):
        x, y = data
        self.zero_grad()
        code = self.encoder(x + 0.1 * torch.randn_like(x))
        error = keras.losses.mean_squared_error(y, self.decoder(code)).mean()
        size = keras.ops.mean(keras.ops.square(code))
        loss = error + 0.01 * size
        loss.backward()
        weights = list(self.trainable_weights)
        with torch.no_grad():
            self.optimizer.apply([weight.value.grad for weight in weights], weights)
        self.total.update_state(loss.detach())
        self.size.update_state(size.detach())
        return {metric.name: metric.result() for metric in self.metrics}


keras.utils.set_random_seed(1)
x = np.random.rand(2048, 4).astype("float32") @ np.random.rand(4, 16).astype("float32")
model = Denoiser()
model.compile(optimizer=keras.optimizers.Adam(1e-3))
history = model.fit(x, x, epochs=4, batch_size=32, verbose=2)
print(history.history)
print(np.square(model.predict(x, verbose=0) - x).mean(), torch.rand(1))
