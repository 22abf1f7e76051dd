"""Whatever a person puts into a configuration comes out as plain JSON that says the same."""

import argparse
import collections
import dataclasses
import datetime as dt
import enum
import functools
import json
import math
import subprocess
import sys
import types
import uuid
from decimal import Decimal
from pathlib import Path, PurePosixPath

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autolog.media.jsonable import flatten, jsonable

# The core is tested without the frameworks too; what is about their values needs them.
torch = pytest.importorskip("torch")
attrs = pytest.importorskip("attrs")
pydantic = pytest.importorskip("pydantic")


class Colour(enum.Enum):
    RED = object()
    BLUE = "blue"


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Optimizer:
    lr: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)


@attrs.define
class Attrs:
    width: int = 4


class Struct(msgspec.Struct):
    depth: int = 2


class Model(pydantic.BaseModel):
    layers: int = 3
    optimizer: Optimizer = Optimizer()
    key: pydantic.SecretStr = pydantic.SecretStr("hunter2")


Point = collections.namedtuple("Point", "x y")  # noqa: PYI024  (both kinds of named tuple are in use)


def train(): ...


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)  # fmt: skip


@given(json_values)
def test_plain_json_stays_as_it_is(value):
    result = jsonable(value)
    assert result == value
    assert json.loads(msgspec.json.encode(result)) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        (np.float32("inf"), "Infinity"),
        (2**64, "18446744073709551616"),
        (10**30_000, hex(10**30_000)),
        (np.float64(0.5), 0.5),
        (np.int8(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.datetime64("2026-01-02"), "2026-01-02"),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (np.array(math.nan), "NaN"),
        (torch.tensor([1.0, math.inf], requires_grad=True), [1.0, "Infinity"]),
        (torch.tensor(2), 2),
        (torch.float32, "torch.float32"),
        (torch.device("cpu"), "cpu"),
        (torch.Size([2, 3]), [2, 3]),
        (np.dtype("float32"), "float32"),
        (np.float32, "numpy.float32"),
        (Decimal("0.5"), 0.5),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("/data/x"), "/data/x"),
        (b"\x00a", "b'\\x00a'"),
        ((1, (2,)), [1, [2]]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a"}), ["a", "b"]),
        (collections.deque([1, 2]), [1, 2]),
        (Point(1, 2), {"x": 1, "y": 2}),
        (Colour.BLUE, "blue"),
        (Colour.RED, "Colour.RED"),
        (Level.HIGH, 3),
        (Optimizer(), {"lr": 0.1, "betas": [0.9, 0.999]}),
        (Attrs(), {"width": 4}),
        (Struct(), {"depth": 2}),
        (argparse.Namespace(a=1), {"a": 1}),
        (types.SimpleNamespace(a=1), {"a": 1}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        ({1: "a", None: "b", (1, 2): "c"}, {"1": "a", "None": "b", "[1, 2]": "c"}),
        ({1: "a", "1": "b"}, {"1": "a", "1#2": "b"}),
        (len, "len"),
        (dict, "dict"),
        (collections.OrderedDict, "collections.OrderedDict"),
        (torch.nn.Linear, "torch.nn.modules.linear.Linear"),
        (range(3), "range(0, 3)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_converted(value, expected):
    result = jsonable(value)
    assert result == expected
    assert type(result) is type(expected)
    json.dumps(result, allow_nan=False)


def test_functions_and_partials_by_name():
    assert jsonable(train).endswith("test_media_jsonable.train")
    partial = jsonable(functools.partial(train, 1, b=2))
    assert partial["args"] == [1]
    assert partial["keywords"] == {"b": 2}
    assert partial["function"].endswith("train")


def test_pydantic_keeps_its_secrets():
    result = jsonable(Model())
    assert result["layers"] == 3
    assert result["optimizer"] == {"lr": 0.1, "betas": [0.9, 0.999]}
    assert "hunter2" not in json.dumps(result)


def test_a_text_of_one_megabyte_is_exact_and_more_is_cut_and_says_so():
    exact = "é" * 2**20
    assert jsonable(exact) == exact
    assert jsonable({"a": [exact]})["a"] == [exact]
    cut = jsonable(exact + "x")
    assert cut.endswith("(1048577 characters in all)")
    assert len(cut) < 2**20 + 100


def test_the_whole_is_bounded():
    wide = jsonable(list(range(1_000_000)))
    assert len(wide) <= 100_001
    assert wide[:3] == [0, 1, 2]
    assert wide[-1] == f"… {1_000_000 - len(wide) + 1} more"
    assert sum(map(len, jsonable(["x" * 2**20] * 100))) < 20 * 2**20
    many = jsonable({str(i): i for i in range(200_000)})
    assert many["…"].endswith(" more")


def test_large_arrays_say_shape_dtype_and_range():
    text = jsonable(np.arange(1000, dtype=np.float32).reshape(10, 100))
    assert text == "numpy.ndarray(shape=(10, 100), dtype=float32, min=0, max=999, mean=499.5)"
    assert jsonable(torch.zeros(100, 2)) == "torch.Tensor(shape=(100, 2), dtype=torch.float32)"
    meta = torch.zeros(2, device="meta")
    assert jsonable(meta) == "torch.Tensor(shape=(2,), dtype=torch.float32, device=meta)"
    frame = jsonable(pd.DataFrame({"a": [1], "b": [2]}))
    assert frame.endswith("DataFrame(shape=(1, 2), columns=[a, b])")


def test_cycles_and_depth_end():
    loop = [1]
    loop.append(loop)
    assert jsonable(loop) == [1, "<list that contains itself>"]
    shared = [1]
    assert jsonable([shared, shared]) == [[1], [1]]
    deep = []
    for _ in range(5000):
        deep = [deep]
    assert "nested deeper than 40" in json.dumps(jsonable(deep))


class Broken:
    def __repr__(self):
        raise RuntimeError("no")


class BrokenMapping(dict):
    def items(self):
        raise RuntimeError("no")


class Property:
    @property
    def secret(self):
        raise AssertionError("a property was run")


def test_never_raises():
    assert "its repr raised RuntimeError" in jsonable(Broken())
    assert jsonable({"a": Broken(), "b": 1})["b"] == 1
    assert jsonable(BrokenMapping(a=1)) == "{'a': 1}"
    assert " at 0x" not in jsonable(Property())
    assert jsonable("\udc80ok") == "\\udc80ok"
    json.dumps(jsonable({"\udc80": Path("\udc80")})).encode()


def test_iterators_are_not_consumed_and_nothing_is_changed():
    numbers = iter([1, 2, 3])
    jsonable({"data": numbers})
    assert list(numbers) == [1, 2, 3]
    array = np.full(100, np.nan)
    with np.errstate(all="raise"):
        jsonable(array)
        assert np.geterr()["invalid"] == "raise"


def test_warnings_of_numbers_do_not_reach_the_user():
    assert "max=inf" in jsonable(np.array([np.inf, -np.inf] * 100))
    assert "shape=(1000,)" in jsonable(np.full(1000, 60000, dtype=np.float16))


def test_flatten():
    assert flatten({"a": {"b": 1, "c": {"d": [1, 2]}}, "e": {}, "f": Optimizer()}) == {
        "a.b": 1,
        "a.c.d": [1, 2],
        "e": {},
        "f.lr": 0.1,
        "f.betas": [0.9, 0.999],
    }


def test_flatten_keeps_both_of_two_equal_names():
    assert flatten({"a.b": 1, "a": {"b": 2}}) == {"a.b": 1, "a.b#2": 2}
    assert flatten({}) == {}
    assert flatten({1: {2: 3}}) == {"1.2": 3}


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), json_values))
def test_flatten_loses_no_leaf(value):
    def leaves(part):
        return sum(map(leaves, part.values())) if isinstance(part, dict) and part else 1

    assert len(flatten(value)) == (leaves(value) if value else 0)


def test_no_library_is_imported():
    program = (
        "import sys, collections; from autolog.media.jsonable import jsonable\n"
        "jsonable({'a': [1, {2}, print, object(), range(3), collections.OrderedDict(a=1)]})\n"
        "heavy = {'numpy', 'torch', 'dataclasses', 'pydantic', 'omegaconf', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_omegaconf_resolves_references_but_runs_no_resolver():
    omegaconf = pytest.importorskip("omegaconf")
    make = omegaconf.OmegaConf.create
    config = make({"base": {"lr": 0.1}, "lr": "${base.lr}", "missing": "???", "list": [1, "${lr}"]})
    assert jsonable(config) == {"base": {"lr": 0.1}, "lr": 0.1, "missing": "???", "list": [1, 0.1]}
    assert jsonable(make({"now": "${now:%H}", "a": 1})) == {"now": "${now:%H}", "a": 1}
    assert jsonable(make({"bad": "${nowhere}"})) == {"bad": "${nowhere}"}
    assert jsonable(make([1, 2])) == [1, 2]
