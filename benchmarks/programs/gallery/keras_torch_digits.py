"""A convolutional network for digits: callbacks, a schedule, a saved model."""

import argparse

import keras
import numpy as np
from sklearn.datasets import load_digits


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=64)
    arguments = parser.parse_args()

    keras.utils.set_random_seed(812)
    digits = load_digits()
    x = (digits.images / 16.0).astype("float32")[..., np.newaxis]
    y = keras.utils.to_categorical(digits.target, 10)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(16, 3, activation="relu", padding="same"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.summary()
    schedule = keras.optimizers.schedules.ExponentialDecay(3e-3, decay_steps=50, decay_rate=0.9)
    model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(schedule), metrics=["accuracy"])
    callbacks = [
        keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True),
        keras.callbacks.ModelCheckpoint("best.keras", save_best_only=True),
        keras.callbacks.CSVLogger("log.csv"),
    ]
    model.fit(
        x[:1400], y[:1400], batch_size=arguments.batch_size, epochs=arguments.epochs, validation_split=0.1,
        callbacks=callbacks,
    )  # fmt: skip
    print("test", model.evaluate(x[1400:], y[1400:], verbose=0))
    best = keras.saving.load_model("best.keras")
    print("best", best.evaluate(x[1400:], y[1400:], verbose=2))
    print([callback.__class__.__name__ for callback in callbacks], len(callbacks))


if __name__ == "__main__":
    main()
