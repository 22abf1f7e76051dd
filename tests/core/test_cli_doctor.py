"""`autolog doctor` tries the real things."""

import json
import os
import subprocess
import sys

import pytest

from autolog import events as e
from autolog import plugins


def doctor(root, *words, **environment):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AUTOLOG_")}
    return subprocess.run(
        [sys.executable, "-m", "autolog.cli", "doctor", "--json", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env={**inherited, "AUTOLOG_DIR": str(root / "runs"), **environment},
    )


def findings(result):
    assert result.stderr == ""
    sections = json.loads(result.stdout)
    return {title: {each["name"]: each for each in entries} for title, entries in sections.items()}


def test_a_sound_installation(tmp_path):
    result = doctor(tmp_path, "--quick")
    found = findings(result)
    for name in ("directory", "recording", "sidecar"):
        assert found["This machine"][name]["fine"] is True
    assert found["Settings"]["dir"]["text"].endswith("from environment")
    assert found["Extras"]["autolog[ui]"]["fine"] is True
    assert result.returncode == 0
    assert not (tmp_path / "runs").exists()  # it leaves nothing behind


def test_an_integration_is_tried_for_real(tmp_path):
    pytest.importorskip("sklearn")
    others = "keras,lightning,pytorch_lightning,transformers"
    found = findings(doctor(tmp_path, AUTOLOG_DISABLE=others))["Integrations"]
    assert "patched" in found["sklearn"]["text"]
    assert found["sklearn"]["fine"] is True
    assert found["keras"]["text"] == "switched off by the setting disable"


@pytest.mark.parametrize(("version", "word"), [("0.1.2", "older"), ("1.99.0.post1", "newer")])
def test_a_version_outside_of_what_is_tested_is_said(tmp_path, version, word):
    pytest.importorskip("sklearn")
    info = tmp_path / "path" / f"scikit_learn-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: scikit-learn\nVersion: {version}\n")
    others = "keras,lightning,pytorch_lightning,transformers,torch"
    result = doctor(tmp_path, AUTOLOG_DISABLE=others, PYTHONPATH=str(info.parent))
    found = findings(result)["Integrations"]["sklearn"]
    low, high = plugins.built_in("sklearn").tested
    assert found["text"].startswith(f"{version} is {word} than what autolog is tested with {low} to {high}; patched: ")
    assert found["fine"] is None  # neither broken nor known to be fine


def test_the_oldest_and_newest_tested_versions_are_inside():
    from autolog.cli.doctor_checks import _range

    assert _range("1.3.0", "1.3", "1.9") == (True, "1.3.0, tested with 1.3 to 1.9")
    assert _range("1.9.11", "1.3", "1.9")[0]
    assert _range("2.6.6", "2.6.6", "2.6.6") == (True, "2.6.6, tested with 2.6.6")
    assert not _range("1.10.0", "1.3", "1.9")[0]
    assert not _range("1.2.9", "1.3", "1.9")[0]
    assert not _range("2.6.7", "2.6.6", "2.6.6")[0]


def test_a_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "runs").write_text("a file where the directory should be")
    result = doctor(tmp_path, "--quick")
    found = findings(result)
    assert found["This machine"]["directory"]["fine"] is False
    assert result.returncode == 1


def test_errors_of_recent_runs_are_shown(tmp_path):
    directory = tmp_path / "runs" / "demo" / "20250101-100000-000-aaaaaaaa"
    directory.mkdir(parents=True)
    records = [
        e.RunStart(time=1.0, id=directory.name, name="n", project="demo"),
        e.Health(time=2.0, kind="error", where="keras.on_epoch_end", count=2, detail="KeyError: 'loss'"),
        e.Health(time=3.0, kind="error", where="keras.on_epoch_end", count=3, detail="KeyError: 'loss'"),
        e.Health(time=3.0, kind="redacted", where="args", count=1),
    ]
    (directory / "journal.jsonl").write_bytes(b"".join(e.encode(record) + b"\n" for record in records))
    found = findings(doctor(tmp_path, "--quick"))
    assert (
        found["Errors in the newest runs"][directory.name]["text"]
        == "error in keras.on_epoch_end, 5 times: KeyError: 'loss'"
    )


def test_a_wrong_setting_is_named(tmp_path):
    result = doctor(tmp_path, "--quick", AUTOLOG_PROJET="x")
    assert result.returncode == 1
    assert "AUTOLOG_PROJET" in result.stderr
    assert "project" in result.stderr
    assert "Traceback" not in result.stderr


def test_it_needs_the_base_dependencies_only(tmp_path):
    blocker = tmp_path / "blocked" / "sitecustomize.py"
    blocker.parent.mkdir()
    names = ("typer", "rich", "sqlalchemy", "pyarrow", "click", "pydantic")
    blocker.write_text(f"import sys\nfor name in {names}: sys.modules[name] = None\n")
    result = doctor(tmp_path, "--quick", PYTHONPATH=str(blocker.parent))
    assert findings(result)["This machine"]["recording"]["fine"] is True
