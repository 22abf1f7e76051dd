"""docs/integration-guide.md is true: its example is installed like a package and its tests are run."""

import os
import re
import subprocess
import sys
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "integration-guide.md"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def installed(folder):
    """Write the guide's files, and what an installer makes of its entry point."""
    names = []
    for block in blocks("python"):
        name = block.splitlines()[0].removeprefix("# ")
        (folder / name).write_text(block, "utf-8")
        names.append(name)
    (entry,) = blocks("toml")
    information = folder / "autolog_slope-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: autolog-slope\nVersion: 1.0\n")
    target = re.search(r'^(\w+) = "([\w:.]+)"$', entry, re.MULTILINE)
    (information / "entry_points.txt").write_text(f"[autolog.integrations]\n{target[1]} = {target[2]}\n")
    return names


def test_guide(tmp_path):
    assert installed(tmp_path) == ["slope.py", "autolog_slope.py", "test_slope.py", "conftest.py"]
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("AUTOLOG", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_slope.py"],
        cwd=tmp_path,
        env={**kept, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
