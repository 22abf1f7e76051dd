"""How a run ends, and what is left of it: real processes, really killed."""

import os
import signal
import sys
from pathlib import Path

import pytest

from autolog import events, journal
from autolog.sidecar.kernel import knows_exits
from tests.waiting import PATIENCE

AUTOLOG_RUN = (sys.executable, "-m", "autolog.cli", "run")

needs_exit_info = pytest.mark.skipif(not knows_exits(), reason="this kernel forgets how reaped processes ended")

LOGS_UNTIL_KILLED = """
    import autolog, itertools
    for n in itertools.count(1):
        autolog.log_metric("n", n)
        print(n, flush=True)
"""

LOGS_AND_WAITS = """
    import autolog, time
    autolog.log_metric("n", 1)
    print("ready", flush=True)
    time.sleep(600)
"""


def ending(lab, text, **options):
    """Run a script to its end; its exit code, and how the run stands."""
    done = lab.run(text, **options)
    return done.returncode, lab.summary()


def killed(lab, number, **options):
    """Start a script that waits, send it a signal when it has logged and its sidecar is there."""
    process = lab.start(LOGS_AND_WAITS, **options)
    assert process.stdout.readline() == "ready\n"
    if options.get("AUTOLOG_SIDECAR") != "0":
        lab.sidecar()
    process.send_signal(number)
    process.communicate(timeout=PATIENCE)
    lab.settle()
    return process.returncode, lab.summary()


@pytest.mark.parametrize("with_sidecar", [False, True])
def test_every_returned_call_survives_sigkill(lab, with_sidecar):
    process = lab.start(LOGS_UNTIL_KILLED)
    lab.sidecar()
    for _ in range(2000):
        last = process.stdout.readline()
    if with_sidecar:
        lab.kill_sidecar()
    process.kill()
    rest = process.stdout.read()  # not communicate(): it does not know of what readline() has buffered
    process.wait()
    lab.settle()
    # Whole lines only: a half-written last number is that of a call whose word we never got.
    printed = int((last + rest).rpartition("\n")[0].splitlines()[-1])
    values = [record.values["n"] for record in lab.records(events.Metrics, journal.MAIN)]
    # The call after the last print may have returned too; nothing may be missing.
    assert values in (list(range(1, printed + 1)), list(range(1, printed + 2)))
    summary = lab.summary()
    assert summary.status == "killed"
    assert summary.end.get("signal") == (None if with_sidecar else "KILL")


def test_exactly_the_returned_calls_are_there(lab):
    done = lab.run("""
        import autolog, os, signal
        for n in range(1234):
            autolog.log_metric("n", n)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert done.returncode == -signal.SIGKILL
    assert [record.values["n"] for record in lab.records(events.Metrics, journal.MAIN)] == list(range(1234))
    assert lab.summary().metrics["n"].count == 1234


def test_end_of_script_is_completed(lab):
    code, summary = ending(lab, "import autolog; autolog.log_metric('n', 1)")
    assert (code, summary.status) == (0, "completed")


def test_uncaught_exception_is_failed_with_its_traceback(lab):
    code, summary = ending(
        lab,
        """
        import autolog
        autolog.log_metric("n", 1)
        def deep():
            raise ZeroDivisionError("no such batch")
        deep()
        """,
    )
    assert (code, summary.status) == (1, "failed")
    exception = summary.end["exception"]
    assert (exception["type"], exception["message"]) == ("ZeroDivisionError", "no such batch")
    assert "in deep" in exception["traceback"]
    assert 'raise ZeroDivisionError("no such batch")' in exception["traceback"]


@pytest.mark.parametrize("sidecar", ["1", "0"])
@pytest.mark.parametrize(
    ("way", "code"),
    [
        ("sys.exit(3)", 3),
        ("sys.exit('what a pity')", 1),
        ("sys.exit()", 0),
        ("sys.exit(-1)", 255),
        ("def main():\n    sys.exit(4)\nmain()", 4),
        ("import argparse\nargparse.ArgumentParser().error('no')", 2),
        ("try:\n    sys.exit(3)\nexcept SystemExit:\n    pass", 0),
        ("def main():\n    try:\n        sys.exit(3)\n    except SystemExit:\n        pass\nmain()", 0),
        ("def main():\n    try:\n        sys.exit(3)\n    finally:\n        sys.stdout.flush()\nmain()", 3),
        ("with open('/dev/null'):\n    sys.exit(3)", 3),
        ("import threading\nthread = threading.Thread(target=sys.exit, args=[3])\nthread.start()\nthread.join()", 0),
    ],
)
def test_exit_code(lab, way, code, sidecar):
    """With the kernel's word, and by what the process itself can know."""
    path = lab.folder / "way.py"
    path.write_text(f"import sys\n{way}\n")
    text = f"""
        import autolog
        autolog.log_metric("n", 1)
        exec(compile(open({str(path)!r}).read(), "way.py", "exec"))
    """
    found, summary = ending(lab, text, AUTOLOG_SIDECAR=sidecar)
    assert found == code
    assert summary.status == ("failed" if code else "completed")
    assert summary.end.get("exit_code", 0) == code


@needs_exit_info
def test_raised_system_exit_is_known_to_the_kernel(lab):
    code, summary = ending(lab, "import autolog; autolog.log_metric('n', 1); raise SystemExit(7)")
    assert code == 7
    assert (summary.status, summary.end["exit_code"]) == ("failed", 7)


@needs_exit_info
@pytest.mark.parametrize(("code", "status"), [(0, "completed"), (9, "failed")])
def test_os_exit(lab, code, status):
    found, summary = ending(lab, f"import autolog, os; autolog.log_metric('n', 1); os._exit({code})")
    assert (found, summary.status, summary.end["exit_code"]) == (code, status, code)


def test_ctrl_c_is_interrupted(lab):
    code, summary = killed(lab, signal.SIGINT)
    assert (code, summary.status) == (-signal.SIGINT, "interrupted")
    assert summary.end["exception"]["type"] == "KeyboardInterrupt"


@needs_exit_info
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP, signal.SIGSEGV])
def test_signal_is_killed_by_its_name(lab, number):
    code, summary = killed(lab, number)
    assert code == -number
    assert (summary.status, summary.end["signal"]) == ("killed", number.name.removeprefix("SIG"))


@needs_exit_info
def test_the_place_of_a_crash_is_kept(lab):
    code, summary = ending(
        lab,
        """
        import autolog, ctypes
        autolog.log_metric("n", 1)
        def crash():
            ctypes.string_at(0)
        crash()
        """,
    )
    assert code == -signal.SIGSEGV
    assert (summary.status, summary.end["signal"]) == ("killed", "SEGV")
    assert "Segmentation fault" in summary.end["cause"]
    assert "in crash" in summary.end["cause"]


def test_sigkill_without_sidecar_is_killed_for_an_unknown_cause(lab):
    code, summary = killed(lab, signal.SIGKILL, AUTOLOG_SIDECAR="0")
    assert code == -signal.SIGKILL
    assert summary.status == "killed"
    assert "unknown" in summary.end["cause"]
    assert "signal" not in summary.end


def test_sigkill_after_the_sidecar_was_killed(lab):
    process = lab.start(LOGS_AND_WAITS)
    assert process.stdout.readline() == "ready\n"
    lab.kill_sidecar()
    lab.settle()
    assert lab.summary().status == "running"
    process.kill()
    process.communicate()
    summary = lab.summary()
    assert summary.status == "killed"
    assert "unknown" in summary.end["cause"]
    assert summary.metrics["n"].count == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_autolog_run_knows_without_a_sidecar(lab, number):
    """The parent passes the signal on, sees the end, writes it, and ends in the same way."""
    process = lab.start(
        """
        import autolog, os, time
        autolog.log_metric("n", 1)
        print(os.getpid(), flush=True)
        time.sleep(600)
        """,
        before=AUTOLOG_RUN,
        AUTOLOG_SIDECAR="0",
    )
    child = int(process.stdout.readline())
    if number == signal.SIGKILL:  # nobody can pass that on
        os.kill(child, number)
    else:
        process.send_signal(number)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == -number
    summary = lab.summary()
    (word,) = lab.records(events.Exit)
    assert (word.source, word.signal, word.pid) == ("parent", number, child)
    assert summary.status == ("interrupted" if number == signal.SIGINT else "killed")


@pytest.fixture
def memory_cgroup(wait_until):
    """A memory cgroup of 200 MB that a process can move itself into."""
    v1, v2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    root, limit = (v1, "memory.limit_in_bytes") if v1.is_dir() else (v2, "memory.max")
    group = root / f"autolog-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / limit).write_text(str(200 << 20))
    except OSError as error:
        if group.is_dir():
            group.rmdir()
        pytest.skip(f"no memory cgroup can be made here: {error}")
    yield group
    wait_until(lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


def inside(group: Path) -> tuple[str, ...]:
    """Python, begun inside a cgroup: its sidecar is in there too, as in a container or a SLURM job."""
    return ("/bin/sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$0" "$1"', sys.executable)


HOARD = """
    import autolog, os, signal, time
    autolog.log_metric("n", 1)
    system = autolog.current_run().directory / "system.jsonl"
    while not system.exists() or '"type":"system"' not in system.read_text():
        time.sleep(0.05)
    hoard = []
    while {what}:
        hoard.append(bytearray(b"x" * (10 << 20)))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@needs_exit_info
def test_out_of_memory_kill(lab, memory_cgroup):
    code, summary = ending(lab, HOARD.format(what="True"), before=inside(memory_cgroup))
    assert code == -signal.SIGKILL
    assert (summary.status, summary.end["signal"], summary.end["oom"]) == ("killed", "KILL", True)


@needs_exit_info
def test_sigkill_in_a_memory_cgroup_is_no_oom(lab, memory_cgroup):
    code, summary = ending(lab, HOARD.format(what="False"), before=inside(memory_cgroup))
    assert code == -signal.SIGKILL
    assert (summary.status, summary.end["signal"]) == ("killed", "KILL")
    assert "oom" not in summary.end


@needs_exit_info
def test_sigterm_handler_of_the_program_has_its_way(lab):
    code, summary = ending(
        lab,
        """
        import autolog, os, signal, sys, time
        autolog.log_metric("n", 1)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(21))
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(600)
        """,
    )
    assert (code, summary.status, summary.end["exit_code"]) == (21, "failed", 21)


def test_a_finished_run_is_not_failed_by_what_comes_after(lab):
    code, summary = ending(lab, "import autolog, sys; autolog.log_metric('n', 1); autolog.finish(); sys.exit(3)")
    assert (code, summary.status) == (3, "completed")
