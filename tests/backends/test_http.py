"""The http backend: every byte reaches the server once, whatever fails on the way, and training never waits for it."""

import json
import shutil
import signal
import time
from pathlib import Path

import pytest

from autolog import journal
from autolog.sidecar import progress
from tests.waiting import PATIENCE

TRAINS = """
    import autolog, sys
    print("training begins")
    for n in range(3000):
        autolog.log_metric("loss", 1 / (n + 1), step=n)
    autolog.log_text("words", "of wisdom")
    print("training ends")
"""


def environment(lab, server, url=None):
    lab.environment |= {
        "AUTOLOG_BACKEND": "local,http",
        "AUTOLOG_URL": url or server.url,
        "AUTOLOG_TOKEN": server.admin,
        "XDG_CONFIG_HOME": str(lab.folder / "config"),
    }


def copies(lab, server):
    """Each run's directory here and at the server."""
    return [(directory, server.data / "lab" / directory.name) for directory in lab.directories()]


def assert_whole(lab, server):
    """The server has every byte of every journal, asset and console, and nothing else."""
    for here, there in copies(lab, server):
        names = {
            path.relative_to(here).as_posix()
            for path in here.rglob("*")
            if path.is_file() and not path.name.startswith((".", "delivery.json", "metrics.parquet"))
        }
        sent = (path for path in there.rglob("*") if path.is_file() and not path.name.startswith("."))
        assert {path.relative_to(there).as_posix() for path in sent} == names
        for name in names:
            assert (there / name).read_bytes() == (here / name).read_bytes(), name
        state = progress.states(here)["http"]
        assert state.done
        assert state.error == ""
        assert state.journals == {path.name: path.stat().st_size for path in journal.journals(here)}


def test_a_run_arrives_whole(lab, own_server):
    environment(lab, own_server)
    done = lab.run(TRAINS, AUTOLOG_EXIT_WAIT="100", AUTOLOG_DISABLE="")
    assert (done.returncode, done.stderr) == (0, "")
    assert_whole(lab, own_server)
    assert b"training ends" in (copies(lab, own_server)[0][1] / "console.log").read_bytes()


def test_the_token_may_come_from_login(lab, own_server):
    environment(lab, own_server)
    del lab.environment["AUTOLOG_TOKEN"]
    assert lab.run(TRAINS, AUTOLOG_EXIT_WAIT="0.5").returncode == 0
    assert "autolog login" in lab.delivery().error
    lab.autolog("login", own_server.url, given="nonsense\n", code=1)
    stored = lab.autolog("login", own_server.url, given=f"{own_server.admin}\n").split()[-1]
    assert Path(stored).stat().st_mode & 0o777 == 0o600
    lab.autolog("sync")
    assert_whole(lab, own_server)


@pytest.mark.parametrize("mode", ["refuse", "reset", "hang", "500", "429", "html", "cut", "cut_answer", "slow"])
def test_nothing_is_lost_to_a_bad_network(lab, own_server, proxy, mode):
    """The process ends in its time; once the network is well, everything is delivered."""
    environment(lab, own_server, proxy.url)
    proxy.mode = mode
    done = lab.start(TRAINS, AUTOLOG_EXIT_WAIT="1")
    _, err = done.communicate(timeout=PATIENCE)
    assert done.returncode == 0
    if mode != "slow":
        assert "not everything has reached http" in err
        assert "autolog sync" in err
    proxy.mode = "pass"
    lab.settle(begun=True)
    lab.autolog("sync")
    assert_whole(lab, own_server)


def test_a_server_that_is_killed_and_comes_back(lab, own_server):
    environment(lab, own_server)
    training = lab.start(
        """
        import autolog, time
        for n in range(600):
            autolog.log_metric("loss", n, step=n)
            time.sleep(0.01)
        """,
        AUTOLOG_EXIT_WAIT="30",
    )
    for _ in range(3):
        time.sleep(1.0)
        own_server.end(signal.SIGKILL)
        time.sleep(0.3)
        own_server.start()
    assert training.wait(PATIENCE) == 0
    lab.settle()
    lab.autolog("sync")
    assert_whole(lab, own_server)


def test_a_server_restored_from_an_older_state_catches_up(lab, own_server):
    environment(lab, own_server)
    lab.run(TRAINS, AUTOLOG_EXIT_WAIT="100")
    ((here, there),) = copies(lab, own_server)
    data = (there / "journal.jsonl").read_bytes()
    (there / "journal.jsonl").write_bytes(data[: data.index(b"\n", len(data) // 3) + 1])
    state = json.loads((here / progress.FILE).read_text())
    state["http"]["journals"]["journal.jsonl"] = data.index(b"\n", len(data) // 2) + 1  # as we were told once
    (here / progress.FILE).write_text(json.dumps(state))
    lab.autolog("sync")
    assert (there / "journal.jsonl").read_bytes() == data


def test_a_killed_sidecar_and_process_leave_their_rest_to_sync(lab, own_server, proxy):
    environment(lab, own_server, proxy.url)
    proxy.mode = "refuse"
    training = lab.start(
        "import autolog, time\nfor n in range(500): autolog.log_metric('n', n)\nprint('x', flush=True)\ntime.sleep(60)"
    )
    training.stdout.readline()
    lab.kill_sidecar()
    training.kill()
    training.wait()
    proxy.mode = "pass"
    lab.autolog("sync")
    ((here, there),) = copies(lab, own_server)
    assert (there / "journal.jsonl").read_bytes() == (here / "journal.jsonl").read_bytes()


def test_torn_lines_arrive_as_they_are(lab, own_server):
    environment(lab, own_server)
    lab.run(TRAINS, AUTOLOG_BACKEND="local")
    with (lab.only() / "journal.jsonl").open("ab") as file:
        file.write(b'{"type":"metrics","ti\n{"type":"note","time":1.0,"text":"after"}\n')
    lab.autolog("sync")
    assert_whole(lab, own_server)


def test_a_server_that_has_lost_a_finished_run_gets_it_again(lab, own_server):
    environment(lab, own_server)
    lab.run(TRAINS, AUTOLOG_EXIT_WAIT="100")
    assert_whole(lab, own_server)
    ((_, there),) = copies(lab, own_server)
    shutil.rmtree(there)
    assert "everything was delivered already" in lab.autolog("sync")
    lab.autolog("sync", "--anew")
    assert_whole(lab, own_server)
