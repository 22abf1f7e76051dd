"""The wheel holds what the folders hold, each file once, and works where only the base dependencies are."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {"autolog": ROOT / "autolog"} | {f"autolog/{name}": ROOT / name for name in ("integrations", "backends")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel, built without network from a copy of the sources (setuptools leaves a build folder behind)."""
    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("setuptools is not installed here")
    folder = tmp_path_factory.mktemp("packaging")
    source = folder / "source"
    skipped = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("autolog", "integrations", "backends"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=skipped)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", build, str(folder)], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_every_file_once(wheel):
    static = ROOT / "autolog" / "server" / "static"
    expected = {"autolog/py.typed"}
    expected |= {path.relative_to(ROOT).as_posix() for path in static.rglob("*") if path.is_file()}
    for place, folder in FOLDERS.items():
        for path in folder.rglob("*.py"):
            inside = path.relative_to(folder)
            if not (place == "autolog" and inside.parts[0] in ("integrations", "backends")):
                expected.add(f"{place}/{inside.as_posix()}")
    names = zipfile.ZipFile(wheel).namelist()
    assert len(set(names)) == len(names)
    assert {name for name in names if ".dist-info/" not in name} == expected


def test_the_wheel_says_what_it_is(wheel):
    archive = zipfile.ZipFile(wheel)
    (folder,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
    about = Parser().parsestr(archive.read(f"{folder}/METADATA").decode())
    assert about["Name"] == "autolog"
    assert about["License-Expression"] == "Apache-2.0"
    assert f"{folder}/licenses/LICENSE" in archive.namelist()
    assert "autolog = autolog.cli.main:main" in archive.read(f"{folder}/entry_points.txt").decode()
    base = {line.split(">")[0] for line in about.get_all("Requires-Dist") if "extra ==" not in line}
    assert base == {"wrapt", "msgspec", "psutil", "nvidia-ml-py", "requests", "tomli"}


def test_the_wheel_records_without_the_extras(wheel, tmp_path):
    """Unpacked beside the base dependencies alone: it records, and says what is missing."""
    place = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(place)
    site = Path(sysconfig.get_paths()["purelib"])
    for name in ("msgspec", "wrapt", "psutil"):
        (place / name).symlink_to(site / name)
    (tmp_path / "train.py").write_text("import autolog\nautolog.log_metric('loss', 0.5)\nprint(autolog.__file__)\n")
    environment = {name: text for name, text in os.environ.items() if not name.startswith("AUTOLOG")}
    environment |= {"AUTOLOG_DIR": str(tmp_path / "runs"), "PYTHONPATH": str(place), "AUTOLOG_SIDECAR": "0"}

    def python(*words):
        # -S: nothing of this environment's site-packages.
        return subprocess.run(
            [sys.executable, "-S", *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    done = python("train.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert Path(done.stdout.strip()).is_relative_to(place)
    assert len(list((tmp_path / "runs").glob("*/*/journal.jsonl"))) == 1
    listed = python("-m", "autolog.cli", "ls")
    assert (listed.returncode, listed.stdout) == (1, "")
    assert "pip install 'autolog[ui]'" in listed.stderr
    assert "Traceback" not in listed.stderr
