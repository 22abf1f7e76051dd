"""A search or cross-validation that is killed: the folds whose fits have ended are on record."""

import os
import signal
import subprocess
import sys
import threading
import time

from autolog.testing import Recording, recording
from tests.integrations.conftest import environment

SCRIPT = """
import signal, sys
import autolog
import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score


class Slow(LogisticRegression):
    def fit(self, X, y):
        if self.C == 3.0 or len(X) == 101:
            signal.pause()
        return super().fit(X, y)


X, Y = load_iris(return_X_y=True)
FOLDS = [(np.arange(0, 150, 2), np.arange(1, 150, 2)), (np.arange(1, 150, 2), np.arange(0, 150, 2))]
if sys.argv[1] == "folds":
    cross_val_score(Slow(), X, Y, cv=[*FOLDS, (np.arange(101), np.arange(101, 150))])
else:
    GridSearchCV(Slow(), {"C": [0.01, 1.0, 3.0, 4.0]}, cv=FOLDS, n_jobs=int(sys.argv[2])).fit(X, Y)
"""


def killed(tmp_path, done, *arguments, **variables) -> Recording:
    """The record of the script, killed with its workers as soon as ``done`` says so."""
    (tmp_path / "train.py").write_text(SCRIPT, "utf-8")
    process = subprocess.Popen(
        [sys.executable, "train.py", *arguments],
        cwd=tmp_path, env=environment(tmp_path, **variables), start_new_session=True, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    try:
        while not done(found := recording(tmp_path / "runs")):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline, found
            threading.Event().wait(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.stderr.close()
        process.wait()
    found = recording(tmp_path / "runs")
    assert not found.problems
    return found


def expected(parameters):
    """The folds' scores, in a process that nobody kills."""
    import numpy as np
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    x, y = load_iris(return_X_y=True)
    halves = [np.arange(0, 150, 2), np.arange(1, 150, 2)]
    return [
        [
            LogisticRegression(C=c).fit(x[one], y[one]).score(x[other], y[other])
            for one, other in (halves, reversed(halves))
        ]
        for c in parameters
    ]


def test_candidates_of_a_killed_search_with_workers(tmp_path):
    def two(found):
        return [child.status for child in found.children if child.kind == "candidate"][:2] == ["completed"] * 2

    search, *candidates = killed(tmp_path, two, "search", "2").children
    assert (search.kind, search.status) == ("fit", "running")
    assert [(child.name, child.params, child.parent) for child in candidates] == [
        ("candidate 0", {"C": 0.01}, search.id),
        ("candidate 1", {"C": 1.0}, search.id),
    ]
    assert [child.series("test_score") for child in candidates] == [
        list(enumerate(scores)) for scores in expected([0.01, 1.0])
    ]


def test_more_candidates_than_get_a_run(tmp_path):
    def rows(found):
        added = [record for record in found.records if getattr(record, "name", "") == "finished_candidates"]
        return [row for record in added for row in record.value]

    found = killed(tmp_path, lambda found: len(rows(found)) == 2, "search", "1", AUTOLOG_SEARCH_CANDIDATES="3")
    assert [child.kind for child in found.children] == ["fit"]
    first, second = expected([0.01, 1.0])
    assert rows(found) == [
        {"candidate": 0, "params": {"C": 0.01}, "test_score": first},
        {"candidate": 1, "params": {"C": 1.0}, "test_score": second},
    ]


def test_folds_of_a_killed_cross_validation(tmp_path):
    def two(found):
        return bool(found.children) and len(found.children[0].series("test_score")) == 2

    (child,) = killed(tmp_path, two, "folds").children
    assert (child.kind, child.status) == ("cross_validation", "running")
    assert child.series("test_score") == list(enumerate(*expected([1.0])))
    assert [step for step, _ in child.series("fit_time")] == [0, 1]
