"""How numbers, times and facts are written for people."""

import math

import pytest

from autolog.cli import facts, text


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (None, ""), (3, "3"), (0.1 + 0.2, "0.3"), (1e-05, "1e-05"), (98765.4321, "98765"), (1.5e9, "1.5e+09"),
        (math.nan, "NaN"), (math.inf, "inf"), (-math.inf, "-inf"), (10**30, str(10**30)),
    ],
)  # fmt: skip
def test_numbers(amount, written):
    assert text.number(amount) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(None, ""), (0.421, "0.42s"), (59.96, "60.0s"), (245, "4m 05s"), (11545, "3h 12m"), (187200, "2d 04h")],
)
def test_durations(seconds, written):
    assert text.duration(seconds) == written


@pytest.mark.parametrize(
    ("past", "written"), [(0.2, "now"), (12, "12s ago"), (300, "5m ago"), (7200, "2h ago"), (86400 * 6, "6d ago")]
)
def test_times_past(past, written):
    assert text.ago(1e9, 1e9 + past) == written


def test_a_time_long_past_is_a_date():
    assert text.ago(1e9, 1.5e9).startswith("2001-09-")


def test_what_is_cut_keeps_both_ends():
    assert text.shorten("validation/accuracy_top5", 11) == "valid…_top5"
    assert text.shorten("two\nlines", 20) == "two lines"


def test_facts_become_lines():
    lines = facts.lines(
        {
            "command": {"argv": ["train.py", "--name", "a b"], "entry": {"kind": "script"}},
            "git": {"commit": "0123456789abcdef", "branch": "main", "dirty": True, "remote": "https://host/x.git"},
            "packages": {"numpy": "2.0"},
            "gpus": [{"name": "H200"}, {"name": "H200"}],
            "host": {"name": "node7", "user": "ann", "os": "Debian 12", "cpus_usable": 8, "memory": 64e9},
            "seeds": [1],
        }
    )
    assert lines["command"] == "python train.py --name 'a b'"
    assert lines["git"] == "0123456789ab on main, with uncommitted changes, https://host/x.git"
    assert lines["packages"].startswith("1 installed")
    assert lines["host"] == "ann@node7, Debian 12, 8 CPUs, 64.0 GB memory"
    assert lines["GPUs"] == "2 × H200"  # noqa: RUF001  (a sign for people)
    assert "seeds" not in lines
    assert facts.rest({"seeds": [1], "git": {}}) == {"seeds": [1]}


@pytest.mark.parametrize("odd", ["a text", 3, ["a", "list"], {"other": "keys"}])
def test_facts_of_another_shape_are_shown_as_they_are(odd):
    assert set(facts.lines(dict.fromkeys(("command", "git", "python", "host", "gpus"), odd)))
