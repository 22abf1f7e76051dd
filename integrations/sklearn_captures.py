"""The rows of docs/integrations.md about scikit-learn."""

from __future__ import annotations

from autolog.captures import Captured

__all__ = ["CAPTURES"]

_JUDGED = "when the program calls a function of `sklearn.metrics`"
_TIME = "where there is time, see below"

CAPTURES = (
    Captured("each outermost `fit`, `fit_transform`, `fit_predict` …, each series of `partial_fit`", "child", ("fit",)),
    Captured("`cross_val_score`, `cross_validate`, `learning_curve` …, folds included", "child", ("cross_validation",)),
    Captured("the best candidates of a search, at most `search_candidates`", "child", ("candidate",), "of a search"),
    Captured("`get_params(deep=True)`: the whole nested estimator", "params", ("sklearn",)),
    Captured("what the cross-validation was given: `cv`, `scoring` …", "params", ("sklearn.cross_validation",)),
    Captured("`best_params_.*`", "params", ("sklearn.search",), "of a search"),
    Captured("the parameters of a candidate", "params", ("sklearn.candidate",), "of a search"),
    Captured("type, shape, dtype, columns, variable, fingerprint of `X`, `y` …", "fact", ("data",)),
    Captured(
        "class, method, `duration_s`, fitted attributes that are a number or short text, fits inside", "fact", ("fit",)
    ),
    Captured(
        "results of the fit that are one number",
        "metric",
        ("n_iter_", "loss_", "best_score_", "inertia_"),
        "where the estimator has them",
    ),
    Captured(
        "learning curves; the step is the iteration",
        "metric",
        ("loss_curve_", "train_score_"),
        "where the estimator has them",
    ),
    Captured("candidates, folds, which was best", "fact", ("search",), "of a search"),
    Captured("all candidates with their scores and times", "asset", ("cv_results_",), "of a search"),
    Captured(
        "scores of the folds, at the number of the fold",
        "metric",
        ("test_score", "fit_time", "score_time"),
        "of a search's candidates and of cross-validation",
    ),
    Captured(
        "their mean and standard deviation",
        "metric",
        ("autolog/mean_test_*", "autolog/std_test_*"),
        "of cross-validation",
    ),
    Captured("what `score` returned", "metric", ("score_*",), "when the program calls it"),
    Captured(
        "what the function returned, on the fit whose predictions it judges", "metric", ("accuracy_score_*",), _JUDGED
    ),
    Captured("matrices, curves and reports it returned", "asset", ("confusion_matrix_*", "roc_curve_*"), _JUDGED),
    Captured(
        "confusion matrix or residuals of what was judged",
        "asset",
        ("autolog/confusion_matrix_*", "autolog/residuals_*"),
        _JUDGED,
    ),
    Captured(
        "on the training data, classifiers",
        "metric",
        (
            "autolog/training_accuracy",
            "autolog/training_f1_macro",
            "autolog/training_precision_macro",
            "autolog/training_recall_macro",
        ),
        _TIME,
    ),
    Captured("on the training data, two classes", "metric", ("autolog/training_roc_auc",), _TIME),
    Captured(
        "on the training data, regressors",
        "metric",
        ("autolog/training_r2", "autolog/training_mse", "autolog/training_rmse", "autolog/training_mae"),
        _TIME,
    ),
    Captured("on the training data, clusterers", "metric", ("autolog/training_silhouette",), _TIME),
    Captured(
        "confusion matrix, ROC, precision-recall, residuals on the training data",
        "asset",
        (
            "autolog/training_confusion_matrix",
            "autolog/training_roc",
            "autolog/training_pr",
            "autolog/training_residuals",
        ),
        _TIME,
    ),
    Captured("of how many rows these are", "fact", ("training",), _TIME),
    Captured("sizes of clusters", "fact", ("clusters",), _TIME),
    Captured(
        "`feature_importances_`, `coef_` and `intercept_`, by the names of the features",
        "fact",
        ("feature_importances", "coefficients"),
        _TIME,
    ),
    Captured("scikit-learn's diagram of the estimator, as HTML", "asset", ("estimator",), _TIME),
)
