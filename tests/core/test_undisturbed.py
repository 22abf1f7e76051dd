"""Odd programs, with and without autolog: output, exit code and errors are the same, and the record is right."""

import subprocess
import sys
import textwrap

import pytest

from autolog.store import read_run

ODD = {
    "an exception without text": """
        log("a", 1.0)
        class Broken(Exception):
            def __str__(self):
                raise RuntimeError("no text")
        raise Broken()
        """,
    "an exception of an odd class": """
        log("a", 1.0)
        class Meta(type):
            def __getattribute__(cls, name):
                raise RuntimeError(name)
        raise Meta("Odd", (Exception,), {})("x")
        """,
    "text that is no UTF-8": r"""
        log("a\udcff", 1.0)
        raise ValueError("\udcff")
        """,
    "a working directory that is gone": """
        import os
        log("a", 1.0)
        """,
    "no descriptors left": """
        import os, resource
        log("a", 1.0)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        taken = []
        try:
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            pass
        again()
        log("a", 1.0)
        print("trained")
        """,
    "no stderr, and a full disk": """
        import resource, signal, sys
        sys.stderr = None
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        for _ in range(1000):
            log("a", 1.0)
        print("trained")
        """,
    "a module search path that holds anything": """
        import sys
        sys.path += [None, 5, b"x"]
        log("a", 1.0)
        """,
    "faulthandler switched on during the run": """
        import faulthandler
        log("a", 1.0)
        faulthandler.enable()
        end()
        print(faulthandler.is_enabled())
        """,
    "logging while Python ends": """
        import atexit
        class Late:
            def __del__(self):
                log("a", 3.0)
        late = Late()
        log("a", 1.0)
        """,
    "a generator closed in another context": """
        import contextvars
        def batches():
            with child():
                yield 1
        generator = batches()
        contextvars.copy_context().run(next, generator)
        generator.close()
        log("a", 1.0)
        """,
}
if sys.version_info < (3, 13):  # 3.13 leaves the OverflowError set and shows it wherever it is met next
    ODD["sys.exit with a very large code"] = "import sys; log('a', 1.0); sys.exit(2**70)"
BARE = """
import contextlib
def log(*_): pass
def again(): pass
def end(): pass
child = contextlib.nullcontext
"""
WITH = """
import autolog
run = autolog.start_run()
log, end = autolog.log_metric, autolog.finish
def again(): autolog.finish(); autolog.start_run()
def child(): return autolog.current_run().child("c")
"""


_LEAVE_NOWHERE = "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.argv[1], sys.argv[1:])"


@pytest.mark.parametrize("what", ODD)
def test_an_odd_program_runs_as_it_does_without_autolog(lab, what):
    bare, recorded = (_ended(lab, helper, ODD[what], gone="gone" in what) for helper in (BARE, WITH))
    assert recorded == bare
    metrics = [read_run(directory).metrics for directory in lab.directories()]
    assert any(name.startswith("a") for names in metrics for name in names)


def _ended(lab, helper, text, *, gone):
    """Exit code, stdout and stderr of a program; with ``gone``, its working directory is removed before it starts."""
    (lab.folder / "helper.py").write_text(helper)
    script = lab.script("import sys\nsys.path.insert(0, sys.argv[1])\nfrom helper import *\n" + textwrap.dedent(text))
    command = [sys.executable, str(script), str(lab.folder)]
    place = lab.folder / "place"
    place.mkdir(exist_ok=True)
    environment = {key: value for key, value in lab.environment.items() if key != "AUTOLOG_STRICT"}
    done = subprocess.run(
        [sys.executable, "-c", _LEAVE_NOWHERE, *command] if gone else command,
        cwd=place,
        env=environment | {"AUTOLOG_SIDECAR": "0"},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_what_is_logged_after_the_end_of_the_program_belongs_to_its_run(lab):
    """A destructor, and an atexit handler that Python calls after autolog's own."""
    done = lab.run(
        """
        import atexit
        atexit.register(lambda: autolog.log_metric("loss", 2.0))
        import autolog
        class Late:
            def __del__(self):
                autolog.log_metric("loss", 3.0)
        late = Late()
        autolog.log_metric("loss", 1.0)
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert lab.summary().metrics["loss"].count == 3
    assert lab.summary().status == "completed"


def test_the_current_run_is_never_one_that_has_ended(runs_dir):
    import autolog

    run = autolog.start_run()
    first, second = run.child("first"), run.child("second")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert autolog.current_run().name == "second"
    second.__exit__(None, None, None)
    assert autolog.current_run() is run
    with run.child("third"):
        autolog.finish()
        assert autolog.current_run() is None
        autolog.log_metric("loss", 1.0)  # begins another run
        assert autolog.current_run().id != run.id
    assert read_run(autolog.current_run().directory).metrics["loss"].count == 1


def test_a_run_that_has_ended_says_that_it_keeps_nothing(runs_dir, capsys):
    import autolog

    run = autolog.start_run()
    run.finish()
    other = autolog.start_run()
    run.finish()  # no second end, and not that of the other run
    assert not other.ended
    run.log_metric("loss", 1.0)
    run.log_metric("loss", 1.0)
    assert capsys.readouterr().err.count("has ended; what is logged to it afterwards is not kept") == 1


def test_a_run_inside_a_model_is_cloned_with_it_and_not_pickled(runs_dir):
    import copy
    import pickle

    import autolog

    run = autolog.start_run()
    assert copy.deepcopy({"model": run})["model"] is run
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(run)


@pytest.mark.parametrize(
    ("code", "status", "exit_code"),
    [(0, "completed", 0), (None, "completed", 0), (3, "failed", 3), ("bad", "failed", 1)],
)
def test_sys_exit_inside_the_block_of_a_run(runs_dir, code, status, exit_code):
    import autolog

    with pytest.raises(SystemExit), autolog.start_run() as run, run.child("fit"):
        raise SystemExit(code)
    summary = read_run(run.directory)
    assert (summary.status, summary.end["exit_code"]) == (status, exit_code)
    assert [child.status for child in summary.children] == [status]


def test_captured_values_of_hostile_objects_cost_only_themselves(runs_dir, monkeypatch):
    import autolog
    from autolog import config, guard

    class Hostile:
        def __getattr__(self, name):
            raise RuntimeError(name)

        @property
        def __class__(self):
            raise RuntimeError("class")

    monkeypatch.setenv("AUTOLOG_STRICT", "0")
    monkeypatch.setattr(config, "_cached", None)
    monkeypatch.setattr(guard, "_failures", {})
    run = autolog.start_run()
    run.captured_metrics({"odd": Hostile(), "loss": 0.5})
    assert set(read_run(run.directory).metrics) == {"loss"}
    assert "metrics" in guard.failures()


def test_a_relative_directory_stays_what_it_was_after_chdir(tmp_path, monkeypatch):
    from autolog import config

    monkeypatch.setattr(config, "_cached", None)
    monkeypatch.setattr(config, "_explicit", {})
    monkeypatch.setenv("AUTOLOG_DIR", "runs")
    monkeypatch.chdir(tmp_path)
    config.settings()
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert config.runs_root() == tmp_path / "runs"
    monkeypatch.delenv("AUTOLOG_DIR")
    (tmp_path / "autolog.toml").write_text('dir = "kept"\n')
    monkeypatch.setattr(config, "_cached", None)
    assert config.runs_root() == tmp_path / "kept"


def test_autolog_run_without_any_descriptor(lab):
    script = lab.script("import autolog\nautolog.log_metric('loss', 1.0)\n")
    command = f"'{sys.executable}' -m autolog.cli run '{script}' <&- >&- 2>&-"
    done = subprocess.run(["/bin/sh", "-c", command], env=lab.environment, cwd=lab.folder, check=False)
    lab.settle(begun=True)
    assert done.returncode == 0
    assert lab.summary().metrics["loss"].count == 1
