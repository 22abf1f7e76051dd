"""A small Keras network on the digits of scikit-learn, on the PyTorch backend."""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    keras.utils.set_random_seed(args.seed)
    data, target = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        data.astype("float32") / 16, target, test_size=0.25, random_state=args.seed
    )
    model = keras.Sequential(
        [
            keras.layers.Input((64,)),
            keras.layers.Dense(args.hidden, activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(args.lr), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(
        x_train, y_train, epochs=args.epochs, batch_size=args.batch_size, validation_data=(x_test, y_test), verbose=2
    )


if __name__ == "__main__":
    main()
