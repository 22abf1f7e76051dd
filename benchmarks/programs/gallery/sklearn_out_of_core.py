"""Learning from a stream in pieces, with several models at once."""

import numpy as np
from sklearn.linear_model import PassiveAggressiveClassifier, Perceptron, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler


def stream(pieces, rows):
    chance = np.random.default_rng(0)
    weights = chance.normal(size=40)
    for _ in range(pieces):
        x = chance.normal(size=(rows, 40))
        yield x, (x @ weights + chance.normal(size=rows) > 0).astype(int)


def main():
    import warnings

    warnings.simplefilter("ignore", FutureWarning)
    models = {
        "SGD": SGDClassifier(random_state=0),
        "Perceptron": Perceptron(random_state=0),
        "naive Bayes": GaussianNB(),
        "Passive-Aggressive": PassiveAggressiveClassifier(random_state=0),
    }
    scaler = StandardScaler()
    (x_test, y_test), *pieces = stream(60, 300)
    for number, (x, y) in enumerate(pieces):
        x = scaler.partial_fit(x).transform(x)
        for name, model in models.items():
            model.partial_fit(x, y, classes=[0, 1])
            if number % 20 == 0:
                print(f"{name:>20}: {model.score(scaler.transform(x_test), y_test):.4f} after {number} pieces")


if __name__ == "__main__":
    main()
