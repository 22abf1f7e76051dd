"""What a process knows of its own end, and that knowing it changes nothing."""

import signal
import sys

import pytest

from autolog import events, journal
from autolog.journal import last_line
from autolog.sidecar.dumps import signal_of
from tests.waiting import PATIENCE


def test_sys_exit_is_itself_again_after_disable(lab):
    done = lab.run(
        """
        import inspect, pickle, sys
        original = sys.exit
        import autolog
        assert pickle.loads(pickle.dumps(sys.exit)) is sys.exit
        assert inspect.signature(sys.exit) == inspect.signature(original)
        assert sys.exit.__doc__ == original.__doc__
        autolog.log_metric("n", 1)
        autolog.disable("exit")
        assert sys.exit is original
        """
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_frames_of_a_caught_exit_are_not_kept_alive(lab):
    done = lab.run(
        """
        import autolog, gc, sys, weakref
        class Big: pass
        def main():
            big = Big()
            seen.append(weakref.ref(big))
            sys.exit(1)
        seen = []
        try:
            main()
        except SystemExit:
            pass
        gc.collect()
        assert seen[0]() is None
        autolog.log_metric("n", 1)
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert lab.summary().status == "completed"


def test_handled_errors_of_a_test_runner_are_no_failure(lab):
    """pytest puts a failing test's exception where Python puts an uncaught one."""
    path = lab.folder / "test_it.py"
    path.write_text("import autolog\ndef test():\n    autolog.log_metric('n', 1)\n    raise ValueError('handled')\n")
    done = lab.run(
        f"""
        import pytest
        assert pytest.main(["-q", "-p", "no:cacheprovider", {str(path)!r}]) == 1
        """,
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",  # they take seconds to come
    )
    assert done.returncode == 0
    summary = lab.summary()
    assert summary.status == "completed"
    assert "exception" not in summary.end


def test_python_minus_i_keeps_what_was_handled_out(lab):
    done = lab.start(
        "import autolog; autolog.log_metric('n', 1); raise ValueError('shown, and the prompt comes')",
        before=(sys.executable, "-i"),
        AUTOLOG_SIDECAR="0",
    )
    done.communicate(timeout=PATIENCE)
    assert done.returncode == 0
    assert lab.summary().status == "completed"


@pytest.mark.parametrize(
    ("text", "exception"),
    [
        ("import autolog; autolog.log_metric('n', 1)\nraise ValueError('x')", "ValueError"),
        ("import autolog; autolog.log_metric('n', 1)\nexec('1 +')", "SyntaxError"),
        ("import autolog; autolog.log_metric('n', 1)\nimport no_such_module", "ModuleNotFoundError"),
        ("import autolog; autolog.log_metric('n', 1)\nraise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import autolog; autolog.log_metric('n', 1)\nraise ExceptionGroup('g', [OSError()])", "ExceptionGroup"),
    ],
)
@pytest.mark.parametrize("sidecar", ["0", "1"])
def test_uncaught(lab, text, exception, sidecar):
    plain = lab.start(text.replace("import autolog; autolog.log_metric('n', 1)", "pass"), AUTOLOG_SIDECAR="0")
    _, plain_error = plain.communicate()
    if exception == "ExceptionGroup" and "NameError" in plain_error:
        pytest.skip("this Python has no exception groups")
    done = lab.run(text, AUTOLOG_SIDECAR=sidecar)
    assert done.returncode == plain.returncode
    assert done.stderr.splitlines()[-1] == plain_error.splitlines()[-1]
    assert lab.summary().end["exception"]["type"] == exception
    assert lab.summary().status == ("interrupted" if exception == "KeyboardInterrupt" else "failed")


def test_own_excepthook_and_atexit_of_the_program_stay(lab):
    done = lab.run(
        """
        import atexit, sys
        sys.excepthook = lambda *_: print("my hook", flush=True)
        import autolog
        atexit.register(lambda: autolog.log_metric("late", 1))
        autolog.log_metric("n", 1)
        raise ValueError
        """
    )
    assert done.stdout == "my hook\n"
    summary = lab.summary()
    assert summary.status == "failed"
    assert summary.metrics["late"].count == 1


def test_sigterm_on_an_older_kernel_is_noted_and_changes_nothing(lab):
    """Where the kernel forgets exits, faulthandler's chained dump tells; the process still dies by SIGTERM."""
    process = lab.start(
        """
        import autolog.sidecar.kernel as kernel
        kernel.knows_exits = lambda: False
        import autolog, faulthandler, os, signal, time
        autolog.log_metric("n", 1)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(writer, b"here")
            time.sleep(600)
        os.read(reader, 4)
        os.kill(pid, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGTERM
        assert os.path.getsize(autolog.current_run().directory / "fatal.log") == 0
        print("ready", flush=True)
        time.sleep(600)
        """,
        AUTOLOG_SIDECAR="0",
    )
    while process.stdout.readline() != "ready\n":
        assert process.poll() is None
    process.terminate()
    process.communicate()
    assert process.returncode == -signal.SIGTERM
    dump = (lab.only() / "fatal.log").read_text()
    assert "train.py" in dump
    assert signal_of(dump) == signal.SIGTERM


def test_handler_set_later_wins_on_an_older_kernel(lab):
    done = lab.run(
        """
        import autolog.sidecar.kernel as kernel
        kernel.knows_exits = lambda: False
        import autolog, os, signal, sys, time
        autolog.log_metric("n", 1)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(600)
        """
    )
    assert done.returncode == 9
    assert lab.summary().status == "failed"


def test_faulthandler_of_the_program_is_left_alone(lab):
    done = lab.run(
        """
        import faulthandler
        faulthandler.enable()
        import autolog
        with autolog.start_run():
            assert not (autolog.current_run().directory / "fatal.log").exists()
        assert faulthandler.is_enabled()
        faulthandler.disable()
        with autolog.start_run():
            assert faulthandler.is_enabled()
        assert not faulthandler.is_enabled()
        """
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_signals_of_dumps():
    assert signal_of("Fatal Python error: Segmentation fault\n\nThread") == signal.SIGSEGV
    assert signal_of("Fatal Python error: something of CPython's own") is None
    assert signal_of("Current thread 0x1 (most recent call first):\n") == signal.SIGTERM


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", b""),
        (b"one", b""),
        (b"one\n", b"one"),
        (b"one\ntwo\n", b"two"),
        (b"one\ntwo\nthr", b"two"),
        (b"one\n" + b"x" * 100_000 + b"\n", b"x" * 100_000),
        (b"x" * 100_000 + b"\nend\n", b"end"),
    ],
)
def test_last_line(tmp_path, content, expected):
    path = tmp_path / journal.MAIN
    path.write_bytes(content)
    assert last_line(path) == expected


def test_a_worker_writes_no_end(lab):
    lab.run(
        """
        import autolog, os, sys
        autolog.log_metric("n", 1)
        pid = os.fork()
        if pid == 0:
            sys.exit(4)
        os.waitpid(pid, 0)
        """
    )
    assert [record.status for record in lab.records(events.End, journal.MAIN)] == ["completed"]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python does not show its flag any more")
def test_an_interrupt_that_exit_handlers_have_taken_back_ends_as_without_autolog(lab):
    """An ``eval`` in an exit handler, such as that of a late import, makes Python end with 1 instead of by SIGINT."""
    script = """
        import atexit
        import autolog
        autolog.log_metric("n", 1)
        atexit.register(lambda: eval("1"))
        raise KeyboardInterrupt
    """
    assert lab.run(script, AUTOLOG="off", AUTOLOG_SIDECAR="0").returncode == 1
    assert lab.run(script).returncode == 1
    assert lab.summary().status == "interrupted"
