"""Settings of every test: autolog's own errors are raised, and nothing is written outside the test's directory."""

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

# Before the first import of autolog. Processes that a test starts get environments of their own.
os.environ["AUTOLOG_STRICT"] = "1"
os.environ["AUTOLOG_DISABLE"] = "console"
os.environ["AUTOLOG_SIDECAR"] = "0"
os.environ["AUTOLOG_WEIGHTS"] = "off"  # small tests ask for them; scripts run as processes have them
os.environ["AUTOLOG_DIR"] = tempfile.mkdtemp(prefix="autolog-tests-")
os.environ.pop("AUTOLOG_PARENT", None)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job; scripts of tests would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the same of nohup
atexit.register(shutil.rmtree, os.environ["AUTOLOG_DIR"], ignore_errors=True)


@pytest.fixture
def runs_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A runs directory for this test; a run left open by the test is ended."""
    from autolog import config, current

    current.finish()
    monkeypatch.setenv("AUTOLOG_DIR", str(tmp_path / "runs"))
    monkeypatch.setattr(config, "_cached", None)
    monkeypatch.setattr(config, "_explicit", {})
    yield tmp_path / "runs"
    current.finish()
    config._cached = None
