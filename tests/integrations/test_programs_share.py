"""Whose work a moment of a program is, as `python -m benchmarks.programs --share` tells it."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_validate

import autolog
from benchmarks.programs.share import SAMPLER

OURS = str(Path(autolog.__file__).parent) + "/"


@pytest.fixture
def owner(monkeypatch, tmp_path):
    """What the sampler says of a frame. It is loaded without being started."""
    monkeypatch.delenv("AUTOLOG_BENCH_SAMPLES", raising=False)
    spec = importlib.util.spec_from_file_location("benchmarks_sampler", SAMPLER / "sitecustomize.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sampler = module._Sampler(str(tmp_path / "samples"), (OURS,))
    return lambda: sampler.owner(sys._getframe(1), late=False)


def test_the_folds_of_a_cross_validation_are_the_programs_work(autolog_run, owner):
    owners = []

    def score(estimator, data, target):
        frame, above = sys._getframe(), set()
        while frame is not None:
            above.add(frame.f_code.co_filename.rpartition("/")[2])
            frame = frame.f_back
        owners.append((owner(), "sklearn_live.py" in above))
        return estimator.score(data, target)

    values = np.arange(12.0)
    cross_validate(Ridge(), values.reshape(-1, 1), values, cv=2, scoring=score)
    assert owners == [("", True), ("", True)]
    (judged,) = autolog_run.read().children
    assert len(judged.series("test_score")) == 2


def test_what_autolog_calls_for_itself_is_its_own_work(autolog_run, owner):
    owners = []

    class Value:
        shape = ()

        def item(self):
            owners.append(owner())
            return 1.0

    autolog.log_metric("loss", Value())
    assert owners
    assert all(owners)
    assert autolog_run.read().run.series("loss")[0][1] == 1.0
