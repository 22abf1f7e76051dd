"""Successive halving beside an exhaustive search."""

import numpy as np
from sklearn.datasets import make_classification
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, HalvingRandomSearchCV
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

chance = np.random.RandomState(0)
x, y = make_classification(n_samples=700, random_state=chance)
grid = {"gamma": np.logspace(-4, 3, num=6), "C": np.logspace(-2, 3, num=6)}

halving = HalvingGridSearchCV(SVC(random_state=chance), grid, factor=2, random_state=chance).fit(x, y)
print("halving", halving.n_iterations_, halving.n_candidates_, halving.best_params_, halving.best_score_)
full = GridSearchCV(SVC(random_state=chance), grid).fit(x, y)
print("grid", full.best_params_, full.best_score_)
trees = HalvingRandomSearchCV(
    DecisionTreeClassifier(random_state=0), {"max_depth": [2, 4, 8, None], "min_samples_split": range(2, 12)},
    random_state=0, n_candidates=20,
).fit(x, y)  # fmt: skip
print("random", trees.best_params_, trees.n_resources_, trees.best_score_)
