"""Estimators that may be asked for predictions without anybody noticing.

A closed list of scikit-learn's own classes whose ``predict`` (of transformers: ``transform``) draws no random number,
prints nothing, starts no process and changes nothing. A subclass is not in it, nor is an estimator with a function of
the program's among its parameters, one that is verbose, or one that may overwrite the data it gets.
"""

from __future__ import annotations

from typing import Any

__all__ = ["expected", "is_safe", "predictor"]

_LINEAR = """
ARDRegression BayesianRidge ElasticNet ElasticNetCV GammaRegressor HuberRegressor Lars LarsCV Lasso LassoCV LassoLars
LassoLarsCV LassoLarsIC LinearRegression LogisticRegression LogisticRegressionCV MultiTaskElasticNet
MultiTaskElasticNetCV MultiTaskLasso MultiTaskLassoCV OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV
PassiveAggressiveClassifier PassiveAggressiveRegressor Perceptron PoissonRegressor QuantileRegressor Ridge RidgeCV
RidgeClassifier RidgeClassifierCV SGDClassifier SGDRegressor TheilSenRegressor TweedieRegressor
"""
_CHEAP = {
    "linear_model": _LINEAR,
    "svm": "LinearSVC LinearSVR",
    "naive_bayes": "BernoulliNB ComplementNB GaussianNB MultinomialNB",
    "discriminant_analysis": "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis",
    "tree": "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor",
    "neighbors": "NearestCentroid",
    "neural_network": "MLPClassifier MLPRegressor",
    "pipeline": "Pipeline",
    "compose": "ColumnTransformer",
}
_DEAR = {
    "svm": "SVC SVR NuSVC NuSVR",
    "ensemble": (
        "AdaBoostClassifier AdaBoostRegressor ExtraTreesClassifier ExtraTreesRegressor GradientBoostingClassifier "
        "GradientBoostingRegressor HistGradientBoostingClassifier HistGradientBoostingRegressor RandomForestClassifier "
        "RandomForestRegressor"
    ),
}
_TRANSFORMERS = {
    "preprocessing": (
        "Binarizer KBinsDiscretizer MaxAbsScaler MinMaxScaler Normalizer OneHotEncoder OrdinalEncoder "
        "PolynomialFeatures PowerTransformer QuantileTransformer RobustScaler SplineTransformer StandardScaler"
    ),
    "impute": "SimpleImputer",
    "decomposition": "PCA TruncatedSVD",
    "feature_selection": "SelectKBest SelectPercentile VarianceThreshold",
    "feature_extraction": "CountVectorizer HashingVectorizer TfidfTransformer TfidfVectorizer",
    "pipeline": "Pipeline FeatureUnion",
    "compose": "ColumnTransformer",
}
_FORESTS = ("RandomForest", "ExtraTrees")  # their jobs are threads
_NO_CODE = {"score_func"}  # functions that are only used while fitting


def _listed(groups: dict[str, str]) -> set[tuple[str, str]]:
    return {(module, name) for module, names in groups.items() for name in names.split()}


_CHEAP_CLASSES = _listed(_CHEAP)
_KNOWN = _CHEAP_CLASSES | _listed(_DEAR) | _listed(_TRANSFORMERS)


def predictor(estimator: Any) -> tuple[Any, bool] | None:
    """What may be asked for predictions in place of a fitted estimator, and whether that is quick.

    Args:
        estimator: a fitted estimator; of a search its best one is taken.

    Returns:
        ``None`` where it is not safe, or predicts nothing.
    """
    if _name(estimator)[0] == "model_selection":
        estimator = vars(estimator).get("best_estimator_")
    if estimator is None or not is_safe(estimator) or not hasattr(type(estimator), "predict"):
        return None
    steps = vars(estimator).get("steps")
    parts = [estimator, *(step for _, step in steps)] if isinstance(steps, list) else [estimator]
    quick = all(isinstance(part, str) or part is None or _name(part) in _CHEAP_CLASSES | _QUICK for part in parts)
    return estimator, quick


_QUICK = _listed({"preprocessing": "MaxAbsScaler MinMaxScaler Normalizer RobustScaler StandardScaler"})


def expected(estimator: Any) -> float | None:
    """Seconds that a thousand predictions take, about, by the class alone; ``None`` where there are certainly none."""
    name = _name(estimator)
    if name[0] in ("model_selection", "pipeline"):
        return 0.01
    if name not in _KNOWN or not hasattr(type(estimator), "predict"):
        return None
    return 0.003 if name in _CHEAP_CLASSES else 0.03


def is_safe(estimator: Any) -> bool:
    """Whether an estimator and all that is in it is on the list, with harmless parameters."""
    name = _name(estimator)
    if name not in _KNOWN:
        return False
    return all(_harmless(key, value, name[1]) for key, value in estimator.get_params(deep=False).items())


def _name(estimator: Any) -> tuple[str, str]:
    """``("linear_model", "Ridge")`` of a class of scikit-learn."""
    kind = type(estimator)
    parts = kind.__module__.split(".")
    return (parts[1], kind.__qualname__) if parts[0] == "sklearn" and len(parts) > 1 else ("", "")


def _harmless(key: str, value: Any, owner: str) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_harmless("", part, owner) for part in value) if len(value) <= 1000 else key != "steps"
    if hasattr(value, "get_params") and not isinstance(value, type):
        return is_safe(value)
    if key == "verbose":
        return not value
    if key.startswith("copy"):
        return value is not False
    if key == "n_jobs":
        return value in (None, 1) or owner.startswith(_FORESTS)
    return not callable(value) or isinstance(value, type) or key in _NO_CODE
