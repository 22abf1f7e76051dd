"""The harness itself must see a difference where there is one."""

import pytest

SEEDED = "import random\nrandom.seed(1)"
OFF = "autolog.current.is_off()"


def test_same_script_is_same(transparent):
    compared = transparent(SEEDED, "print(random.random())\nweights = [1, 2]\nautolog.log_metric('x', 1)")
    assert compared.off.code == 0
    assert compared.off.told["weights"]
    for outcome in (compared.first, compared.late):
        assert outcome.recording.run.series("x") == [(0, 1.0)]


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (f"print({OFF})", "True"),
        (f"{OFF} or random.random()", "global state 'random' differs"),
        (f"weights = [{OFF}]", "assert '"),
        (f"raise ValueError({OFF})", "ValueError"),
        (f"raise KeyError(1) if {OFF} else ValueError(1)", "KeyError"),
        (f"raise SystemExit(int({OFF}))", "assert 0 == 1"),
        (f"import warnings; {OFF} or warnings.simplefilter('ignore')", "global state 'filters' differs"),
    ],
    ids=["stdout", "random", "weights", "message", "exception", "exit code", "filters"],
)
def test_differences_are_seen(transparent, body, seen):
    with pytest.raises(AssertionError) as caught:
        transparent(SEEDED, body)
    assert seen in str(caught.value)
