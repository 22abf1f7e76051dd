"""The command `autolog` records nothing of itself; every other program that imports autolog does."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import PATIENCE

_ASK = "import sys, autolog; print('autolog.startup' in sys.modules, autolog.Run.__name__, len(autolog.__all__))"
_SCRIPT = "import sys\nfrom autolog.cli.main import main\n"


def _python(*words: str) -> str:
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("command", [False, True])
def test_who_starts_up(tmp_path: Path, command: bool) -> None:
    script = tmp_path / "autolog"
    script.write_text(_SCRIPT * command + _ASK)
    started, run, names = _python(str(script), "-m", "train").split()
    assert started == str(not command)
    assert run == "Run"
    assert int(names) > 30


def test_every_public_name_is_there_for_plugins_of_the_command(tmp_path: Path) -> None:
    script = tmp_path / "autolog"
    script.write_text(
        f"{_SCRIPT}import autolog\nprint([name for name in autolog.__all__ if not hasattr(autolog, name)])\n"
    )
    assert _python("-X", "dev", str(script)).strip() == "[]"


def test_the_module_is_the_command_too() -> None:
    told = _python("-v", "-m", "autolog.cli", "--help")
    assert "autolog COMMAND --help" in told
    done = subprocess.run([sys.executable, "-X", "importtime", "-m", "autolog.cli", "run", "--", "true"],
                          capture_output=True, text=True, check=True, timeout=PATIENCE)  # fmt: skip
    assert "autolog.cli.supervise" in done.stderr
    assert "msgspec" not in done.stderr
