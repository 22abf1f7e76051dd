"""Seeds are read from the calls that set them; every generator gives exactly what it would give without."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from importlib.util import find_spec

import pytest

from tests.waiting import LONG


def _python(code: str, *needed: str, watched: bool = True) -> str:
    for module in needed:
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    start = "from autolog.capture import seeds\nundos = list(seeds.install())\n" if watched else ""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", start + textwrap.dedent(code)],
        env={**os.environ, "AUTOLOG": "off", "AUTOLOG_STRICT": "1", "KERAS_BACKEND": "torch", "PL_GLOBAL_SEED": "5"},
        capture_output=True, text=True, timeout=LONG, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_random() -> None:
    _python("""
    import copy, inspect, pickle, random
    original = type(random._inst).seed.__get__(random._inst)
    random.seed(3)
    random.seed("text")
    random.seed()
    random.seed(a=4, version=2)
    assert seeds.seeds() == {"random.seed": {
        "seed": 4, "order": 4, "calls": 4, "covers": [], "earlier": [3, "text", None]}}
    assert pickle.loads(pickle.dumps(random.seed)) is random.seed
    assert copy.deepcopy(random.seed) is random.seed
    assert inspect.signature(random.seed) == inspect.signature(original)
    try:
        random.seed([])
    except TypeError:
        pass
    else:
        raise AssertionError
    assert seeds.seeds()["random.seed"]["calls"] == 4  # what failed set nothing
    """)


def test_undo_restores_the_originals() -> None:
    _python(
        """
    import pickle, random, numpy.random
    before = [vars(random)["seed"], vars(numpy.random)["seed"], vars(numpy.random)["default_rng"]]
    from autolog.capture import seeds
    undos = list(seeds.install())
    assert not any(a is b for a, b in zip(before, [random.seed, numpy.random.seed, numpy.random.default_rng]))
    for function in (random.seed, numpy.random.seed, numpy.random.default_rng):
        assert pickle.loads(pickle.dumps(function)) is function
    for undo in undos: undo()
    assert all(a is b for a, b in zip(before, [random.seed, numpy.random.seed, numpy.random.default_rng]))
    random.seed(1)
    assert seeds.seeds() == {}
    """,
        "numpy",
        watched=False,
    )


def test_numpy() -> None:
    _python(
        """
    import numpy as np
    np.random.seed(7)
    np.random.default_rng()
    np.random.default_rng(8).normal()
    np.random.default_rng(seed=[1, 2])
    np.random.default_rng(np.random.default_rng(9))
    found = seeds.seeds()
    assert found["numpy.random.seed"]["seed"] == 7
    assert found["numpy.random.default_rng"]["seed"] == 9
    assert found["numpy.random.default_rng"]["earlier"] == [8, [1, 2]]
    """,
        "numpy",
    )


NUMBERS = """
    import random
    import numpy as np
    random.seed(1); np.random.seed(2); rng = np.random.default_rng(3)
    print([random.random() for _ in range(5)], np.random.rand(5).tolist(), rng.normal(size=5).tolist())
    print(hash(str(random.getstate())), np.random.get_state()[2])
"""


def test_the_numbers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    assert _python(NUMBERS, "numpy") == _python(NUMBERS, "numpy", watched=False)


def test_frameworks() -> None:
    """One process for all: importing them is what takes the time."""
    _python(
        """
    import torch
    assert torch.manual_seed is torch.random.manual_seed
    generator = torch.manual_seed(11)
    assert isinstance(generator, torch.Generator)
    torch.cuda.manual_seed_all(12)
    found = seeds.seeds()
    assert found["torch.manual_seed"]["seed"] == 11, found
    assert found["torch.cuda.manual_seed_all"]["seed"] == 12, found

    from lightning.pytorch import seed_everything
    told = []
    stop = seeds.listen(told.append)
    assert seed_everything(verbose=False) == 5  # from PL_GLOBAL_SEED
    stop()
    found = seeds.seeds()["lightning.seed_everything"]
    assert (found["seed"], found["calls"]) == (5, 1), found
    assert {"random.seed", "numpy.random.seed", "torch.manual_seed"} <= set(found["covers"]), found
    assert len(told) == 1 and list(told[0])[-1] == "lightning.seed_everything", told

    import transformers
    transformers.set_seed(21)
    found = seeds.seeds()["transformers.set_seed"]
    assert found["seed"] == 21 and "torch.manual_seed" in found["covers"], found

    import keras
    keras.utils.set_random_seed(31)
    found = seeds.seeds()["keras.utils.set_random_seed"]
    assert found["seed"] == 31 and "numpy.random.seed" in found["covers"], found
    assert seeds.seeds()["torch.manual_seed"]["calls"] == 1

    import lightning, pytorch_lightning
    pytorch_lightning.seed_everything(6, verbose=False)
    assert seeds.seeds()["lightning.seed_everything"]["earlier"] == [5]

    for undo in undos: undo()
    # torch._dynamo has put a function of its own around torch.manual_seed; that stays, and calls the original's rest.
    # transformers replaces its own module in sys.modules, so that the name in the one imported here stays; it sleeps.
    for function in (lightning.seed_everything, lightning.pytorch.seed_everything, pytorch_lightning.seed_everything,
                     transformers.trainer_utils.set_seed, keras.utils.set_random_seed, torch.random.manual_seed,
                     torch.cuda.manual_seed_all):
        assert not hasattr(function, "__autolog_original__"), function
    before = seeds.seeds()
    torch.manual_seed(77)
    assert seeds.seeds() == before and torch.initial_seed() == 77
    """,
        "torch",
        "lightning",
        "pytorch_lightning",
        "transformers",
        "keras",
    )


def test_frameworks_imported_before() -> None:
    _python(
        """
    import torch, random
    from autolog.capture import seeds
    undos = list(seeds.install())
    assert torch.manual_seed is torch.random.manual_seed
    torch.manual_seed(3)
    torch.random.manual_seed(4)
    assert seeds.seeds()["torch.manual_seed"]["seed"] == 4
    assert seeds.seeds()["torch.manual_seed"]["calls"] == 2
    for undo in undos: undo()
    assert torch.manual_seed is torch.random.manual_seed and not hasattr(torch.manual_seed, "__autolog_original__")
    """,
        "torch",
        watched=False,
    )


def test_workers_and_many_calls() -> None:
    _python("""
    import os, random, threading
    told = []
    seeds.listen(told.append)
    pid = os.fork()
    if pid == 0:
        random.seed(99)
        os._exit(len(told))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert seeds.seeds() == {}
    for number in range(1000):
        random.seed(number)
    found = seeds.seeds()["random.seed"]
    assert found["calls"] == 1000 and found["seed"] == 999
    assert found["earlier"] == list(range(899, 999))
    assert len(told) == 20
    """)


def test_generators_that_installed_packages_make_for_themselves_are_no_seeds(tmp_path):
    pytest.importorskip("numpy")
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "some_library.py").write_text("import numpy as np\nRNG = np.random.default_rng(12345)\n")
    code = """
import sys
sys.path.insert(0, sys.argv[1])
import autolog, some_library
import numpy as np
np.random.default_rng(3)
from autolog.capture.seeds import seeds
found = seeds()["numpy.random.default_rng"]
assert (found["seed"], found["calls"]) == (3, 1), found
"""
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
