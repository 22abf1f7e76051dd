"""Mixed types in a table: imputation, scaling and encoding by column, searched at random."""

import numpy as np
import pandas as pd
from scipy.stats import loguniform
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.feature_selection import SelectPercentile, chi2
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV, cross_validate, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def passengers(count):
    chance = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": np.where(chance.random(count) < 0.2, np.nan, chance.normal(30, 12, count)),
            "fare": chance.lognormal(3, 1, count),
            "port": chance.choice(["S", "C", "Q"], count),
            "sex": chance.choice(["female", "male"], count),
            "class": pd.Categorical(chance.choice(["1", "2", "3"], count)),
        }
    )
    odds = (frame["sex"] == "female") * 1.5 + frame["fare"].rank(pct=True) * 2 - 1.5
    frame["survived"] = (chance.logistic(size=count) < odds).astype(int)
    return frame


frame = passengers(1200)
x, y = frame.drop(columns="survived"), frame["survived"]
numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
categories = Pipeline(
    [("encoder", OneHotEncoder(handle_unknown="ignore")), ("selector", SelectPercentile(chi2, percentile=50))]
)
preprocessor = ColumnTransformer(
    [("num", numbers, ["age", "fare"]), ("cat", categories, make_column_selector(dtype_exclude="number"))]
)
model = Pipeline([("preprocessor", preprocessor), ("classifier", LogisticRegression())])
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=0)
model.fit(x_train, y_train)
print(model)
print("test", model.score(x_test, y_test))

space = {
    "preprocessor__num__simpleimputer__strategy": ["mean", "median"],
    "preprocessor__cat__selector__percentile": [10, 30, 50, 70],
    "classifier__C": loguniform(1e-2, 1e2),
}
search = RandomizedSearchCV(model, space, n_iter=12, random_state=0)
search.fit(x_train, y_train)
print(search.best_params_, search.best_score_, search.score(x_test, y_test))
scores = cross_validate(search.best_estimator_, x, y, cv=4, scoring=["roc_auc", "accuracy"])
print({name: values.round(6).tolist() for name, values in scores.items() if name.startswith("test")})
