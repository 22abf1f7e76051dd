"""What the documents claim is held against the code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import autolog
from autolog.config import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_readme_names_every_setting():
    table = README.split("| setting | default |")[1].split("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines()[2:])))
    assert named == set(Settings.__struct_fields__)


def test_the_readmes_python_runs(tmp_path, runs_dir, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.pt").write_bytes(b"weights")
    (recording,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "start_run" in block]
    exec(compile(recording, "README.md", "exec"), {})
    (run,) = autolog.runs(where="'good' in tags and metrics.loss < 0.1", dir=runs_dir)
    assert run.params["optimizer.lr"] == 0.1
    assert run.metrics["val_accuracy"].last == 0.9


def test_links_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_backend_of_the_guide_delivers_every_byte(tmp_path, runs_dir, lab_environment):
    """As a third party's package: by the sidecar while the run goes on, by `autolog sync` after a crash."""
    site, target = tmp_path / "site", tmp_path / "mirror"
    info = site / "my_package-1.0.dist-info"
    info.mkdir(parents=True)
    guide = (ROOT / "docs" / "backend-guide.md").read_text("utf-8")
    code, entry_points = re.findall(
        r"## A complete example.*?```python\n(.*?)```.*?```toml\n(.*?)```", guide, re.DOTALL
    )[0]
    (site / "my_package").mkdir()
    (site / "my_package" / "mirror.py").write_text(code)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[autolog.backends]\n" + entry_points.split("\n", 1)[1].replace('"', ""))
    environment = lab_environment | {
        "PYTHONPATH": str(site),
        "AUTOLOG_BACKEND": "local,mirror",
        "AUTOLOG_URL": str(target),
        "AUTOLOG_EXIT_WAIT": "100",  # the process waits for it no longer than it takes
    }
    script = "import autolog\nfor i in range(1000): autolog.log_metric('loss', i)\nautolog.finish()"
    crash = "import autolog, os\nfor i in range(1000): autolog.log_metric('loss', i)\nos.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    assert same_journals(runs_dir, target, "journal.jsonl") == 1
    subprocess.run([sys.executable, "-c", crash], env=environment | {"AUTOLOG_SIDECAR": "0"}, check=False)
    assert same_journals(runs_dir, target, "journal.jsonl") == 1
    sync = [sys.executable, "-m", "autolog.cli", "sync"]
    subprocess.run(sync, env=environment, check=True, capture_output=True)
    assert same_journals(runs_dir, target, "*.jsonl") >= 3
    subprocess.run(sync, env=environment, check=True, capture_output=True)  # again: nothing twice
    assert same_journals(runs_dir, target, "*.jsonl") >= 3


def same_journals(runs, mirror, pattern):
    """How many journals the mirror holds; each must equal the original, byte for byte."""
    found = sorted(mirror.glob(f"*/*/{pattern}"))
    for path in found:
        assert path.read_bytes() == (runs / path.relative_to(mirror)).read_bytes()
    return len(found)


@pytest.fixture
def lab_environment(runs_dir):
    return {**os.environ, "AUTOLOG_DIR": str(runs_dir), "AUTOLOG_SIDECAR": "1"}
