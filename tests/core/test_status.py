"""The one rule of how a run stands, as a table."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autolog import events, process
from autolog.store import status

NOW = 1_000_000.0
ERROR = {"type": "ValueError", "message": "no", "traceback": "…"}


def start(pid=7):
    return events.RunStart(time=NOW - 1000, id="r", name="n", project="p", pid=pid)


def end(state, *, at_exit=True, exception=None, exit_code=None):
    return events.End(time=NOW, status=state, at_exit=at_exit, exception=exception, exit_code=exit_code)


def word(source="pidfd", *, pid=7, **fields):
    return events.Exit(time=NOW, pid=pid, source=source, **fields)


TABLE = {
    "kernel says 0, process says completed": (end("completed"), word(exit_code=0), "gone", "completed"),
    "kernel says 0, process says nothing (os._exit)": (None, word(exit_code=0), "gone", "completed"),
    "kernel says 3, process says completed": (end("completed"), word(exit_code=3), "gone", "failed"),
    "kernel says 3, process says nothing": (None, word(exit_code=3), "gone", "failed"),
    "kernel says 1, process says failed": (end("failed", exception=ERROR), word(exit_code=1), "gone", "failed"),
    "kernel says 0, process was wrong": (end("failed", exit_code=3), word(exit_code=0), "gone", "completed"),
    "Ctrl-C": (end("interrupted"), word(signal=signal.SIGINT), "gone", "interrupted"),
    "Ctrl-C, no word of its own": (None, word(signal=signal.SIGINT), "gone", "interrupted"),
    "Ctrl-C turned into an exit code": (end("interrupted"), word(exit_code=130), "gone", "interrupted"),
    "killed": (None, word(signal=signal.SIGKILL), "gone", "killed"),
    "killed while shutting down": (end("completed"), word(signal=signal.SIGSEGV), "gone", "killed"),
    "failed, then crashed while shutting down": (
        end("failed", exception=ERROR), word(signal=signal.SIGABRT), "gone", "failed",
    ),
    "finished by hand, process failed later": (
        end("completed", at_exit=False), word(exit_code=1), "gone", "completed",
    ),
    "failed by hand, process went on and ended well": (
        end("failed", at_exit=False, exception=ERROR), word(exit_code=0), "gone", "failed",
    ),
    "kernel says nothing, process says completed": (end("completed"), word("none"), "gone", "completed"),
    "kernel says nothing, nor does the process": (None, word("none"), "gone", "killed"),
    "word about another process": (None, word(pid=8, exit_code=0), "alive", "running"),
    "only the process's word": (end("failed", exit_code=3), None, "gone", "failed"),
    "no word, alive": (None, None, "alive", "running"),
    "no word, gone": (None, None, "gone", "killed"),
    "no word, machine restarted": (None, None, "rebooted", "lost"),
    "no word, elsewhere, beating": (None, None, "unseen", "running"),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_rule(case):
    ended, told, alive, expected = TABLE[case]
    found, details = status.resolve(start(), ended, told, NOW - 5, alive, now=NOW)
    assert found == expected
    assert (details == {}) == (found == "running")


def test_heartbeats_stopped_out_of_sight():
    stale = NOW - status.STALE_AFTER - 1
    assert status.resolve(start(), None, None, stale, "unseen", now=NOW)[0] == "lost"
    # One that can be seen needs no heartbeat.
    assert status.resolve(start(), None, None, stale, "alive", now=NOW)[0] == "running"


def test_details_say_what_is_known():
    _, oom = status.resolve(start(), None, word(signal=signal.SIGKILL, oom=True), NOW, "gone", now=NOW)
    assert (oom["signal"], oom["oom"], oom["source"]) == ("KILL", True, "pidfd")
    _, failed = status.resolve(start(), end("failed", exception=ERROR), word(exit_code=1), NOW, "gone", now=NOW)
    assert (failed["exception"], failed["exit_code"]) == (ERROR, 1)
    _, unknown = status.resolve(start(), None, word("none"), NOW, "gone", now=NOW)
    assert "unknown" in unknown["cause"]
    assert "signal" not in unknown


def test_strongest_word_counts():
    kernel, parent, nothing = word(signal=9), word("parent", signal=9), word("none")
    assert status.strongest([nothing, parent, kernel], 7) is kernel
    assert status.strongest([nothing, parent], 7) is parent
    assert status.strongest([word(pid=8, exit_code=0)], 7) is None


def test_signal_names():
    assert status.signal_name(15) == "TERM"
    assert status.signal_name(40) == "40"


def identity_of(pid):
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = process.identity()
    return events.RunStart(
        time=time.time(), id="r", name="n", project="p", host=own.host, boot=own.boot, pid_namespace=own.pid_namespace,
        pid=pid, pid_started=float(stat[19]),
    )  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_liveness_of_real_processes():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    known = identity_of(child.pid)
    assert status.liveness(known) == "alive"
    known.pid_started += 1  # another process that got its id
    assert status.liveness(known) == "gone"
    known.pid_started -= 1
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert status.liveness(known) == "gone"  # a zombie is no life
    child.communicate()
    assert status.liveness(known) == "gone"


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [("host", "elsewhere", "unseen"), ("pid_namespace", "pid:[1]", "unseen"), ("boot", "before", "rebooted")],
)
def test_liveness_out_of_sight(field, value, expected):
    known = identity_of(os.getpid())
    setattr(known, field, value)
    assert status.liveness(known) == expected
