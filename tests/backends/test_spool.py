"""The directory as a spool, what earlier runs have left, the wait at the end, and how fast is sent."""

import email.utils
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from autolog import journal
from autolog.backends.http_connection import retry_after
from autolog.backends.http_pace import Body, Pace
from autolog.sidecar import progress
from tests.waiting import PATIENCE

TRAINS = "import autolog\nfor n in range(500): autolog.log_metric('n', n)\nautolog.log_text('words', 'of wisdom')"


@pytest.fixture
def sent(lab, server):
    lab.environment |= {
        "AUTOLOG_BACKEND": "local,http", "AUTOLOG_URL": server.url, "AUTOLOG_TOKEN": server.admin,
        "AUTOLOG_EXIT_WAIT": "10", "XDG_CONFIG_HOME": str(lab.folder / "config"),
    }  # fmt: skip
    return server


def delivered(lab):
    return {directory.name: progress.states(directory)["http"].done for directory in lab.directories()}


def test_without_local_the_directory_goes_once_all_is_there(lab, sent):
    lab.environment["AUTOLOG_BACKEND"] = "http"
    script = "import autolog\nrun = autolog.start_run()\nprint(run.id)\n" + TRAINS
    process = lab.start(script, AUTOLOG_EXIT_WAIT="100")
    out, err = process.communicate(timeout=PATIENCE)
    lab.until(lambda: not list(lab.runs.glob("lab/2*")))
    assert (process.returncode, err) == (0, "")
    there = sent.data / "lab" / out.strip()
    assert sum(b'"n"' in line for line in (there / "journal.jsonl").read_bytes().splitlines()) == 500
    assert list(there.glob("assets/*/*"))


def test_without_local_the_directory_stays_until_then(lab, sent):
    lab.environment |= {"AUTOLOG_BACKEND": "http", "AUTOLOG_URL": "http://127.0.0.1:1", "AUTOLOG_EXIT_WAIT": "0.2"}
    lab.run(TRAINS)
    assert lab.delivery().spool
    assert "1 runs wait" in lab.autolog("doctor", "--quick", code=1)
    lab.environment |= {"AUTOLOG_URL": sent.url, "AUTOLOG_EXIT_WAIT": "10"}
    lab.autolog("sync")
    assert not lab.directories()


def test_a_run_that_was_kept_stays_under_later_settings(lab, sent):
    lab.run(TRAINS, AUTOLOG_BACKEND="local")
    lab.environment["AUTOLOG_BACKEND"] = "http"
    lab.autolog("sync")
    assert delivered(lab) == {lab.only().name: True}


def test_the_next_runs_sidecar_delivers_what_was_left_and_how_it_ended(lab, sent):
    training = lab.start("import autolog, time\nautolog.log_metric('n', 1)\nprint(flush=True)\ntime.sleep(60)")
    training.stdout.readline()
    lab.kill_sidecar()
    training.kill()
    training.wait()
    lab.run(TRAINS, AUTOLOG_BACKEND="local")  # meant for nobody else
    first, kept = lab.directories()
    lab.run(TRAINS)
    lab.until(lambda: progress.states(first).get("http", progress.State()).done)
    assert progress.states(kept) == {}
    assert not (sent.data / "lab" / kept.name).exists()
    assert (sent.data / "lab" / first.name / journal.MAIN).read_bytes() == (first / journal.MAIN).read_bytes()
    run = sent.ask("GET", f"/api/v1/projects/lab/runs/{first.name}").json
    assert (run["status"], run["end"]["source"]) == ("killed", "none")


def test_runs_that_end_while_the_program_goes_on_do_not_wait(lab):
    """A sweep with a dead server: the wait is one, at the end of the process."""
    lab.environment |= {"AUTOLOG_BACKEND": "local,http", "AUTOLOG_URL": "http://127.0.0.1:1"}
    done = lab.start(
        """
        import autolog, time
        from autolog.sidecar import leaving
        waits = []
        class clock:
            monotonic = time.monotonic
            def sleep(seconds):
                waits.append(seconds)
                time.sleep(seconds)
        leaving.time = clock
        for n in range(3):
            with autolog.start_run():
                autolog.log_metric("n", n)
        print(waits)
        """,
        AUTOLOG_EXIT_WAIT="0.5",
    )
    out, err = done.communicate(timeout=PATIENCE)
    assert out == "[]\n"
    assert err.count("\n") == 1
    assert "3 runs below" in err
    lab.kill_beside()


def terminal(lab, text, **environment):
    """Run a script whose standard error is a terminal; what came there."""
    mine, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, str(lab.script(text))], env=lab.environment | environment | {"TERM": "xterm"}, cwd=lab.folder,
        stdout=subprocess.DEVNULL, stderr=its,
    )  # fmt: skip
    lab.started.append(process)
    os.close(its)
    seen = b""
    while select.select([mine], [], [], 60)[0]:
        try:
            seen += os.read(mine, 4096)
        except OSError:  # the other end is closed
            break
    os.close(mine)
    assert process.wait(PATIENCE) == 0
    return seen.decode().replace("\r\n", "\n")


def test_progress_is_shown_on_a_terminal_and_erased(lab):
    lab.environment |= {"AUTOLOG_BACKEND": "local,http", "AUTOLOG_URL": "http://127.0.0.1:1"}
    script = TRAINS + "\nimport sys\nsys.stderr.write('half a line')"
    seen = terminal(lab, script, AUTOLOG_EXIT_WAIT="1.5", AUTOLOG_DISABLE="console")
    before, _, rest = seen.partition("half a line")
    assert "delivering" not in before
    shown, _, told = rest.rpartition("\0338")
    assert "autolog: delivering to http: " in shown
    assert "autolog: not everything has reached http" in told
    drawn = shown.split("\033D\033M\0337\r\n\033[K")  # below the program's own line, which is not touched
    assert drawn[0] == ""
    assert all("\n" not in text for text in drawn)
    assert drawn[-1] == ""  # the last thing drawn is nothing
    lab.kill_beside()


def test_ctrl_c_ends_the_wait(lab):
    lab.environment |= {"AUTOLOG_BACKEND": "local,http", "AUTOLOG_URL": "http://127.0.0.1:1"}
    waits = """
import time
from autolog.sidecar import leaving
class clock:
    monotonic = time.monotonic
    def sleep(seconds):
        print("waiting", flush=True)
        time.sleep(seconds)
leaving.time = clock
"""
    process = lab.start(TRAINS + waits, AUTOLOG_EXIT_WAIT="60", AUTOLOG_DISABLE="console")
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert "delivers what is left" in err
    lab.kill_beside()  # it would go on for twelve minutes


def test_pace_with_a_clock_of_our_own():
    now, slept = [100.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(1000.0, lambda: now[0], sleep)
    data = b"x" * 100_000
    moved = []
    body = Body(data, pace, moved.append)
    assert b"".join(iter(lambda: body.read(1 << 20), b"")) == data
    assert len(body) == moved[-1] == 100_000
    assert sum(slept) == pytest.approx(100 - 16.384, abs=17)
    assert now[0] - 100 >= (100_000 - 2 * 16384) / 1000
    assert Pace(0.0, lambda: 0.0, slept.append).wait(10**9) is None


def test_bandwidth_is_kept_over_the_wire(lab, sent, shared_proxy):
    lab.environment |= {"AUTOLOG_URL": shared_proxy.url, "AUTOLOG_BANDWIDTH": "40000"}
    lab.run(
        "import autolog, os\nautolog.log_metric('n', 1)\nautolog.log_text('noise', os.urandom(60_000).hex())",
        AUTOLOG_SIDECAR="0",
    )
    begun = time.monotonic()
    lab.autolog("sync")
    assert time.monotonic() - begun > 120_000 / 40_000 - 1
    assert delivered(lab) == {lab.only().name: True}


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7), (" 0 ", 0), ("", None), ("soon", None), ("-3", None), ("9" * 30, 999_999_999)]
)
def test_retry_after(text, seconds):
    assert retry_after(text) == seconds


def test_retry_after_a_date():
    assert 50 < retry_after(email.utils.formatdate(time.time() + 60, usegmt=True)) <= 60
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


def test_a_netrc_does_not_replace_the_token(server, tmp_path, monkeypatch):
    from autolog.backends.http_connection import Connection
    from autolog.config import Settings

    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    connection = Connection(Settings(url=server.url, token=server.admin))
    assert connection.call("GET", "/api/v1/me")["user"] == "admin"
