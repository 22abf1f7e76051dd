"""What `make test-frameworks` tests is what the integrations say they are tested with."""

import importlib.util
import sys
from pathlib import Path

import pytest

from autolog import plugins
from autolog.cli.doctor_checks import _range

_SPEC = importlib.util.spec_from_file_location("matrix", Path(__file__).with_name("matrix.py"))
matrix = sys.modules["matrix"] = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(matrix)
ENVIRONMENTS = matrix.environments()


def test_the_named_four_have_an_oldest_a_latest_and_one_outside():
    named = ("sklearn", "keras", "lightning", "transformers")
    assert list(ENVIRONMENTS) == [f"{name}-{which}" for name in named for which in ("oldest", "latest", "outside")]
    covered = {each for framework in matrix.FRAMEWORKS.values() for each in framework.integrations}
    # torch is pinned, and every environment has it; the rest stands on the named ones.
    assert {"sklearn", "keras", "lightning", "pytorch_lightning", "transformers"} <= covered


@pytest.mark.parametrize("name", ["sklearn", "keras", "lightning", "pytorch_lightning", "transformers"])
def test_the_versions_are_those_the_integration_states(name):
    integration = plugins.built_in(name)
    (framework,) = [key for key, each in matrix.FRAMEWORKS.items() if name in each.integrations]
    low, high = integration.tested
    assert f"{integration.distribution}=={low}.*" in ENVIRONMENTS[f"{framework}-oldest"].requirements
    assert f"{integration.distribution}=={high}.*" in ENVIRONMENTS[f"{framework}-latest"].requirements
    outside = matrix.FRAMEWORKS[framework].outside
    assert f"{integration.distribution}=={outside}" in ENVIRONMENTS[f"{framework}-outside"].requirements
    assert not _range(outside, low, high)[0]


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_there_is_something_to_run_in_each(environment):
    assert environment.tests
    for path in environment.tests:
        file, _, test = path.partition("::")
        assert f"def {test}" in Path(file).read_text("utf-8")
