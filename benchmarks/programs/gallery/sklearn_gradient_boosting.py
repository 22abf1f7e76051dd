"""Gradient boosting for regression: deviance of every stage, early stopping, quantiles."""

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, mean_squared_error, r2_score
from sklearn.model_selection import train_test_split

x, y = load_diabetes(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.1, random_state=13)

model = GradientBoostingRegressor(
    n_estimators=500, max_depth=4, min_samples_split=5, learning_rate=0.01, random_state=0
)
model.fit(x_train, y_train)
print("mse", mean_squared_error(y_test, model.predict(x_test)), "r2", r2_score(y_test, model.predict(x_test)))
stages = np.array([mean_squared_error(y_test, guess) for guess in model.staged_predict(x_test)])
print("best stage", int(stages.argmin()), stages.min())
print("train", model.train_score_[[0, 99, 499]].round(4).tolist())

stopped = GradientBoostingRegressor(n_iter_no_change=5, validation_fraction=0.2, n_estimators=500, random_state=0)
stopped.fit(x_train, y_train)
print("stopped after", stopped.n_estimators_, "mae", mean_absolute_error(y_test, stopped.predict(x_test)))

for alpha in (0.05, 0.5, 0.95):
    quantile = GradientBoostingRegressor(loss="quantile", alpha=alpha, n_estimators=200, random_state=0)
    quantile.fit(x_train, y_train)
    print(alpha, mean_pinball_loss(y_test, quantile.predict(x_test), alpha=alpha))

histogram = HistGradientBoostingRegressor(max_iter=100, early_stopping=True, random_state=0).fit(x_train, y_train)
print("histogram", histogram.n_iter_, histogram.score(x_test, y_test))
