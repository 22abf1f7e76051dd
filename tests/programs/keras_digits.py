"""Classify small drawn digits: train with early stopping, fine-tune with a smaller learning rate, test, save."""

import argparse
import json
from pathlib import Path

import keras
import numpy as np
from keras import layers


def drawn(count, rng):
    """Noisy pictures of 8 x 8: a class is a bar in one of four places."""
    labels = rng.integers(0, 4, count)
    pictures = rng.normal(0, 0.6, (count, 8, 8, 1)).astype("float32")
    for picture, label in zip(pictures, labels, strict=True):
        picture[2 * label : 2 * label + 2] += 1.0
    return pictures, labels


def build(width, dropout):
    inputs = keras.Input((8, 8, 1), name="picture")
    x = layers.Conv2D(width, 3, activation="relu")(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(4, activation="softmax")(x)
    return keras.Model(inputs, outputs, name="digits")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()

    keras.utils.set_random_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    x_train, y_train = drawn(400, rng)
    x_test, y_test = drawn(100, rng)

    model = build(args.width, args.dropout)
    model.summary()
    schedule = keras.optimizers.schedules.CosineDecay(args.lr, decay_steps=60, warmup_target=args.lr, warmup_steps=10)
    model.compile(
        optimizer=keras.optimizers.Adam(schedule),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
    )
    history = model.fit(
        x_train,
        y_train,
        batch_size=args.batch_size,
        epochs=args.epochs,
        validation_split=0.2,
        callbacks=[
            keras.callbacks.EarlyStopping("val_accuracy", mode="max", patience=2, restore_best_weights=True),
            keras.callbacks.ModelCheckpoint("best.keras", monitor="val_accuracy", mode="max", save_best_only=True),
            keras.callbacks.CSVLogger("log.csv"),
        ],
        verbose=2,
    )

    first = history.epoch[-1] + 1
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.optimizer.learning_rate = 0.05
    tuned = model.fit(
        x_train,
        y_train,
        batch_size=args.batch_size,
        initial_epoch=first,
        epochs=first + 4,
        validation_data=(x_test, y_test),
        callbacks=[keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1, min_delta=10.0)],
        verbose=2,
    )

    scores = model.evaluate(x_test, y_test, return_dict=True)
    print("test accuracy:", scores["accuracy"])
    model.predict(x_test, verbose=0)
    model.save("final.keras")
    result = {
        "history": history.history,
        "tuned": tuned.history,
        "scores": scores,
        "steps": int(model.optimizer.iterations),
    }
    Path("result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
