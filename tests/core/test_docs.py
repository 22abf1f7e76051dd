"""What the documents claim is held against the code."""

import re
from pathlib import Path

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
    (recording,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.S) if "start_run" in block]
    exec(compile(recording, "README.md", "exec"), {})
    (run,) = autolog.runs(where="'good' in tags and metrics.loss < 0.1", dir=runs_dir)
    assert run.params["optimizer.lr"] == 0.1
    assert run.metrics["val_accuracy"].last == 0.9


def test_links_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
