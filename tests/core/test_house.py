"""The house: imports go one way, the packages are listed, names are true, and the import is light."""

import ast
import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import autolog

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
HEAVY = (
    "requests", "pyarrow", "sqlalchemy", "rich", "typer", "psutil", "pynvml", "numpy", "torch", "keras", "sklearn",
    "pandas", "lightning", "transformers", "wrapt", "asyncio", "autolog.store", "autolog.server", "autolog.backends",
)  # fmt: skip

# What each part may import of autolog. Below a part's own line stands everything it knows of.
BOTTOM = {"events", "config", "guard", "naming", "imports", "version", "discovery", "saying"}
ALLOWED = {
    "events": set(),
    "config": {"saying"},
    "saying": set(),
    "naming": set(),
    "captures": set(),
    "credentials": set(),
    "command": set(),
    "version": set(),
    "discovery": set(),
    "guard": {"config"},
    "imports": {"guard"},
    "journal": {"events", "saying"},
    "patching": {"guard"},
    "job": set(),
    "process": {"config", "events", "job"},
    "claim": {"events", "job", "journal", "naming", "process"},
    "recorder": {"events", "capture"},
    "metrics": BOTTOM | {"patching", "recorder", "media"},
    "words": BOTTOM | {"recorder", "media", "capture"},
    "media": BOTTOM | {"journal", "recorder"},
    "backend": {"events"},
    "plugins": BOTTOM | {"patching", "backend"},
    "children": set(),
    "run": BOTTOM | {"children", "journal", "recorder", "metrics", "words", "media", "capture"},
    "opening": BOTTOM | {"claim", "journal", "run", "process", "capture"},
    "current": BOTTOM | {"claim", "opening", "journal", "run", "process", "patching", "capture"},
    "api": {"current", "run"},
    "capture": BOTTOM | {"journal", "run", "media", "patching", "plugins", "process", "current", "sidecar"},
    "workers": BOTTOM | {"current", "opening", "capture", "patching", "plugins", "process", "run"},
    "startup": BOTTOM | {"current", "capture", "patching", "plugins", "process", "workers"},
    "integrations": BOTTOM | {"run", "patching", "plugins", "current", "media", "process", "captures"},
    "backends": BOTTOM | {"journal", "plugins", "credentials", "store"},
    "sidecar": BOTTOM | {"journal", "plugins", "process", "run", "capture", "store", "backends"},
    "store": BOTTOM | {"journal", "media", "process"},
    "cli": BOTTOM
    | {
        "journal",
        "plugins",
        "process",
        "capture",
        "store",
        "sidecar",
        "patching",
        "boot",
        "captures",
        "server",
        "credentials",
        "backends",
    },
    "server": BOTTOM | {"journal", "store"},
    "boot": {"guard"},
    "testing": BOTTOM | {"journal", "run", "current", "patching", "plugins", "store", "captures"},
}


def modules():
    for folder in ("autolog", "integrations", "backends"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            linked = folder == "autolog" and parts[1] in ("integrations", "backends")
            if not linked and (path.name != "__init__.py" or len(parts) == 3):
                yield path, parts[1] if folder == "autolog" else folder


def imported(path):
    """Names of autolog's parts that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "autolog" else [node.module]
            )
        else:
            continue
        for name in names:
            if name.startswith("autolog."):
                yield name.split(".")[1]


@pytest.mark.parametrize(("path", "part"), list(modules()), ids=lambda value: str(value).replace(str(ROOT) + "/", ""))
def test_imports_go_one_way(path, part):
    known = ALLOWED[part] | {part}
    assert {name for name in imported(path) if name not in known} == set()


def test_packages_are_the_folders():
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    found = {"autolog", "autolog.integrations", "autolog.backends"}
    for path in (ROOT / "autolog").rglob("__init__.py"):  # links are not followed
        found.add(".".join(path.parent.relative_to(ROOT).parts))
    assert set(setup["packages"]) == found
    for name in ("integrations", "backends"):
        assert (ROOT / "autolog" / name).readlink() == Path(f"../{name}")
        assert setup["package-dir"][f"autolog.{name}"] == name


def every_module():
    for found in pkgutil.walk_packages(autolog.__path__, "autolog."):
        if not found.name.endswith(("__main__", "sitecustomize", "migrations.env")) and "boot" not in found.name:
            yield found.name


@pytest.mark.parametrize("name", ["autolog", *every_module()])
def test_all_is_true(name):
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", None)
    if listed is None:
        assert not [
            key
            for key, value in vars(module).items()
            if getattr(value, "__module__", None) == name and not key.startswith("_")
        ]
        return
    assert len(set(listed)) == len(listed)
    lazy = "__getattr__" in vars(module)  # classes of frameworks, made when they are asked for
    assert [key for key in listed if key not in vars(module) and not lazy] == []
    public = {
        key for key, value in vars(module).items()
        if getattr(value, "__module__", None) == name and not key.startswith("_")
        and (isinstance(value, type) or callable(value))
    }  # fmt: skip
    assert public - set(listed) == set()


def test_importing_autolog_is_light():
    code = f"import sys, autolog; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_recording_process_stays_light(tmp_path):
    code = f"""
import sys, autolog
autolog.log_metric("loss", 1.0)
autolog.log_params({{"lr": 0.1}})
with autolog.child_run("fit"):
    autolog.log_text("t", "x")
autolog.finish()
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    environment = {**os.environ, "AUTOLOG_DIR": str(tmp_path), "AUTOLOG_SIDECAR": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"


def test_a_bare_checkout_works(tmp_path):
    """The links make `PYTHONPATH=<checkout>` enough, without an installation."""
    code = "import autolog.integrations, autolog.backends.local; print(autolog.backends.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=tmp_path
    )
    assert Path(done.stdout.strip()).is_relative_to(ROOT)


def test_files_hold_one_idea():
    long = {}
    for path, _ in modules():
        lines = len(path.read_text("utf-8").splitlines())
        if lines > 330:
            long[str(path)] = lines
    assert long == {}
