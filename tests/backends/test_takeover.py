"""Sidecars that are killed while the training goes on: another takes up the work, and nothing is doubled or missing."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from autolog import config, events, journal
from autolog.sidecar import launch, loop, progress, takeover
from tests.labs import is_alive
from tests.waiting import PATIENCE

SILENT = """
    import autolog, pathlib, sys, time
    autolog.log_metric("n", 1)
    print("ready", flush=True)
    while not pathlib.Path("stop").exists():
        time.sleep(0.02)
    autolog.log_metric("n", 2)
    sys.exit(3)
"""
BUSY = """
    import autolog, multiprocessing as mp, os, pathlib, threading, time
    stop = pathlib.Path("stop")

    def work(name):
        n = 0
        while not stop.exists():
            autolog.log_metric(name, n)
            n += 1
            time.sleep(0.002)

    def child():
        work("in_child")

    autolog.log_metric("n", 1)
    threads = [threading.Thread(target=work, args=(f"in_thread_{n}",)) for n in range(4)]
    forks = [mp.get_context("fork").Process(target=child) for _ in range(2)]
    for each in (*forks, *threads):
        each.start()
    print("ready", flush=True)
    for each in (*threads, *forks):
        each.join()
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        print("no children", flush=True)
"""


@pytest.fixture
def sent(lab, server):
    """The server that everything is sent to."""
    lab.environment |= {
        "AUTOLOG_BACKEND": "local,http", "AUTOLOG_URL": server.url, "AUTOLOG_TOKEN": server.admin,
        "AUTOLOG_EXIT_WAIT": "20",
    }  # fmt: skip
    return server


def system(lab, kind):
    path = lab.only() / journal.SYSTEM
    return [record for record, _ in journal.read(path) if isinstance(record, kind)] if path.exists() else []


def sidecars(lab):
    return [record.pid for record in system(lab, events.RunStart)]


def samples_of_last(lab):
    """How many samples the sidecar that began last has written."""
    count = 0
    for record in system(lab, events.Record):
        count = 0 if isinstance(record, events.RunStart) else count + isinstance(record, events.System)
    return count


def begin(lab, text, **options):
    process = lab.start(text, **options)
    assert process.stdout.readline() == "ready\n"
    lab.until(lambda: samples_of_last(lab) > 1)
    return process


def kill_last(lab):
    """Kill the sidecar that began last; another one samples then."""
    before = sidecars(lab)
    os.kill(before[-1], signal.SIGKILL)
    lab.until(lambda: len(sidecars(lab)) > len(before) and samples_of_last(lab) > 1)


def waits(pid):
    """Whether a sidecar has come as far as to wait for its time: its modules are there, and it sleeps."""
    place = Path(f"/proc/{pid}")
    with contextlib.suppress(OSError):
        sleeps = (place / "stat").read_text().rpartition(")")[2].split()[0] == "S"
        return sleeps and "_psutil" in (place / "maps").read_text()
    return False


def stop(lab, process):
    (lab.folder / "stop").touch()
    out, err = process.communicate(timeout=PATIENCE)
    lab.settle()
    return out, err


def every_record(directory):
    for path in journal.journals(directory):
        yield from journal.read(path)


def whole(lab, server):
    """Everything is on the server, byte for byte; each fact and each end stands there once."""
    directory = lab.only()
    for path in journal.journals(directory):
        assert (server.data / "lab" / directory.name / path.name).read_bytes() == path.read_bytes()
    assert progress.states(directory)["http"].done
    facts = Counter(record.name for record in system(lab, events.Fact))
    assert facts["sampling"] == facts["host"] == facts["packages"] == 1
    assert set(facts.values()) == {1}
    assert len(system(lab, events.Exit)) == 1
    (told,) = json.loads(lab.autolog("sync", "--status", "--json"))
    assert told["complete"]
    records = told["records"]
    assert records["recorded"] == records["delivered"] == len(list(every_record(directory)))
    assert records["pending"] == records["lost"] == 0
    return server.ask("GET", f"/api/v1/projects/lab/runs/{directory.name}").json


def test_one_that_is_killed_twice_is_followed_and_the_end_is_told(lab, sent):
    """The training logs nothing meanwhile: it has no part in it."""
    training = begin(lab, SILENT)
    kill_last(lab)
    assert training.poll() is None
    kill_last(lab)
    _, err = stop(lab, training)
    assert (training.returncode, err) == (3, "")
    run = whole(lab, sent)
    assert (run["status"], run["end"]["exit_code"]) == ("failed", 3)
    notices = [record.detail for record in system(lab, events.Health) if record.where == "sidecar"]
    assert [f"time {n} of at most" in text for n, text in enumerate(notices, 1)] == [True, True]


def test_one_that_is_killed_before_its_first_word(lab, sent):
    training = lab.start(SILENT)
    assert training.stdout.readline() == "ready\n"
    lab.until(lambda: len(lab.beside()) > 1 or sidecars(lab))
    for pid in lab.beside():
        if Path(f"/proc/{pid}/exe").readlink().name.startswith("python"):
            os.kill(pid, signal.SIGKILL)
    lab.until(lambda: samples_of_last(lab) > 1)
    stop(lab, training)
    assert whole(lab, sent)["status"] == "failed"


def test_forks_and_threads_of_the_training_notice_nothing(lab, sent):
    training = begin(lab, BUSY)
    kill_last(lab)
    kill_last(lab)
    out, err = stop(lab, training)
    assert (training.returncode, out, err) == (0, "no children\n", "")
    run = whole(lab, sent)
    assert run["status"] == "completed"
    assert run["metrics"]["in_child"]["count"] > 2


def test_one_that_is_killed_with_its_training_still_tells_how_that_ended(lab, sent):
    training = begin(lab, SILENT)
    (pid,) = sidecars(lab)
    os.kill(pid, signal.SIGKILL)
    training.kill()
    training.wait()
    lab.settle()
    run = whole(lab, sent)
    assert (run["status"], run["end"]["signal"]) == ("killed", "KILL")


def test_one_that_is_killed_while_it_delivers_the_rest_tells_the_end_once(lab, sent, shared_proxy):
    lab.environment |= {"AUTOLOG_URL": shared_proxy.url, "AUTOLOG_EXIT_WAIT": "5"}
    shared_proxy.mode = "500"
    training = begin(lab, SILENT)
    training.kill()
    training.wait()
    lab.until(lambda: system(lab, events.Exit) and "500" in lab.delivery().error)
    os.kill(sidecars(lab)[-1], signal.SIGKILL)
    lab.until(lambda: len(sidecars(lab)) == 2)
    shared_proxy.mode = "pass"
    lab.settle()
    assert whole(lab, sent)["end"]["signal"] == "KILL"


@pytest.mark.parametrize("paused", [False, True])
def test_a_directory_that_was_removed_meanwhile_stays_so(lab, sent, paused):
    training = begin(lab, SILENT)
    for _ in range(3 if paused else 0):
        kill_last(lab)
    pid = sidecars(lab)[-1]
    directory = lab.only()
    os.kill(pid, signal.SIGKILL if paused else signal.SIGSTOP)  # the next one waits for seconds; this one is still
    if paused:
        lab.until(lambda: any(waits(each) for each in lab.beside()))
    shutil.rmtree(directory)
    if not paused:
        os.kill(pid, signal.SIGKILL)
    training.kill()
    training.wait()
    lab.until(lambda: not is_alive(pid))
    lab.settle()
    assert not directory.exists()


def test_a_spool_whose_removal_was_cut_off_goes(lab):
    directory = lab.runs / "lab" / "20260101-000000-abcdef"
    (directory / "assets" / "text").mkdir(parents=True)
    progress.keep(directory, {"http": progress.State(done=True, spool=True, target="http://lab", journals={"a": 9})})
    settings = config.Settings(backend=["http"], url="http://lab")
    given = msgspec.structs.asdict(settings)
    job = {
        "directory": str(directory), "id": directory.name, "name": "otter", "project": "lab", "pid": 1, "node": "",
        "pid_started": 1.0, "pidfd": -1, "wake": -1, "journal": journal.MAIN, "settings": given,
    }  # fmt: skip
    assert not loop._Sidecar(job, 1).follow()
    assert not directory.exists()


@pytest.mark.parametrize("keep", ["sh", "python"])
@pytest.mark.parametrize(
    ("ends", "times"),
    [
        pytest.param("exit 0", 1, id="well"),
        pytest.param("kill -TERM $$", 1, id="told to"),
        pytest.param("kill -KILL $$", launch.RESTARTS + 1, id="killed"),
        pytest.param("exit 1", launch.RESTARTS + 1, id="failed"),
    ],
)
def test_the_number_of_restarts_is_limited(tmp_path, keep, ends, times):
    told, over = tmp_path / "told", tmp_path / "over"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho $2 >> {told}\n{ends}\n")
    program.chmod(0o700)
    reader, writer = os.pipe()
    start = {"sh": ["/bin/sh", "-c", launch._KEEP, "sh"], "python": [sys.executable, "-c", launch._KEEP_BY_PYTHON]}
    subprocess.run([*start[keep], str(program), str(over)], pass_fds=[writer], check=True)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b""  # until nobody has the other end any more
    assert told.read_text().split() == [str(n) for n in range(times)]


def test_the_distances_grow():
    pauses = [takeover.pause(takeover.Before(begun=100.0), number, 100.0) for number in range(1, launch.RESTARTS + 1)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128]
    assert takeover.pause(takeover.Before(begun=100.0), 8, 10_000.0) == 0  # it had lived for long
    assert takeover.pause(takeover.Before(begun=100.0), 3, 50.0) == 4  # a clock that was set back


def test_the_end_of_the_run_cuts_the_pause_short():
    over = os.eventfd(0)
    known = takeover.Before(begun=time.time())
    waiting = threading.Thread(target=takeover.wait, args=(known, launch.RESTARTS, (None, over)), daemon=True)
    waiting.start()
    os.eventfd_write(over, 1)
    waiting.join(60)  # it would be two minutes
    assert not waiting.is_alive()
    os.close(over)
