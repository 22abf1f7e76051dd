"""The oldest and the latest supported version of each named framework, each in an environment of its own.

    python tests/frameworks/matrix.py                     # all of them
    python tests/frameworks/matrix.py keras-oldest -- -k fit    # one, with words for pytest
    python tests/frameworks/matrix.py --list

The versions are those that the integrations state in ``tested``; here stands only what they need beside them. A third
environment of each framework holds a version outside of that range: there training must be undisturbed, and
``autolog doctor`` must say so (outside.py). Environments are kept in ``.venv-frameworks/`` and made anew when their
requirements change; they share one installation of torch.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from autolog import plugins

REPOSITORY = Path(__file__).resolve().parents[2]
PLACE = REPOSITORY / ".venv-frameworks"
BASE = ("torch==2.13.0", "pytest>=8", "pytest-timeout>=2.3", "setuptools>=77,<81")
"""Shared by all: the big one, and what the tests themselves need. No numpy: old frameworks need an old one."""


class Framework(NamedTuple):
    """What is installed beside a framework's own distributions, and which tests are run there."""

    integrations: tuple[str, ...]
    tests: str
    """Glob below tests/integrations."""
    both: tuple[str, ...] = ()
    oldest: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    """What tests of the latest use with it and can do without; for the oldest, what goes with that one."""
    beside_oldest: tuple[str, ...] = ()
    outside: str = ""
    """A version that is not supported."""


FRAMEWORKS = {
    "sklearn": Framework(
        ("sklearn",), "test_sklearn*.py", both=("pandas",), oldest=("numpy<2", "pandas<3"), outside="1.2.2"
    ),
    "keras": Framework(
        ("keras",),
        "test_keras*.py",
        beside=("tensorflow-cpu", "jax"),
        beside_oldest=("tensorflow-cpu", "jax<0.5"),
        outside="3.0.5",
    ),
    "lightning": Framework(
        ("lightning", "pytorch_lightning"),
        "test_lightning*.py",
        both=("jsonargparse[signatures]", "tensorboard"),
        oldest=("numpy<2",),
        outside="2.0.9",
    ),
    "transformers": Framework(
        ("transformers",),
        "test_transformers*.py",
        both=("accelerate", "datasets"),
        beside=("optuna", "peft", "trl", "sentence-transformers"),
        beside_oldest=("optuna", "peft"),
        outside="4.40.2",
    ),
}


class Environment(NamedTuple):
    """One environment: its name, what is installed there, and the test files that are run."""

    name: str
    requirements: tuple[str, ...]
    tests: tuple[str, ...]


def environments() -> dict[str, Environment]:
    """All environments by name, from what the integrations state now."""
    made = []
    for name, framework in FRAMEWORKS.items():
        tests = tuple(sorted(str(path) for path in (REPOSITORY / "tests" / "integrations").glob(framework.tests)))
        both = framework.both
        found = [plugins.built_in(each) for each in framework.integrations]
        oldest = tuple(f"{each.distribution}=={each.tested[0]}.*" for each in found)
        latest = tuple(f"{each.distribution}=={each.tested[1]}.*" for each in found)
        outside = tuple(f"{each.distribution}=={framework.outside}" for each in found)
        foreign = (f"{Path(__file__).with_name('outside.py')}::test_{name}",)
        made += [
            Environment(f"{name}-oldest", (*oldest, *framework.beside_oldest, *both, *framework.oldest), tests),
            Environment(f"{name}-latest", (*latest, *framework.beside, *both), tests),
            Environment(f"{name}-outside", (*outside, *both, *framework.oldest), foreign),
        ]
    return {each.name: each for each in made}


def ready(name: str, requirements: tuple[str, ...], *, shared: Path | None = None) -> Path:
    """The interpreter of an environment that has these requirements; made where it is not there yet.

    Args:
        name: folder below ``.venv-frameworks``.
        requirements: for pip.
        shared: another environment, whose packages are found after its own.
    """
    folder = PLACE / name
    python, stamp = folder / "bin" / "python", folder / "requirements.txt"
    wanted = "\n".join([sys.version, *requirements])
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return python
    print(f"making {folder.relative_to(REPOSITORY)}: {' '.join(requirements)}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    if shared is not None:
        (packages,) = folder.glob("lib/python*/site-packages")
        (theirs,) = shared.glob("lib/python*/site-packages")
        (packages / "shared.pth").write_text(f"import site; site.addsitedir({str(theirs)!r})\n", "utf-8")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
    stamp.write_text(wanted, "utf-8")
    return python


class Outcome(NamedTuple):
    """How the tests of one environment ended."""

    name: str
    code: int
    versions: str
    told: str
    seconds: float


def run(environment: Environment, words: list[str]) -> Outcome:
    """Run the tests of one environment there."""
    ready("base", (*BASE, "--editable", str(REPOSITORY)))
    wanted = (*environment.requirements, "--editable", str(REPOSITORY))  # its own, for the command in its bin
    python = ready(environment.name, wanted, shared=PLACE / "base")
    versions = _versions(python, environment.requirements)
    print(f"\n== {environment.name}: {versions}", flush=True)
    # An old framework warns of what is new around it; only the latest has to be silent.
    warnings = [] if environment.name.endswith("-latest") else ["-o", "filterwarnings=default"]
    began = time.monotonic()
    with subprocess.Popen(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *warnings, *environment.tests, *words],
        cwd=REPOSITORY, env=_variables(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        last = ""
        for line in process.stdout or ():
            print(line, end="", flush=True)
            last = line.strip() or last
    return Outcome(environment.name, process.returncode, versions, last.strip("= "), time.monotonic() - began)


def _variables() -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("AUTOLOG", "PYTHONPATH"))}
    return {**kept, "KERAS_BACKEND": "torch", "HF_HUB_OFFLINE": "1"}


def _versions(python: Path, requirements: tuple[str, ...]) -> str:
    names = list(dict.fromkeys(re.split(r"[^\w.-]", each)[0] for each in (*requirements, "torch")))
    code = "import sys; from importlib.metadata import version\nfor name in sys.argv[1:]: print(name, version(name))"
    told = subprocess.run([python, "-c", code, *names], check=True, capture_output=True, text=True).stdout
    return ", ".join(told.splitlines())


def main() -> int:
    """The command; 0 where the tests of every chosen environment passed."""
    known = environments()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(known)}; or the beginning of some")
    parser.add_argument("--list", action="store_true", help="show the environments, run nothing")
    arguments = sys.argv[1:]
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    options, words = parser.parse_args(arguments[:cut]), arguments[cut + 1 :]
    chosen = [each for name, each in known.items() if name.startswith(tuple(options.names or [""]))]
    if not chosen:
        parser.error(f"no environment of that name; known: {', '.join(known)}")
    if options.list:
        for each in chosen:
            print(f"{each.name:<22} {' '.join(each.requirements)}")
        return 0
    outcomes = [run(each, words) for each in chosen]
    print()
    for each in outcomes:
        print(f"{'ok' if each.code == 0 else 'FAILED':<7} {each.name:<22} {each.told}\n{'':<30} {each.versions}")
    return int(any(each.code != 0 for each in outcomes))


if __name__ == "__main__":
    sys.exit(main())
