"""The transparency harness: one training script, with and without autolog, as real processes.

``transparent(imports, body)`` runs the script with ``AUTOLOG=off`` (the truth), with autolog imported first, and with
autolog imported after the framework, and compares everything a program can observe. ``restores(...)`` watches every
attribute of a framework's modules and classes while an integration is switched on and off.

What a script leaves behind for the comparison:

- stdout, exit code, and the uncaught exception (type, message, cause and context types);
- the global ``weights``: arrays, numbers, bytes, text, and lists and dicts of these, hashed to the bit;
- states of the random generators of Python, numpy and torch (seeded after the imports), and other
  global states, read by the probe at exit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from autolog.testing import Recording, autolog_run, recording
from tests.waiting import LONG

__all__ = ["autolog_run"]  # fixtures are found by name in this module

PROBE = '''
"""Registered before autolog, so it reads the state after autolog has ended."""
import atexit, hashlib, json, logging, os, random, signal, sys, threading, warnings


def digest(value, into):
    if isinstance(value, dict):
        for key in value:
            into.update(repr(key).encode())
            digest(value[key], into)
    elif isinstance(value, (list, tuple)):
        for item in value:
            digest(item, into)
    elif hasattr(value, "dtype"):
        array = value.detach().cpu().numpy() if hasattr(value, "detach") else value
        into.update(f"{array.dtype} {array.shape}".encode())
        into.update(array.tobytes())
    else:
        into.update(value if isinstance(value, bytes) else repr(value).encode())
    return into.hexdigest()


def state():
    told = {
        "random": digest(random.getstate(), hashlib.sha256()),
        "filters": [repr(entry) for entry in warnings.filters],
        "handlers": [type(handler).__name__ for handler in logging.getLogger().handlers],
        "level": logging.getLogger().level,
        "threads": sorted(thread.name.rstrip("0123456789") for thread in threading.enumerate()),
        "cwd": os.getcwd(),
        "environment": {name: text for name, text in os.environ.items() if not name.startswith("AUTOLOG")},
        "signals": {number.name: repr(signal.getsignal(number)).split(" at ")[0] for number in signal.valid_signals()
                    if isinstance(number, signal.Signals)},
        "recursion": sys.getrecursionlimit(),
        "switch": sys.getswitchinterval(),
    }
    if "numpy" in sys.modules:
        import numpy
        told["numpy"] = digest(numpy.random.get_state(), hashlib.sha256())
        told["errors"] = numpy.geterr()
        told["print"] = repr(numpy.get_printoptions())
    if "torch" in sys.modules:
        import torch
        told["torch"] = digest(torch.get_rng_state(), hashlib.sha256())
        told["grad"] = torch.is_grad_enabled()
        told["dtype"] = str(torch.get_default_dtype())
        told["torch threads"] = torch.get_num_threads()
        told["deterministic"] = torch.are_deterministic_algorithms_enabled()
    if "matplotlib.pyplot" in sys.modules:
        told["figures"] = sys.modules["matplotlib.pyplot"].get_fignums()
    return told


def report():
    main = vars(sys.modules["__main__"])
    error = getattr(sys, "last_value", None)
    told = {
        "error": None if error is None else {
            "type": f"{type(error).__module__}.{type(error).__qualname__}", "message": str(error),
            "args": repr(error.args), "cause": repr(type(error.__cause__)), "context": repr(type(error.__context__)),
            "suppress": error.__suppress_context__, "notes": getattr(error, "__notes__", []),
        },
        "weights": digest(main["weights"], hashlib.sha256()) if "weights" in main else None,
        "state": state(),
    }
    with open(os.environ["PROBE_FILE"], "w") as file:
        json.dump(told, file)


def seed():
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


atexit.register(report)
'''

SNAPSHOT = '''
import sys, types


def snapshot(prefixes):
    """Every attribute of every loaded module of these packages, and of every class found there."""
    seen = {}
    for name, module in list(sys.modules.items()):
        if module is None or name.split(".")[0] not in prefixes:
            continue
        for key, value in list(vars(module).items()):
            seen[name, key] = value
            if isinstance(value, type) and value.__module__.split(".")[0] in prefixes:
                place = f"{value.__module__}:{value.__qualname__}"
                for attribute, content in list(vars(value).items()):
                    seen[place, attribute] = content
    return seen


def is_ours(value):
    value = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
    return isinstance(value, types.FunctionType) and "__autolog_original__" in vars(value)
'''


class Outcome(NamedTuple):
    """What one process did."""

    code: int
    stdout: str
    stderr: str
    told: dict[str, Any]
    recording: Recording
    """What autolog recorded; empty under ``AUTOLOG=off``."""


class Compared(NamedTuple):
    off: Outcome
    first: Outcome
    """``import autolog`` before the script's imports."""
    late: Outcome
    """``import autolog`` after the script's imports."""


def environment(directory: Path, **more: str) -> dict[str, str]:
    """The environment of a script: nothing of autolog's own from here, one thread, fixed hashes."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("AUTOLOG")}
    return kept | {
        "AUTOLOG_DIR": str(directory / "runs"),
        "AUTOLOG_STRICT": "1",
        "AUTOLOG_SIDECAR": "0",  # a test of each framework switches it on
        "PROBE_FILE": str(directory / "probe.json"),
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "KERAS_BACKEND": os.environ.get("KERAS_BACKEND", "torch"),
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        **more,
    }


def run_script(directory: Path, text: str, arguments: tuple[str, ...] = (), **more: str) -> Outcome:
    """Run a script as a process of its own, in a directory of its own."""
    directory.mkdir(parents=True)
    (directory / "probe.py").write_text(PROBE, "utf-8")
    (directory / "snapshot.py").write_text(SNAPSHOT, "utf-8")
    script = directory / "train.py"
    script.write_text("import probe\n" + text, "utf-8")
    done = subprocess.run(
        [sys.executable, script.name, *arguments],
        cwd=directory, env=environment(directory, **more), capture_output=True, text=True, timeout=LONG, check=False,
    )  # fmt: skip
    probe = directory / "probe.json"
    assert probe.exists(), f"the script did not reach its end:\n{done.stderr}"
    return Outcome(
        done.returncode, done.stdout, done.stderr, json.loads(probe.read_text()), recording(directory / "runs")
    )


def same(one: Outcome, other: Outcome) -> None:
    """Assert that a program could not tell the two apart."""
    assert other.told["error"] == one.told["error"], other.stderr
    assert other.code == one.code, other.stderr
    assert other.stdout == one.stdout
    assert other.told["weights"] == one.told["weights"]
    for name, value in one.told["state"].items():
        left = value.replace(str(one.recording.root.parent), "@") if name == "cwd" else value
        right = other.told["state"][name]
        right = right.replace(str(other.recording.root.parent), "@") if name == "cwd" else right
        if name == "environment":
            left, right = ({key: text for key, text in side.items() if key not in PLACES} for side in (left, right))
        assert right == left, f"global state {name!r} differs"


def outline(recorded: Recording) -> list[tuple[Any, ...]]:
    """What is on record of the child runs, whatever order several processes made them in.

    Without values, without ids, and without what autolog leaves out where time is short.
    """
    told = [
        (
            child.name, child.kind, child.parent is None, child.integration, child.status, child.params, child.sources,
            sorted(name for name in child.metric_names if not name.startswith("autolog/")), sorted(child.facts),
        )
        for child in recorded.children
    ]  # fmt: skip
    return sorted(told, key=repr)


@pytest.fixture(autouse=True)
def _nothing_is_pending():
    """What an earlier test of this process has backpropagated without a step is no part of the next one."""
    loop = sys.modules.get("autolog.integrations.torch_loop")
    if loop is not None:
        loop.forked()


SEED = "probe.seed()"
PLACES = {"PROBE_FILE", "PWD", "OLDPWD"}


@pytest.fixture
def transparent(tmp_path: Path) -> Callable[..., Compared]:
    """``transparent(imports, body, *arguments, **variables)``: run it three ways, compare, return the three.

    With autolog imported after everything that the program has imported, also by name, the record is the same.
    """

    def check(imports: str, body: str, *arguments: str, **variables: str) -> Compared:
        off = run_script(
            tmp_path / "off", f"import autolog\n{imports}\n{SEED}\n{body}", arguments, **variables, AUTOLOG="off"
        )
        assert not off.recording.records, "AUTOLOG=off recorded something"
        first = run_script(tmp_path / "first", f"import autolog\n{imports}\n{SEED}\n{body}", arguments, **variables)
        late = run_script(tmp_path / "late", f"{imports}\nimport autolog\n{SEED}\n{body}", arguments, **variables)
        same(off, first)
        same(off, late)
        assert outline(late.recording) == outline(first.recording)
        return Compared(off, first, late)

    return check


@pytest.fixture
def restores(tmp_path: Path) -> Callable[..., None]:
    """``restores("sklearn", packages=["sklearn"], imports=…, use=…)``: ``disable`` puts back the very originals.

    Both import orders; between switching on and off, ``use`` (a small training) runs.
    """

    def check(
        name: str, packages: list[str], imports: str, use: str, expect: list[str], counters: tuple[str, ...] = ()
    ) -> None:  # `counters`: attributes in which the framework counts its own registrations
        late = f"""
{imports}
from snapshot import snapshot
{use}
before = {{key: value for key, value in snapshot({packages!r}).items() if key[1] not in {counters!r}}}
import autolog
during = snapshot({packages!r})
touched = sorted(f"{{place}}.{{key}}" for (place, key), value in before.items()
                 if during.get((place, key)) is not value)
{use}
for turn in range(2):
    autolog.disable({name!r})
    after = snapshot({packages!r})
    for key, value in before.items():
        assert after.get(key) is value, f"not restored: {{key}}"
    left = [key for key in after if key not in before and key in during and key[1] not in {counters!r}]
    assert not left, "something was left behind"
    autolog.enable({name!r})
    again = snapshot({packages!r})
    assert touched == sorted(f"{{place}}.{{key}}" for (place, key), value in before.items()
                             if again.get((place, key)) is not value)
print(touched)
"""
        # Seeds are watched by a capture of their own, which stays on.
        done = run_script(tmp_path / "late", late, AUTOLOG_DISABLE="seeds")
        assert done.code == 0, done.stderr
        touched = done.stdout.splitlines()[-1]
        for place in expect:
            assert place in touched, f"{place} was not patched, only {touched}"
        first = f"""
import autolog
{imports}
from snapshot import is_ours, snapshot
{use}
ours = [key for key, value in snapshot({packages!r}).items() if is_ours(value)]
assert ours, "nothing was patched"
autolog.disable({name!r})
left = [key for key, value in snapshot({packages!r}).items() if is_ours(value)]
assert not left, left
recorded = autolog.current_run()
autolog.finish()
{use}
assert autolog.current_run() is None, "a disabled integration records"
"""
        done = run_script(tmp_path / "first", first, AUTOLOG_DISABLE="seeds")
        assert done.code == 0, done.stderr

    return check
