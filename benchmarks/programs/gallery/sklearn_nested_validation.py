"""Nested and flat cross-validation, and an estimator of one's own in it."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score, learning_curve
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted, validate_data


class Nearest(ClassifierMixin, BaseEstimator):
    def __init__(self, metric="euclidean"):
        self.metric = metric

    def fit(self, X, y):
        X, y = validate_data(self, X, y)
        self.classes_, self.y_ = np.unique(y, return_inverse=True)
        self.X_ = X
        return self

    def predict(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        return self.classes_[self.y_[pairwise_distances(X, self.X_, metric=self.metric).argmin(axis=1)]]


x, y = load_iris(return_X_y=True)
grid = {"C": [1, 10, 100], "gamma": [0.01, 0.1]}
for trial in range(6):
    inner = KFold(n_splits=4, shuffle=True, random_state=trial)
    outer = KFold(n_splits=4, shuffle=True, random_state=trial)
    search = GridSearchCV(SVC(kernel="rbf"), grid, cv=outer)
    search.fit(x, y)
    nested = cross_val_score(GridSearchCV(SVC(kernel="rbf"), grid, cv=inner), x, y, cv=outer)
    print(trial, search.best_score_, nested.mean())

print("own", cross_val_score(Nearest("manhattan"), x, y, cv=5).tolist())
stack = StackingClassifier([("svc", SVC()), ("own", Nearest())], LogisticRegression(), cv=3)
print("stack", (cross_val_predict(stack, x, y, cv=3) == y).mean())
sizes, train, test = learning_curve(stack, x, y, train_sizes=[0.3, 0.6, 1.0], cv=3, shuffle=True, random_state=0)
print(sizes.tolist(), train.mean(axis=1).tolist(), test.mean(axis=1).tolist())
