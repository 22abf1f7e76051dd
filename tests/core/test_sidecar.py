"""The sidecar beside real processes: it comes, samples, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autolog import events, journal
from tests.waiting import PATIENCE

RUNNING = """
    import autolog, time
    autolog.log_metric("n", 1)
    print("ready", flush=True)
    time.sleep(600)
"""


def ready(lab, text=RUNNING, **options):
    process = lab.start(text, **options)
    assert process.stdout.readline() == "ready\n"
    return process


def alive(pid: int) -> bool:
    """Neither gone nor a zombie that init has not collected yet."""
    try:
        return stat_of(pid)[0] not in "ZX"
    except OSError:
        return False


def stat_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def test_samples_facts_and_exit(lab):
    process = ready(lab)
    lab.sidecar()
    lab.until(lambda: len(lab.records(events.System)) >= 4)
    samples = lab.records(events.System)  # of the living: one more may come when the process has just gone
    process.terminate()
    process.communicate()
    lab.settle()
    header, *_ = [record for record, _ in journal.read(lab.only() / journal.SYSTEM)]
    assert isinstance(header, events.RunStart)
    assert (header.id, header.role) == (lab.only().name, "sidecar")
    assert samples[0].values["memory.main_rss_bytes"] > 1_000_000
    later = samples[-1].values
    assert later["process.count"] == 1
    assert 0 <= later["cpu.host_percent"] <= 100
    assert later["cpu.process_percent"] >= 0
    assert later["memory.process_rss_bytes"] >= later["memory.main_rss_bytes"]
    assert later["disk.free_bytes"] > 0
    assert lab.records(events.Health) == []
    assert not (lab.only() / "sidecar.log").exists()
    assert not (lab.only() / "fatal.log").exists()


def test_busy_children_are_in_the_sample(lab):
    """What the process tree uses is seen, and only that."""
    process = ready(
        lab,
        """
        import autolog, subprocess, sys
        autolog.log_metric("n", 1)
        child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        print("ready", flush=True)
        try:
            child.wait()
        finally:
            child.kill()
            child.wait()
        """,
    )
    lab.sidecar()
    lab.until(
        lambda: any(
            record.values["process.count"] == 2 and record.values.get("cpu.process_percent", 0) > 10
            for record in lab.records(events.System)
        )
    )
    process.send_signal(signal.SIGINT)
    process.communicate()


def test_no_child_no_zombie_and_a_session_of_its_own(lab):
    process = ready(
        lab,
        """
        import autolog, os, psutil, time
        autolog.log_metric("n", 1)
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            children = "none"
        print("ready", flush=True)
        print(children, psutil.Process().children(recursive=True), flush=True)
        time.sleep(600)
        """,
    )
    assert process.stdout.readline() == "none []\n"
    pid = lab.sidecar()
    _, parent, group, session, terminal = stat_of(pid)[:5]
    assert int(parent) != process.pid
    assert int(session) == int(group) != os.getsid(process.pid)
    assert int(terminal) == 0
    # It holds neither the training's terminal nor its pipes: whoever reads those must see them close.
    shared = _links(pid) & _links(process.pid)
    assert shared <= {"/dev/null", "anon_inode:[pidfd]", "anon_inode:[eventfd]"}
    process.kill()
    process.communicate()


def _links(pid: int) -> set[str]:
    return {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}


def test_a_user_module_named_like_a_standard_one_does_not_break_it(lab):
    for name in ("psutil", "pynvml", "resource", "traceback"):
        lab.script("raise RuntimeError('not meant')", name=f"{name}.py")
    lab.run("import autolog; autolog.log_metric('n', 1)")
    assert lab.records(events.Exit)
    assert lab.records(events.Health) == []


def test_token_is_on_no_command_line_and_in_no_environment(lab):
    process = ready(lab, AUTOLOG_TOKEN="canary-of-a-token")
    pid = lab.sidecar()
    for name in ("cmdline", "environ"):
        assert b"canary-of-a-token" not in Path(f"/proc/{pid}/{name}").read_bytes()
    process.kill()
    process.communicate()


def test_several_runs_of_one_process(lab):
    """Each run has its sidecar, which leaves when the run has ended, while the process goes on."""
    process = ready(
        lab,
        """
        import autolog, time
        for n in range(3):
            with autolog.start_run():
                autolog.log_metric("n", n)
        print("ready", flush=True)
        time.sleep(600)
        """,
    )
    lab.settle(begun=True)
    assert process.poll() is None
    assert len(lab.sidecars()) == 3
    process.kill()
    process.communicate()
    from autolog.store import read_run

    assert [read_run(directory).status for directory in lab.directories()] == ["completed"] * 3


def test_sigterm_to_the_sidecar_ends_it_alone(lab):
    process = ready(lab)
    os.kill(lab.sidecar(), signal.SIGTERM)
    lab.settle()
    assert process.poll() is None
    assert lab.summary().status == "running"
    assert lab.records(events.Exit) == []
    process.kill()
    process.communicate()
    assert lab.summary().status == "killed"


def test_sigterm_to_both_at_once_is_known(lab, wait_until):
    process = ready(lab)
    sidecar = lab.sidecar()
    wait_until(lambda: lab.records(events.System))
    os.kill(sidecar, signal.SIGTERM)
    process.terminate()
    process.communicate()
    lab.settle()
    assert lab.summary().end["signal"] == "TERM"


def test_terminal_hangup_and_ctrl_c_do_not_reach_it(lab, wait_until):
    """A new session: killing the training's whole process group leaves the sidecar to tell of it."""
    process = lab.start(RUNNING, before=("setsid", "-w", sys.executable))
    assert process.stdout.readline() == "ready\n"
    pid = lab.sidecar()
    wait_until(lambda: lab.records(events.System))
    (start,) = lab.records(events.RunStart, journal.MAIN)
    assert os.getpgid(pid) != os.getpgid(start.pid)
    os.killpg(os.getpgid(start.pid), signal.SIGHUP)
    process.communicate()
    lab.settle()
    assert lab.summary().end["signal"] == "HUP"


def test_nohup(lab):
    process = lab.start(RUNNING, before=("nohup", sys.executable))
    assert process.stdout.readline() == "ready\n"
    lab.sidecar()
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    lab.settle()
    assert lab.summary().end["signal"] == "TERM"


def test_sidecar_that_cannot_start_is_said_and_training_goes_on(lab):
    process = lab.start(
        "import sys, autolog; sys.executable = '/bin/false-program'; autolog.log_metric('n', 1); print('trained')"
    )
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "trained\n", "")
    summary = lab.summary()
    assert summary.status == "completed"
    (notice,) = lab.records(events.Health, journal.MAIN)
    assert notice.where == "sidecar"
    assert "false-program" in notice.detail


def test_no_processes_left_for_the_sidecar(lab):
    """``fork`` fails: the limit of processes is reached, as on a crowded login node."""
    process = lab.start(
        """
        import autolog, subprocess
        from autolog.sidecar import launch
        class Refused(subprocess.Popen):
            def _execute_child(self, *arguments, **options):
                raise BlockingIOError(11, "Resource temporarily unavailable")
        launch.subprocess.Popen = Refused
        autolog.log_metric("n", 1)
        print("trained")
        """
    )
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "trained\n", "")
    (notice,) = lab.records(events.Health, journal.MAIN)
    assert "Resource temporarily unavailable" in notice.detail


def test_removed_run_directory(lab, wait_until):
    """While training goes on, what it logs brings the record back; the sidecar alone never does."""
    import shutil

    process = ready(lab)
    pid = lab.sidecar()
    wait_until(lambda: lab.records(events.System))
    directory = lab.only()
    shutil.rmtree(directory)
    process.kill()
    process.communicate()
    wait_until(lambda: not alive(pid))
    assert not directory.exists()


def test_metrics_are_compacted(lab):
    pq = pytest.importorskip("pyarrow.parquet")
    lab.run("""
        import autolog
        for value in (0.1, float("nan"), float("inf"), -float("inf"), 1e308):
            autolog.log_metric("loss", value, step=7, epoch=1)
    """)
    table = pq.read_table(lab.only() / "metrics.parquet").to_pydict()
    assert [repr(value) for value in table["value"]] == ["0.1", "nan", "inf", "-inf", "1e+308"]
    assert set(table["metric"]) == {"loss"}
    assert set(table["step"]) == {7.0}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            """
            import autolog, os
            autolog.log_metric("n", 1)
            pid = os.fork()
            if pid == 0:
                autolog.log_metric("in_child", 1)
                raise SystemExit(5)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
            """,
            id="fork",
        ),
        pytest.param(
            """
            import autolog, multiprocessing as mp
            def work(n):
                autolog.log_metric("in_child", n)
                return n
            if __name__ == "__main__":
                autolog.log_metric("n", 1)
                with mp.get_context("fork").Pool(2) as pool:
                    assert pool.map(work, range(4)) == [0, 1, 2, 3]
            """,
            id="multiprocessing-fork",
        ),
        pytest.param(
            """
            import autolog, multiprocessing as mp
            def work(n):
                autolog.log_metric("in_child", n)
                return n
            if __name__ == "__main__":
                autolog.log_metric("n", 1)
                with mp.get_context("spawn").Pool(2) as pool:
                    assert pool.map(work, range(4)) == [0, 1, 2, 3]
            """,
            id="multiprocessing-spawn",
        ),
        pytest.param(
            """
            import autolog
            from joblib import Parallel, delayed
            autolog.log_metric("n", 1)
            assert Parallel(n_jobs=2)(delayed(pow)(n, 2) for n in range(4)) == [0, 1, 4, 9]
            """,
            id="joblib",
        ),
        pytest.param(
            """
            import autolog, threading
            autolog.log_metric("n", 1)
            threads = [threading.Thread(target=autolog.log_metric, args=("in_thread", n)) for n in range(20)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            """,
            id="threads",
        ),
        pytest.param(
            """
            import asyncio, autolog
            autolog.log_metric("n", 1)
            async def task(n):
                with autolog.child_run(f"task {n}"):
                    await asyncio.sleep(0)
                    autolog.log_metric("in_task", n)
            async def main():
                await asyncio.gather(*map(task, range(10)))
            asyncio.run(main())
            """,
            id="asyncio",
        ),
    ],
)
def test_workers_disturb_nothing(lab, text):
    """One run, completed by its own process; workers write only into it; one sidecar, gone at the end."""
    if "joblib" in text:
        pytest.importorskip("joblib")
    done = lab.run(text)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(lab.directories()) == 1
    assert len(lab.sidecars()) == 1
    assert lab.summary().status == "completed"
    assert len(lab.records(events.End, journal.MAIN)) == 1
    mine = [name for record in lab.records(events.Metrics, journal.MAIN) for name in record.values]
    assert "in_child" not in mine
    if "in_child" in text:
        elsewhere = lab.only().glob("journal.w*.jsonl")
        found = sum(
            isinstance(record, events.Metrics) and "in_child" in record.values
            for path in elsewhere
            for record, _ in journal.read(path)
        )
        assert found == text.count("SystemExit") or found == 4


def test_worker_that_outlives_the_process_is_not_waited_for(lab):
    process = lab.start(
        """
        import autolog, os, time
        autolog.log_metric("n", 1)
        if os.fork() == 0:
            time.sleep(600)
        print(os.getpid(), flush=True)
        os._exit(0)
        """
    )
    process.wait(timeout=PATIENCE)
    lab.sidecar()
    lab.settle()
    assert lab.summary().status == "completed"
    workers = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _belongs(entry, lab.folder / "train.py")
    ]
    assert len(workers) == 1
    os.kill(workers[0], signal.SIGKILL)


def _belongs(entry: Path, script: Path) -> bool:
    try:
        return str(script).encode() in (entry / "cmdline").read_bytes()
    except OSError:
        return False


@pytest.fixture
def small_disk(tmp_path, wait_until):
    """A file system of 64 kB; only root can make one."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    yield place
    # Busy until the sidecar, which has no room for its record there, has gone by itself.
    wait_until(lambda: subprocess.run(["umount", str(place)], capture_output=True, check=False).returncode == 0)


def test_full_disk(lab, small_disk):
    done = lab.start(
        """
        import autolog, sys
        for n in range(5000):
            autolog.log_metric("n", n)
        print("trained")
        """,
        AUTOLOG_DIR=str(small_disk),
    )
    out, err = done.communicate(timeout=PATIENCE)
    assert (done.returncode, out) == (0, "trained\n")
    assert err.count("autolog: cannot write") == 1


def test_directory_that_cannot_be_written(lab):
    """The record goes to the temporary directory instead, and that is said."""
    (lab.folder / "runs").write_text("a file stands where the directory should be")
    spare = lab.folder / "tmp"
    spare.mkdir()
    process = lab.start("import autolog; autolog.log_metric('n', 1); print('trained')", TMPDIR=str(spare))
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (0, "trained\n")
    assert "is kept in" in err
    (lab.runs,) = spare.glob("autolog-*")
    lab.settle(begun=True)
    assert lab.summary().status == "completed"
