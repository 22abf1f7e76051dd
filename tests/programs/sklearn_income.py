"""Compare models on a table of people with missing values and categories, tune the best, and report on the test set."""

import argparse

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import (
    accuracy_score,
    classification_report,
    confusion_matrix,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
    roc_curve,
)
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMERIC = ["age", "hours", "years_at_school"]
CATEGORIES = ["job", "region"]


def load_people(rows, seed):
    rng = np.random.default_rng(seed)
    people = pd.DataFrame(
        {
            "age": rng.integers(18, 70, rows).astype(float),
            "hours": rng.normal(38, 8, rows),
            "years_at_school": rng.integers(8, 20, rows).astype(float),
            "job": rng.choice(["office", "field", "shop"], rows),
            "region": rng.choice(["north", "south"], rows),
        }
    )
    income = (
        800 * people["years_at_school"]
        + 300 * people["hours"]
        + 4000 * (people["job"] == "office")
        + rng.normal(0, 3000, rows)
    )
    people.loc[rng.random(rows) < 0.05, "hours"] = np.nan
    return people, income


def preprocessing():
    numeric = Pipeline([("fill", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    categories = OneHotEncoder(handle_unknown="ignore")
    return ColumnTransformer([("numeric", numeric, NUMERIC), ("categories", categories, CATEGORIES)])


def with_preprocessing(model):
    return Pipeline([("prepare", preprocessing()), ("model", model)])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1200)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()

    people, income = load_people(args.rows, args.seed)
    rich = (income > income.median()).astype(int)
    X_train, X_test, y_train, y_test = train_test_split(
        people, rich, test_size=0.25, stratify=rich, random_state=args.seed
    )
    folds = StratifiedKFold(args.folds, shuffle=True, random_state=args.seed)

    candidates = {
        "logistic": LogisticRegression(),
        "forest": RandomForestClassifier(20, random_state=args.seed),
        "boosting": GradientBoostingClassifier(n_estimators=15, random_state=args.seed),
    }
    for name, model in candidates.items():
        scores = cross_validate(with_preprocessing(model), X_train, y_train, cv=folds, scoring=["accuracy", "roc_auc"])
        print(f"{name}: accuracy {scores['test_accuracy'].mean():.4f}, AUC {scores['test_roc_auc'].mean():.4f}")

    grid = {"model__C": [0.01, 0.1, 1.0, 10.0], "prepare__numeric__fill__strategy": ["mean", "median"]}
    search = GridSearchCV(with_preprocessing(LogisticRegression()), grid, cv=folds, n_jobs=1)
    search.fit(X_train, y_train)
    print("best:", search.best_params_, f"{search.best_score_:.4f}")

    y_pred = search.predict(X_test)
    y_score = search.predict_proba(X_test)[:, 1]
    print(f"accuracy {accuracy_score(y_test, y_pred):.4f}, AUC {roc_auc_score(y_test, y_score):.4f}")
    print(classification_report(y_test, y_pred))
    print(confusion_matrix(y_test, y_pred))
    false_alarms, hits, _ = roc_curve(y_test, y_score)
    print(f"{len(false_alarms)} points, at most {max(hits):.1f}")

    forest = with_preprocessing(candidates["forest"]).fit(X_train, y_train)
    print(f"forest: {forest.score(X_test, y_test):.4f}")

    prepared = preprocessing().fit(X_train)
    network = MLPClassifier((8,), max_iter=200, early_stopping=True, random_state=args.seed)
    network.fit(prepared.transform(X_train), y_train)
    print(f"network: {network.n_iter_} epochs, loss {network.loss_:.4f}")

    boosting = GradientBoostingClassifier(n_estimators=15, random_state=args.seed)
    boosting.fit(prepared.transform(X_train), y_train)

    stream = SGDClassifier(random_state=args.seed)
    rows = prepared.transform(X_train)
    for start in range(0, len(rows), 150):
        stream.partial_fit(rows[start : start + 150], y_train.iloc[start : start + 150], classes=[0, 1])
        print(f"stream: {stream.score(prepared.transform(X_test), y_test):.4f}")

    amount = with_preprocessing(Ridge())
    amount.fit(X_train, income[X_train.index])
    guessed = amount.predict(X_test)
    actual = income[X_test.index]
    print(f"income: R2 {r2_score(actual, guessed):.4f}, off by {mean_absolute_error(actual, guessed):.0f}")

    groups = KMeans(4, n_init=2, random_state=args.seed).fit(rows)
    print(f"groups: {np.bincount(groups.labels_)}, inertia {groups.inertia_:.1f}")


if __name__ == "__main__":
    main()
