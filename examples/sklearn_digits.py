"""Handwritten digits with scikit-learn: scale, reduce, classify."""

import argparse

from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=["logistic", "svm"], default="svm")
    parser.add_argument("--C", type=float, default=1.0, help="inverse of the regularisation strength")
    parser.add_argument("--components", type=int, default=30, help="principal components kept")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    data, target = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(data, target, test_size=0.25, random_state=args.seed)
    classifier = SVC(C=args.C) if args.model == "svm" else LogisticRegression(C=args.C, max_iter=2000)
    model = make_pipeline(StandardScaler(), PCA(args.components, random_state=args.seed), classifier)
    model.fit(x_train, y_train)
    print(f"test accuracy {accuracy_score(y_test, model.predict(x_test)):.4f}")


if __name__ == "__main__":
    main()
