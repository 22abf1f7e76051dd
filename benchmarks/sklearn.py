"""What a recorded fit of scikit-learn costs more than a bare one, and importing it: ``python -m benchmarks.sklearn``.

Each figure is of one process, in which bare and recorded fits take turns: medians of CPU time.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.timing import Row, show

__all__ = ["calls", "first_fit", "fits"]


def fits() -> list[Row]:
    """Fits from a tenth of a millisecond to seconds; the first one of each kind is not among them."""
    import numpy as np
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    x, y = make_classification(300, 10, random_state=0)
    wide, labels = make_classification(5_000, 20, random_state=0)
    lines = SGDClassifier(random_state=0)
    grid = {"logisticregression__C": np.logspace(-2, 2, 10)}
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    cases: dict[str, tuple[Callable[[], object], int]] = {
        "StandardScaler, 300 x 10": (lambda: StandardScaler().fit(x), 100),
        "Ridge, 300 x 10": (lambda: Ridge().fit(x, y), 60),
        "SVC, 300 x 10": (lambda: SVC().fit(x, y), 60),
        "Pipeline of two, 300 x 10": (lambda: make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y), 60),
        "SGDClassifier.partial_fit, 300 x 10": (lambda: lines.partial_fit(x, y, classes=[0, 1]), 100),
        "RandomForestClassifier(100), 300 x 10": (lambda: RandomForestClassifier(random_state=0).fit(x, y), 6),
        "LogisticRegression, 5,000 x 20": (lambda: LogisticRegression().fit(wide, labels), 10),
        "cross_val_score, 5 folds, 300 x 10": (lambda: cross_val_score(pipeline, x, y, cv=5), 10),
        "GridSearchCV, 10 candidates, 5 folds": (lambda: GridSearchCV(pipeline, grid, cv=5).fit(x, y), 3),
    }
    rows = []
    for name, (action, times) in cases.items():
        bare, recorded = _in_turn(action, times)
        more = recorded - bare
        allowed = max(0.001, 0.01 * bare)
        rows.append(
            Row(
                f"{name}: bare, more",
                f"{bare * 1000:.2f}, {more * 1000:.2f} ms",
                f"{100 * more / bare:.1f} %; goal <= {allowed * 1000:.2f} ms",
            )
        )
    return rows


def calls() -> list[Row]:
    """A prediction, a score and a metric of a fitted estimator."""
    from sklearn.datasets import make_classification
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score

    x, y = make_classification(300, 10, random_state=0)
    import autolog

    model = LogisticRegression().fit(x, y)
    predicted = model.predict(x)
    rows = []
    actions: dict[str, Callable[[], object]] = {
        "predict": lambda: model.predict(x),
        "score": lambda: model.score(x, y),
        "accuracy_score": lambda: accuracy_score(y, predicted),
    }
    for name, action in actions.items():
        autolog.enable("sklearn")
        model.fit(x, y)
        predicted = model.predict(x)
        recorded = _median(action, 300)
        autolog.disable("sklearn")
        bare = _median(action, 300)
        rows.append(Row(f"{name}, 300 x 10: bare, more", f"{bare * 1e6:.0f}, {(recorded - bare) * 1e6:.0f} us"))
    autolog.enable("sklearn")
    return rows


def first_fit() -> list[Row]:
    """The first fit of a process, which has all extras and loads what they need."""
    from sklearn.datasets import make_classification
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    import autolog

    x, y = make_classification(300, 10, random_state=0)
    autolog.disable("sklearn")
    make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    autolog.enable("sklearn")
    autolog.start_run()
    spent = _median(lambda: make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y), 1)
    return [Row("the first fit of a process, all extras", f"{spent * 1000:.0f} ms")]


def _in_turn(action: Callable[[], object], times: int) -> tuple[float, float]:
    """Median CPU seconds, bare and recorded, in blocks that take turns."""
    import autolog

    found: dict[str, list[float]] = {"bare": [], "recorded": []}
    block = max(1, times // 10)
    for _ in range(max(3, times // block)):
        autolog.enable("sklearn")
        action()  # classes are watched at their first fit
        found["recorded"] += _spent(action, block)
        autolog.disable("sklearn")
        found["bare"] += _spent(action, block)
    autolog.enable("sklearn")
    return statistics.median(found["bare"]), statistics.median(found["recorded"])


def _median(action: Callable[[], object], times: int) -> float:
    return statistics.median(_spent(action, times))


def _spent(action: Callable[[], object], times: int) -> list[float]:
    spent: list[float] = []
    clock: Any = time.process_time
    for _ in range(times):
        begin = clock()
        action()
        spent.append(clock() - begin)
    return spent


def main() -> None:
    """Print the table."""
    import sklearn

    with tempfile.TemporaryDirectory(prefix="autolog-bench-") as folder:
        os.environ |= {"AUTOLOG_DIR": str(Path(folder) / "runs"), "AUTOLOG_DISABLE": "console", "AUTOLOG_SIDECAR": "0"}
        import autolog

        show(f"scikit-learn {sklearn.__version__}: CPU time in this process", [*first_fit(), *fits(), *calls()])
        autolog.finish()


if __name__ == "__main__":
    main()
