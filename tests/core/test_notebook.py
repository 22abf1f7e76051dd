"""Cells of a real Jupyter kernel, and its console."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import PATIENCE

START = """\
import json
from autolog.capture import console, notebook
from autolog.capture.command import entry
from autolog.capture.redact import Redactor
redactor = Redactor(environment={{}})
undos = list(console.install())
console.attach({directory!r} + "/console.log", redactor)
cells = notebook.NotebookCells({directory!r}, redactor)
taken = cells.take()"""


def _execute(sources: list[str], folder: Path) -> list[list[dict[str, Any]]]:
    """The outputs of each cell."""
    pytest.importorskip("ipykernel")
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    return [cell.outputs for cell in book.cells]


@pytest.mark.filterwarnings("default")  # what Jupyter's own libraries warn of is not ours
def test_cells_and_console_of_a_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOLOG", "off")
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "My book.ipynb"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    start = START.format(directory=str(tmp_path))
    sources = [
        "x = 1",
        start,
        "undo = cells.watch(taken.extend)\n%time y = 2",
        "password = 'hunter2'\nprint('shown', end='')\nprint(' twice')\nx + y",
        "undo()\ntaken += cells.take()\nprint(json.dumps([taken, entry()]))",
        "console.detach()\nfor undo in reversed(undos): undo()",
        "import sys\nprint(getattr(sys.stdout.write, '__module__', None))",
    ]
    outputs = _execute(sources, tmp_path)
    taken, entry = json.loads(outputs[4][0]["text"])
    assert entry == {"kind": "notebook", "path": str(tmp_path / "My book.ipynb"), "module": None}
    assert [cell["execution_count"] for cell in taken] == [1, 2, 3, 4, 5]
    assert taken[0] == {"execution_count": 1, "source": "x = 1"}
    assert taken[2]["source"] == sources[2]  # as typed, not as IPython has transformed it
    assert taken[3]["source"].startswith("password = '[redacted]'\n")
    assert taken[3]["redacted"] is True
    assert outputs[3][0]["text"] == "shown twice\n"  # the notebook shows what it would show
    assert outputs[3][1]["data"]["text/plain"] == "3"
    assert "autolog" not in outputs[6][0]["text"]
    script = (tmp_path / "source" / "__notebook__.py").read_text()
    assert script.startswith("# %% [1]\nx = 1\n\n# %% [2]\nimport json\n")
    assert "hunter2" not in script
    log = (tmp_path / "console.log").read_text()
    assert "shown twice\n" in log
    assert "CPU times" in log


def test_outside_of_ipython() -> None:
    import subprocess
    import sys

    code = (
        "from autolog.capture import notebook; from autolog.capture.redact import Redactor; import sys;"
        "cells = notebook.NotebookCells('/nowhere', Redactor());"
        "assert not notebook.is_interactive(); assert cells.take() == []; cells.watch(print)();"
        "assert 'IPython' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)
