"""The checks of ``autolog doctor``. Each one tries the real thing and says what came of it; none raises."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from autolog import config, events, journal, plugins

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Finding",
    "directory",
    "errors_of_runs",
    "extras",
    "gpu",
    "integration",
    "integrations",
    "kernel",
]

_RUNS_LOOKED_AT = 20
_IMPORT_PATIENCE = 300.0


class Finding(NamedTuple):
    """One thing that was looked at: fine (``True``), broken (``False``) or neither (``None``), and in words."""

    name: str
    fine: bool | None
    text: str


def directory() -> Finding:
    """Whether runs can be written where they go. Creates nothing that stays."""
    root = config.runs_root()
    place = next(folder for folder in (root, *root.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
        free = shutil.disk_usage(place).free
    except OSError as error:
        return Finding("directory", False, f"{root} cannot be written: {error.strerror or error}")
    remark = "" if root.exists() else ", will be created by the first run"
    return Finding("directory", free > 100e6, f"{root} is writable, {free / 1e9:.1f} GB free{remark}")


def kernel() -> Finding:
    """Whether the kernel keeps how a process ended for those that are not its parent."""
    from autolog.sidecar.kernel import knows_exits

    if knows_exits():
        return Finding("pidfd", True, "this kernel keeps the exit information of ended processes")
    text = "this kernel keeps no exit information (Linux 6.15 does); zombies, `autolog run` and dumps are asked instead"
    return Finding("pidfd", None, text)


def gpu() -> Finding:
    """Whether NVML, and through it GPUs, can be used."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except ImportError as error:
        return Finding("GPU", False, f"the module pynvml is missing: {error}")
    except pynvml.NVMLError as error:
        return Finding("GPU", None, f"none usable: {error}")
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        names = ", ".join(str(pynvml.nvmlDeviceGetName(handle)) for handle in handles)
        return Finding("GPU", True, f"{names or 'no device'} (driver {pynvml.nvmlSystemGetDriverVersion()})")
    except pynvml.NVMLError as error:
        return Finding("GPU", False, f"NVML does not answer: {error}")
    finally:
        pynvml.nvmlShutdown()


def integrations(*, quick: bool) -> Iterator[Finding]:
    """Every integration: found version, tested range, and whether its patches hold when the framework is imported.

    Args:
        quick: Do not import the frameworks.
    """
    if not plugins.states():  # AUTOLOG=off
        plugins.install()
    for name, state in plugins.states().items():
        yield integration(name, state.entry, quick=quick)


def integration(name: str, entry: plugins.Entry, *, quick: bool) -> Finding:
    """One integration, see :func:`integrations`."""
    from importlib import import_module
    from importlib.util import find_spec

    if plugins.is_disabled(name):
        return Finding(name, None, "switched off by the setting disable")
    if find_spec(entry.module.partition(".")[0]) is None:
        return Finding(name, None, "not installed")
    module, _, attribute = entry.target.partition(":")
    try:
        found: plugins.Integration = getattr(import_module(module), attribute)
        version = _version(found.distribution)
    except Exception as error:
        return Finding(name, False, f"cannot be loaded: {type(error).__name__}: {error}")
    inside, text = _range(version, *found.tested)
    if quick:
        return Finding(name, inside or None, f"{text}; patched when {entry.module} is imported")
    status, detail = _try_import(name, entry.module)
    return Finding(name, (inside or None) if status == "patched" else False, f"{text}; {status}: {detail}")


def _range(version: str, low: str, high: str) -> tuple[bool, str]:
    """Whether a version is one that autolog is tested with, ``1.9.1`` being within ``1.9``, and in words."""
    found, oldest, newest = _numbers(version), _numbers(low), _numbers(high)
    tested = f"tested with {low}" if low == high else f"tested with {low} to {high}"
    if found[: len(oldest)] < oldest:
        return False, f"{version} is older than what autolog is {tested}"
    if found[: len(newest)] > newest:
        return False, f"{version} is newer than what autolog is {tested}"
    return True, f"{version}, {tested}"


_TRY = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
from autolog import guard, plugins
import autolog
importlib.import_module(sys.argv[2])
state = plugins.states()[sys.argv[1]]
errors = [failure.error for failure in guard.failures().values()]
print("\\n" + json.dumps([state.status, "; ".join([state.detail, *errors])]))
"""


def _try_import(name: str, module: str) -> tuple[str, str]:
    environment = {**os.environ, "AUTOLOG_STRICT": "0"}
    environment.pop("AUTOLOG", None)
    backend = _keras_backend()
    if backend:
        environment.setdefault("KERAS_BACKEND", backend)
    try:
        result = subprocess.run(
            [sys.executable, "-c", _TRY, name, module], capture_output=True, text=True, env=environment,
            timeout=_IMPORT_PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "unknown", f"importing {module} took more than {_IMPORT_PATIENCE:.0f} s"
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or [f"exit code {result.returncode}"]
        return "not patched", f"importing {module} failed: {lines[-1]}"
    status, detail = json.loads(result.stdout.strip().splitlines()[-1])
    return str(status), str(detail)


def _keras_backend() -> str | None:
    """A backend that Keras can be imported with: its default is TensorFlow, installed or not."""
    from importlib.util import find_spec

    return next((name for name in ("tensorflow", "torch", "jax") if find_spec(name)), None)


def _version(distribution: str) -> str:
    from importlib import metadata

    return metadata.version(distribution)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])


def extras() -> Iterator[Finding]:
    """The extras of the package: which of their distributions are missing."""
    from importlib import metadata

    wanted: dict[str, list[str]] = {}
    for requirement in metadata.requires("autolog") or ():
        extra = re.search(r"extra == [\"']([\w-]+)[\"']", requirement)
        distribution = re.match(r"[\w.-]+", requirement)
        if extra and distribution and extra[1] not in ("dev", "frameworks"):
            wanted.setdefault(extra[1], []).append(distribution[0])
    for name, distributions in wanted.items():
        missing = [each for each in distributions if not _installed(each)]
        text = f"missing {', '.join(missing)}: pip install 'autolog[{name}]'" if missing else "installed"
        yield Finding(f"autolog[{name}]", None if missing else True, text)


def _installed(distribution: str) -> bool:
    from importlib import metadata

    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def errors_of_runs() -> Iterator[Finding]:
    """What failed inside autolog, or was lost, in the newest runs: their ``health`` records."""
    root = config.runs_root()
    runs = sorted(root.glob("*/*/journal.jsonl"), key=lambda path: path.parent.name, reverse=True)[:_RUNS_LOOKED_AT]
    for path in runs:
        counts: dict[tuple[str, str], tuple[int, str]] = {}
        for record in _health(path.parent):
            if record.kind in ("error", "lost"):
                known, _ = counts.get((record.kind, record.where), (0, ""))
                counts[record.kind, record.where] = (known + record.count, record.detail)
        for (kind, where), (count, detail) in counts.items():
            first = (detail.strip().splitlines() or [""])[-1]
            yield Finding(path.parent.name, False, f"{kind} in {where}, {count} times: {first}")


def _health(run: Path) -> Iterator[events.Health]:
    """Only these lines are decoded: a journal may hold millions of others."""
    for path in journal.journals(run):
        with path.open("rb") as lines:
            for line in lines:
                if line.startswith(b'{"type":"health"') and line.endswith(b"\n"):
                    record = events.decode(line)
                    if isinstance(record, events.Health):
                        yield record
