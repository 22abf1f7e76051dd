"""Learning strategies of a multi-layer perceptron compared by their loss curves."""

import warnings

from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import MinMaxScaler

STRATEGIES = {
    "constant": {"solver": "sgd", "learning_rate": "constant", "momentum": 0, "learning_rate_init": 0.2},
    "constant, momentum": {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False, "learning_rate_init": 0.2},
    "inverse scaling": {"solver": "sgd", "learning_rate": "invscaling", "momentum": 0, "learning_rate_init": 0.2},
    "adam": {"solver": "adam", "learning_rate_init": 0.01},
}


def main():
    digits = datasets.load_digits()
    sets = [("iris", datasets.load_iris(return_X_y=True)), ("digits", (digits.data, digits.target))]
    for name, (x, y) in sets:
        x = MinMaxScaler().fit_transform(x)
        print(f"learning on {name}")
        for label, settings in STRATEGIES.items():
            network = MLPClassifier(random_state=0, max_iter=30, **settings)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", category=ConvergenceWarning)
                network.fit(x, y)
            print(
                f"{label}: score {network.score(x, y):.6f}, loss {network.loss_:.6f}, {len(network.loss_curve_)} steps"
            )


if __name__ == "__main__":
    main()
