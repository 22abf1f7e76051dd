"""The project's source, and nothing else, is stored byte for byte; secrets in it are masked and that is said."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import PATIENCE

SCRIPT = """\
# -*- coding: utf-8 -*-
import json, os, sys, time
import helper
import pack.inner
import json.decoder, msgspec
from autolog.capture.redact import Redactor
from autolog.capture.source import SourceSnapshot
snapshot = SourceSnapshot(sys.argv[1], Redactor(environment={}), int(sys.argv[2]))
facts = [snapshot.take(), snapshot.take()]
import late
facts.append(snapshot.take())
print(json.dumps(facts))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    (root / "scripts" / "pack").mkdir(parents=True)
    scripts = root / "scripts"
    (scripts / "train.py").write_text(SCRIPT)
    (scripts / "helper.py").write_bytes("# -*- coding: latin-1 -*-\r\nname = 'Mül'\r\nx = 1\n".encode("latin-1"))
    (scripts / "pack" / "__init__.py").touch()
    (scripts / "pack" / "inner.py").write_text("import outside\nimport packaged\nvalue = '✓'\n")
    (scripts / "late.py").write_text("late = True")
    (scripts / "unused.py").write_text("raise SystemExit")
    other = tmp_path / "other"
    other.mkdir()
    (other / "outside.py").write_text("x = 1\n")
    installed = root / ".venv" / "lib" / "site-packages"
    installed.mkdir(parents=True)
    (installed / "packaged.py").write_text("x = 1\n")
    return root


def _take(
    project: Path, run: Path, limit: int = 10**7, script: str = "scripts/train.py", cwd: Path | None = None
) -> Any:
    paths = [project.parent / "other", project / ".venv" / "lib" / "site-packages"]
    done = subprocess.run(
        [sys.executable, str(project / script), str(run), str(limit)],
        env={**os.environ, "AUTOLOG": "off", "PYTHONPATH": os.pathsep.join([*map(str, paths), *_checkout()])},
        cwd=cwd or project, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _checkout() -> list[str]:
    """Where autolog itself is found, if it is not installed."""
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


def _check(project: Path, run: Path, fact: dict[str, Any]) -> None:
    for name, file in fact["files"].items():
        original, stored = (project / name).read_bytes(), (run / file["stored"]).read_bytes()
        assert hashlib.sha256(original).hexdigest() == file["sha256"]
        assert len(original) == file["size"]
        if not file.get("redacted"):
            assert stored == original


def test_entry_and_imported_modules(project: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    first, nothing, last = _take(project, run)
    assert nothing is None
    assert first["root"] == str(project)
    assert first["main"] == "scripts/train.py"
    assert set(first["files"]) == {f"scripts/{name}.py" for name in ("train", "helper", "pack/__init__", "pack/inner")}
    assert set(last["files"]) == set(first["files"]) | {"scripts/late.py"}
    assert last["files"]["scripts/pack/inner.py"]["module"] == "pack.inner"
    assert "left_out" not in last
    assert not any(file.get("redacted") or file.get("changed_since_start") for file in last["files"].values())
    _check(project, run, last)
    stored = [path for path in (run / "source").rglob("*") if path.is_file()]
    assert sorted(str(path.relative_to(run)) for path in stored) == sorted(f["stored"] for f in last["files"].values())
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in stored)


def test_the_working_directory_belongs_to_the_project(project: Path, tmp_path: Path) -> None:
    fact = _take(project, tmp_path / "run", cwd=tmp_path / "other")[0]
    outside = f"__outside__{tmp_path}/other/outside.py"
    assert outside in fact["files"]
    assert (tmp_path / "run" / fact["files"][outside]["stored"]).read_text() == "x = 1\n"


def test_secrets_are_masked_and_marked(project: Path, tmp_path: Path) -> None:
    helper = project / "scripts" / "helper.py"
    helper.write_text("# one\npassword = 'hunter2'\nlr = 0.1\n")
    run = tmp_path / "run"
    fact = _take(project, run)[2]
    file = fact["files"]["scripts/helper.py"]
    assert file["redacted"] is True
    stored = (run / file["stored"]).read_bytes()
    assert stored == b"# one\npassword = '[redacted]'\nlr = 0.1\n"
    assert hashlib.sha256(stored).hexdigest() == file["stored_sha256"]
    assert [name for name, file in fact["files"].items() if file.get("redacted")] == ["scripts/helper.py"]
    _check(project, run, fact)


def test_limits_are_named(project: Path, tmp_path: Path) -> None:
    (project / "scripts" / "helper.py").write_text("#" * 1_100_000)
    fact = _take(project, tmp_path / "run", limit=len(SCRIPT) + 10)[2]
    assert "scripts/train.py" in fact["files"]
    assert "larger than" in fact["left_out"]["scripts/helper.py"]
    assert "source_max_bytes" in fact["left_out"]["scripts/pack/inner.py"]
    assert fact["left_out_count"] == len(fact["left_out"]) >= 2


def test_a_file_written_after_the_start_is_marked(project: Path, tmp_path: Path) -> None:
    (project / "scripts" / "late.py").touch()
    script = SCRIPT.replace(
        "import late\n", "time.sleep(1.2); open(os.path.join(os.path.dirname(__file__), 'late.py'), 'w')\nimport late\n"
    )
    (project / "scripts" / "train.py").write_text(script)
    os.utime(project / "scripts" / "train.py", (0, 0))
    fact = _take(project, tmp_path / "run")[2]
    assert fact["files"]["scripts/late.py"]["changed_since_start"] is True
    assert "changed_since_start" not in fact["files"]["scripts/train.py"]


def test_a_resumed_run_keeps_both_versions(project: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    before = _take(project, run)[2]["files"]["scripts/helper.py"]
    (project / "scripts" / "helper.py").write_text("name = 'new'\n")
    after = _take(project, run)[2]["files"]["scripts/helper.py"]
    assert before["stored"] != after["stored"]
    assert (run / after["stored"]).read_text() == "name = 'new'\n"
    assert hashlib.sha256((run / before["stored"]).read_bytes()).hexdigest() == before["sha256"]


def test_a_full_or_closed_target_costs_nothing_but_the_copy(project: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "source").write_text("in the way")
    fact = _take(project, run)[0]
    assert fact["files"] == {}
    assert fact["main"] is None
    assert fact["left_out_count"] == 4


def test_a_lazy_module_is_not_asked(project: Path, tmp_path: Path) -> None:
    script = "import sys, types\nclass Lazy(types.ModuleType):\n    def __getattr__(self, name): raise SystemExit(9)\n"
    script += "sys.modules['lazy'] = Lazy('lazy')\nsys.modules['odd'] = None\nsys.modules['old'] = 5\n"
    (project / "scripts" / "train.py").write_text(script + SCRIPT)
    assert _take(project, tmp_path / "run")[0]["main"] == "scripts/train.py"
