"""Post-import hooks: modules are seen in any order, and look as if nobody had watched."""

import importlib
import importlib.util
import sys

import pytest

from autolog import imports


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "watched_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "part.py").write_text("VALUE = 1\n")
    (folder / "broken.py").write_text("raise OSError('mine')\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "watched_package"
    for name in [name for name in sys.modules if name.startswith("watched_package")]:
        del sys.modules[name]
    imports._waiting.clear()


def test_called_after_the_module_has_run(package):
    seen = []
    imports.when_imported(f"{package}.part", lambda module: seen.append(module.VALUE), "test")
    importlib.import_module(package)
    assert seen == []
    module = importlib.import_module(f"{package}.part")
    assert seen == [1]
    assert type(module.__loader__).__module__ == type(module.__spec__.loader).__module__ == "_frozen_importlib_external"
    assert module.__spec__.origin == module.__file__


def test_called_at_once_for_a_module_that_is_there(package):
    importlib.import_module(f"{package}.part")
    seen = []
    imports.when_imported(f"{package}.part", seen.append, "test")
    assert len(seen) == 1


def test_the_modules_own_error_passes(package):
    imports.when_imported(f"{package}.broken", lambda module: None, "test")
    with pytest.raises(OSError, match="mine"):
        importlib.import_module(f"{package}.broken")


def test_what_others_ask_of_the_spec_is_answered(package):
    imports.when_imported(f"{package}.part", lambda module: None, "test")
    spec = importlib.util.find_spec(f"{package}.part")
    assert spec.loader.get_source(f"{package}.part") == "VALUE = 1\n"
    assert spec.loader.is_package(f"{package}.part") is False
    assert importlib.util.find_spec("watched_package.absent") is None
