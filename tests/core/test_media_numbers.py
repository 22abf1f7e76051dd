"""Which values a metric accepts, exactly, and what the error says for the others."""

import math
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autolog
from autolog.events import Metrics
from autolog.journal import read
from autolog.media.numbers import number

# The core is tested without the frameworks too; what is about their values needs them.
torch = pytest.importorskip("torch")
ml_dtypes = pytest.importorskip("ml_dtypes")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1),
        (True, 1),
        (1.5, 1.5),
        (np.float64(0.1), 0.1),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.float16(0.5), 0.5),
        (np.longdouble(1.5), 1.5),
        (np.int8(-3), -3),
        (np.uint64(7), 7),
        (np.bool_(True), 1),
        (np.array(2.0), 2.0),
        (np.array([[2]]), 2),
        (ml_dtypes.bfloat16(1.5), 1.5),
        (np.array([1.5], dtype=ml_dtypes.bfloat16), 1.5),
        (torch.tensor(1.5, requires_grad=True), 1.5),
        (torch.tensor([[2.5]], dtype=torch.bfloat16), 2.5),
        (torch.tensor(True), 1),
        (torch.tensor(7), 7),
        (torch.nn.Parameter(torch.ones(1)), 1.0),
        (Decimal("0.5"), 0.5),
        (Fraction(1, 3), 1 / 3),
        (2**63, float(2**63)),
        (2**200, float(2**200)),
    ],
    ids=repr,
)
def test_accepted(value, expected):
    result = number(value, "loss")
    assert type(result) in (int, float)
    assert type(result) is type(expected)
    assert result == expected


@given(st.integers(-(2**63), 2**63 - 1))
def test_64_bit_integers_are_exact(value):
    assert number(value) == value
    assert type(number(value)) is int


@pytest.mark.parametrize("value", [math.nan, np.float32("nan"), torch.tensor(math.nan), Decimal("nan"), np.ma.masked])
def test_nan_is_nan(value):
    assert math.isnan(number(value, "loss"))


@pytest.mark.parametrize("value", [math.inf, np.float16("inf"), torch.tensor(math.inf), Decimal("Infinity")])
def test_infinity_is_infinity(value):
    assert number(value, "loss") == math.inf
    assert number(-value, "loss") == -math.inf


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("0.5", "str '0.5'; give float(...)"),
        (b"0.5", "bytes"),
        (np.str_("0.5"), "str_"),
        (None, "nothing to record"),
        (1j, "abs()"),
        (np.complex64(1), "complex64"),
        (torch.tensor(1j), "torch.complex64; log its .real"),
        (np.array([1, 2]), "numpy.ndarray of shape (2,) and type int64; reduce it first, e.g. .mean()"),
        (torch.ones(2, 3), "torch.Tensor of shape (2, 3) and type torch.float32; reduce"),
        (torch.empty(0), "shape (0,)"),
        (torch.empty((), device="meta"), "torch.Tensor"),
        (pd.Series([1.0, 2.0]), "pandas"),
        ([1.0], "list of length 1"),
        ({"a": 1}, "log_metrics"),
        (print, "call it first"),
        (float, "call it first"),
        (object(), "given object"),
        (pd.NA, "NAType"),
        (np.datetime64("2020-01-01"), "datetime64"),
        (np.timedelta64(5, "s"), "divide it by a unit"),
        (Decimal("sNaN"), "Decimal"),
        (10**400, "larger than any float"),
        (np.array(None, dtype=object), "object"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_refused_with_a_reason(value, says):
    with pytest.raises(TypeError) as caught:
        number(value, "val/loss ü")
    assert "metric 'val/loss ü'" in str(caught.value)
    assert says in str(caught.value)


def test_long_text_is_not_repeated_in_the_error():
    with pytest.raises(TypeError) as caught:
        number("x" * 1_000_000, "loss")
    assert len(str(caught.value)) < 300


class _Eager:
    """As TensorFlow's eager tensors are: ``numpy()`` and ``shape``, no ``item()``."""

    shape = ()
    dtype = "tf.float32"

    def numpy(self):
        return np.float32(0.25)


class _Symbolic:
    shape = (None,)

    def numpy(self):
        raise NotImplementedError


def test_tensors_without_item():
    assert number(_Eager(), "loss") == 0.25
    with pytest.raises(TypeError, match="loss"):
        number(_Symbolic(), "loss")


def test_gradient_and_generator_are_untouched():
    tensor = torch.tensor(2.0, requires_grad=True)
    loss = tensor * 3
    state = torch.get_rng_state()
    number(loss, "loss")
    assert torch.equal(torch.get_rng_state(), state)
    loss.backward()
    assert tensor.grad == 3


def test_no_framework_is_imported():
    program = (
        "import sys; from autolog.media.numbers import number\nnumber(1.0)\nnumber(2)\n"
        "assert not {'numpy', 'torch', 'fractions'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_log_metric_takes_them_and_captured_metrics_never_raise(runs_dir):
    run = autolog.start_run()
    run.log_metric("a", torch.tensor(0.5, requires_grad=True), np.int64(3), epoch=torch.tensor(1))
    run.log_metrics({"b": np.float32("nan"), "c": Decimal("0.25"), "d": 2**70}, 1)
    for call in (run.log_metric, lambda name, value: run.log_metrics({name: value})):
        for wrong in ("0.5", None, [1.0], np.ones(2), 1j):
            with pytest.raises(TypeError, match="'bad'"):
                call("bad", wrong)
    run.captured_metrics({"bad": "text", "none": None, "many": torch.ones(3), "good": torch.tensor(1.5)}, 4)
    found = [
        (record.values, record.step, record.epoch)  # noqa: PD011  (a record's, no frame's)
        for record, _ in read(run.directory / "journal.jsonl")
        if isinstance(record, Metrics)
    ]
    assert found == [
        ({"a": 0.5}, 3, 1),
        ({"b": "NaN", "c": 0.25, "d": float(2**70)}, 1, None),
        ({"good": 1.5}, 4, None),
    ]
