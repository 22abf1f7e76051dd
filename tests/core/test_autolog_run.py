"""``autolog run``: the training is as it is without, and on record."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from autolog import events, journal
from autolog.cli.run import plan, run_command
from tests.waiting import PATIENCE

RUN = (sys.executable, "-m", "autolog.cli", "run")

SHOWS_ITSELF = """
    import os, sys, traceback
    print(sys.argv[1:], __name__, __file__ == os.path.abspath(sys.argv[0]), sys.path[0])
    print("boot" in str(sys.path), [entry for entry in sys.path if "autolog" in entry], sys.flags)
    print(sys.stdin.read())
    sys.stderr.write("to stderr\\n")
    traceback.print_stack(file=sys.stdout)
    sys.exit(int(sys.argv[1]))
"""


def call(lab, *words, script=None, name="train.py", **options):
    path = lab.script(script, name) if script else None
    command = [*RUN, *words] if path is None else [*RUN, *words[:1], str(path), *words[1:]]
    environment = lab.environment | options.pop("environment", {})
    return subprocess.run(
        command,
        env=environment,
        cwd=lab.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        **options,
    )


def test_everything_is_as_without(lab):
    path = lab.script(SHOWS_ITSELF)
    plain, recorded = (
        subprocess.run(
            [*words, str(path), "3", "--help", "-m", "--name=x"],
            env=lab.environment, cwd=lab.folder, capture_output=True, text=True, input="typed", check=False,
        )
        for words in ([sys.executable], RUN)
    )  # fmt: skip
    assert plain.returncode == recorded.returncode == 3
    assert plain.stdout == recorded.stdout
    assert plain.stderr == recorded.stderr


def test_uncaught_exception_looks_the_same(lab):
    path = lab.script("import autolog\nautolog.log_metric('n', 1)\ndef f():\n    raise KeyError('no')\nf()")
    plain, recorded = (
        subprocess.run([*words, path], env=lab.environment, capture_output=True, text=True, check=False)
        for words in ([sys.executable], RUN)
    )
    assert plain.returncode == recorded.returncode == 1
    assert plain.stderr == recorded.stderr
    assert "KeyError: 'no'" in recorded.stderr


def test_settings_travel(lab):
    done = subprocess.run(
        [*RUN, "--name", "baseline", "--tag=a", "--tag", "b", "--project", "lab", "--no-sidecar",
         str(lab.script("import sys; assert 'autolog' in sys.modules; sys.modules['autolog'].log_metric('n', 1)"))],
        env=lab.environment, cwd=lab.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    summary = lab.summary()
    assert (summary.name, sorted(summary.tags), summary.status) == ("baseline", ["a", "b"], "completed")
    assert lab.sidecars() == []


def test_module(lab):
    lab.script("import sys; sys.modules['autolog'].log_metric('n', 1); print(sys.argv[1:])", "training.py")
    done = call(lab, "-m", "training", "--lr", "0.1")
    assert (done.returncode, done.stdout) == (0, "['--lr', '0.1']\n")
    lab.settle(begun=True)
    assert lab.summary().status == "completed"


def test_any_command(lab):
    assert call(lab, "--", "sh", "-c", "exit 5").returncode == 5
    assert call(lab, "--", "sh", "-c", "kill -9 $$").returncode == -9
    path = lab.script("import sys; sys.modules['autolog'].log_metric('n', 1)")
    done = call(lab, "--", "sh", "-c", f"{sys.executable} {path}; exit 0")
    assert (done.returncode, done.stderr) == (0, "")
    lab.settle(begun=True)
    assert lab.summary().status == "completed"


def test_other_sitecustomize_still_runs(lab):
    lab.script("print('the other one')", "sitecustomize.py")
    path = lab.script("import sitecustomize; print(sitecustomize.__file__)")
    done = call(lab, str(path), environment={"PYTHONPATH": str(lab.folder)})
    # Once for the process of `autolog run` itself, once for the script.
    assert done.stdout == f"the other one\nthe other one\n{lab.folder / 'sitecustomize.py'}\n"


def test_python_without_autolog_runs_on(lab):
    """Where autolog cannot be imported, one line says so, and the command is not disturbed."""
    broken = lab.folder / "broken"
    broken.mkdir()
    (broken / "msgspec.py").write_text("raise ImportError('no msgspec here')")
    # -I: only the child sees this PYTHONPATH.
    command = [sys.executable, "-I", "-m", "autolog.cli", "run", str(lab.script("print('trained')"))]
    done = subprocess.run(
        command, env=lab.environment | {"PYTHONPATH": str(broken)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "trained\n")
    assert done.stderr.count("\n") == 1
    assert "not recorded" in done.stderr
    assert "no msgspec here" in done.stderr


def test_off_imports_nothing(lab):
    path = lab.script("import sys; print('autolog' in sys.modules)")
    assert call(lab, str(path), environment={"AUTOLOG": "off"}).stdout == "False\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT])
def test_signals_to_the_parent_alone_are_passed_on(lab, number):
    process = lab.start(
        f"""
        import signal, sys
        signal.signal({int(number)}, lambda *_: sys.exit(42))
        print("ready", flush=True)
        signal.pause()
        """,
        before=RUN,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 42


def test_ctrl_c_of_a_terminal_comes_once(lab):
    """A real terminal: its Ctrl-C reaches the training directly, and must not be passed on a second time."""
    import pty

    path = lab.script("""
        import signal, time
        count = 0
        until = float("inf")
        def interrupted(*_):
            global count, until
            count += 1
            until = time.monotonic() + 1  # for a second one
        signal.signal(signal.SIGINT, interrupted)
        print("ready", flush=True)
        while time.monotonic() < until:
            time.sleep(0.05)
        print("count", count, flush=True)
    """)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(lab.folder)
        os.execve(sys.executable, [*RUN, str(path)], lab.environment)
    seen = b""
    while b"ready" not in seen:
        seen += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    while b"count " not in seen or not seen.endswith(b"\n"):
        seen += os.read(terminal, 1000)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert b"count 1" in seen


def test_nothing_is_left_behind(lab):
    place = lab.folder / "tmp"
    place.mkdir()
    lab.run("import autolog, tempfile; autolog.log_metric('n', 1)", before=RUN, TMPDIR=str(place))
    assert list(place.iterdir()) == []
    (word,) = [record for record in lab.records(events.Exit, journal.SYSTEM) if record.source == "parent"]
    assert word.exit_code == 0


def test_wrong_use(capsys):
    assert run_command(["--nam", "x", "train.py"]) == 2
    assert "did you mean --name?" in capsys.readouterr().err
    assert run_command(["--name"]) == 2
    assert "needs a value" in capsys.readouterr().err
    assert run_command([]) == 2
    assert run_command(["--help"]) == 0
    assert "autolog run train.py --lr 0.1" in capsys.readouterr().out
    assert run_command(["no-such-command-here"]) == 127
    assert "no-such-command-here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["train.py", "--name", "x"], [sys.executable, "train.py", "--name", "x"]),
        (["--name", "x", "train.py", "--"], [sys.executable, "train.py", "--"]),
        (["-m", "pkg", "-m"], [sys.executable, "-m", "pkg", "-m"]),
        (["--", "train.py"], [sys.executable, "train.py"]),
        (["torchrun", "train.py"], ["torchrun", "train.py"]),
        (["--", "-m", "x"], ["-m", "x"]),
    ],
)
def test_what_is_started(words, command):
    assert plan(words).command == command


def test_usage_shows_every_option():
    text = textwrap.dedent(run_command.__globals__["_USAGE"])
    for option in run_command.__globals__["_VALUES"]:
        assert f"--{option} " in text
