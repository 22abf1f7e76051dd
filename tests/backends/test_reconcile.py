"""What was recorded is delivered, pending or lost: nothing else, and the counts say so, whatever has happened."""

import json
import os
import random
import signal

import pytest

from autolog import events, journal
from autolog.sidecar import progress
from autolog.sidecar.accounts import accounts
from tests.labs import is_alive
from tests.waiting import PATIENCE

HISTORY = """
    import autolog, itertools, os, random
    chance = random.Random({seed})
    autolog.log_metric("n", 0)
    for n in itertools.count(1):
        what = chance.random()
        if what < 0.02:
            autolog.log_text(f"text {{n % 7}}", "words " * chance.randrange(1, 20_000))
        elif what < 0.04:
            autolog.log_params({{f"p{{n}}": "x" * chance.randrange(1, 3000)}})
        else:
            autolog.log_metric("n", n)
        if n == 300:
            print("under way", flush=True)
"""


@pytest.fixture
def sent(lab, server):
    """The lab sends to the shared server, through nothing."""
    lab.environment |= {
        "AUTOLOG_BACKEND": "local,http",
        "AUTOLOG_URL": server.url,
        "AUTOLOG_TOKEN": server.admin,
        "AUTOLOG_EXIT_WAIT": "10",
        "XDG_CONFIG_HOME": str(lab.folder / "config"),
    }
    return server


def account(lab):
    """The http backend's account of the only run, as the command tells it; it adds up."""
    (told,) = json.loads(lab.autolog("sync", "--status", "--json"))
    for what in ("records", "bytes", "assets"):
        count = told[what]
        assert count["recorded"] == count["delivered"] + count["pending"] + count["lost"], what
        assert min(count.values()) >= 0
    (here,) = accounts(lab.only(), ["http"])
    assert here.records.recorded == told["records"]["recorded"]
    return told


def stored(lab, server):
    """What the server holds of the only run: records, and files of assets."""
    there = server.data / "lab" / lab.only().name
    records = [record for path in journal.journals(there) for record, _ in journal.read(path)]
    named = {record.path for record in records if isinstance(record, events.Asset)}
    return records, {path for path in named if (there / path).is_file()}


def equal(lab, server):
    """Every journal is there to the byte, but for what a kill has torn off."""
    for path in journal.journals(lab.only()):
        size = progress.whole_size(path)
        assert (server.data / "lab" / lab.only().name / path.name).read_bytes() == path.read_bytes()[:size]


@pytest.mark.parametrize("seed", [1, 2, 4])
def test_random_histories_with_real_kills(lab, sent, shared_proxy, seed):
    """A training at full speed; its sidecar, itself and the network fail at random; the account is true at each end."""
    chance = random.Random(seed)
    lab.environment["AUTOLOG_URL"] = shared_proxy.url
    shared_proxy.mode = chance.choice(["pass", "slow", "cut", "cut_answer", "reset"])
    training = lab.start(HISTORY.format(seed=seed))
    assert training.stdout.readline() == "under way\n"
    sidecar = lab.sidecar()
    fate = chance.choice(["spared", "followed", "for good"])
    if fate == "followed":
        os.kill(sidecar, signal.SIGKILL)
    elif fate == "for good":
        lab.kill_sidecar()
    training.kill()
    training.wait()
    shared_proxy.mode = chance.choice(["refuse", "reset", "500"])
    lab.until(lambda: not is_alive(sidecar) or bool(lab.delivery().error))
    told = account(lab)
    records, _ = stored(lab, sent)
    assert told["records"]["delivered"] <= len(records)  # it may have more than was acknowledged
    shared_proxy.mode = "pass"
    lab.settle()
    lab.autolog("sync")
    told = account(lab)
    records, files = stored(lab, sent)
    equal(lab, sent)
    assert told["complete"]
    assert told["records"]["pending"] == told["bytes"]["pending"] == told["assets"]["pending"] == 0
    assert told["records"]["delivered"] == len(records)
    assert told["assets"]["delivered"] == len(files) > 0
    assert sent.ask("GET", f"/api/v1/projects/lab/runs/{lab.only().name}").json["status"] == "killed"


def test_what_is_damaged_or_gone_is_lost_and_counted(lab, sent):
    lab.run(
        """
        import autolog
        autolog.log_text("kept", "kept")
        autolog.log_text("gone", "gone")
        autolog.log_text("changed", "changed")
        autolog.log_metric("n", 1)
        """,
        AUTOLOG_SIDECAR="0",
    )
    main = lab.only() / "journal.jsonl"
    assets = {record.name: lab.only() / record.path for record in lab.records(events.Asset, journal.MAIN)}
    assets["gone"].unlink()
    assets["changed"].write_text("CHANGED")
    with main.open("ab") as file:
        file.write(b'{"type":"metrics","ti\n{"type":"health","kind":"lost","where":"journal","count":5,"time":1.0}\n')
        file.write(b'{"type":"metrics","time":1.0,"val')  # the very last words
    assert account(lab)["records"]["pending"] > 0
    lab.autolog("sync")
    told = account(lab)
    assert told["complete"]
    assert told["records"]["lost"] == 2 + 5
    assert told["bytes"]["lost"] == 33
    assert told["assets"] == {"recorded": 3, "delivered": 1, "pending": 0, "lost": 2}
    assert told["reasons"]["the file is gone"] == 1
    assert told["reasons"]["it has changed since it was recorded"] == 1
    shown = lab.autolog("sync", "--status")
    assert "3 assets = 1 delivered + 2 lost" in shown
    assert "lost: 5 x not written: the disk was full or away" in shown
    _, files = stored(lab, sent)
    assert files == {assets["kept"].relative_to(lab.only()).as_posix()}


def test_a_record_that_the_server_does_not_take_has_a_stand_in(lab, sent):
    """One line too long holds up nothing: all others are there at their places, and it is said that it is missing."""
    lab.run("import autolog\nautolog.log_metric('before', 1)", AUTOLOG_SIDECAR="0")
    with (lab.only() / "journal.jsonl").open("ab") as file:
        file.write(b'{"type":"params","time":1.0,"values":{"huge":"%s"}}\n' % (b"x" * 5_000_000))
        file.write(b'{"type":"metrics","time":1.0,"values":{"after":2}}\n')
    lab.autolog("sync")
    told = account(lab)
    assert told["complete"]
    assert told["records"]["lost"] == 1
    assert any("line_too_long" in reason or "longer than" in reason for reason in told["reasons"])
    here = (lab.only() / "journal.jsonl").read_bytes()
    there = (sent.data / "lab" / lab.only().name / "journal.jsonl").read_bytes()
    assert len(here) == len(there)
    differing = [line for line in here.splitlines() if line not in there]
    assert [b'"huge"' in line for line in differing] == [True]
    run = sent.ask("GET", f"/api/v1/projects/lab/runs/{lab.only().name}").json
    assert {"before", "after"} <= run["metrics"].keys()
    assert any("on the training's machine only" in str(entry) for entry in run["health"]["lost"])
    state = json.loads((lab.only() / progress.FILE).read_text())
    state["http"] |= {"journals": {}, "lost": {}, "done": False}  # as if nothing had been acknowledged
    (lab.only() / progress.FILE).write_text(json.dumps(state))
    lab.autolog("sync")
    assert account(lab)["records"] == told["records"]


def test_a_run_that_was_deleted_on_the_server_is_not_sent_again(lab, sent):
    training = lab.start("import autolog\nautolog.log_metric('n', 1)\nprint(flush=True)\ninput()")
    training.stdout.readline()
    lab.until(lambda: progress.states(lab.only()).get("http", progress.State()).journals)
    address = f"/api/v1/projects/lab/runs/{lab.only().name}"
    assert sent.ask("DELETE", address).status == 200
    training.communicate(timeout=PATIENCE)
    lab.settle()
    told = account(lab)
    assert "deleted" in told["error"]
    assert told["records"]["pending"] == 0
    assert told["records"]["lost"] > 0
    lab.autolog("sync")  # nothing to do
    assert sent.ask("POST", f"{address}/restore").status == 200
    lab.autolog("sync", lab.only().name)
    assert account(lab)["complete"]
    equal(lab, sent)


def test_a_revoked_token_that_is_replaced(lab, sent):
    sent.project = "lab"
    first = sent.token("ada", "writer", member=True)
    lab.environment["AUTOLOG_TOKEN"] = first
    lab.run("import autolog\nautolog.log_metric('n', 1)")
    assert account(lab)["complete"]
    name = lab.only().name
    with (lab.only() / "journal.jsonl").open("ab") as file:
        file.write(b'{"type":"note","time":1.0,"text":"more"}\n')
    del lab.environment["AUTOLOG_TOKEN"]
    lab.environment["AUTOLOG_EXIT_WAIT"] = "0.3"
    lab.autolog("login", sent.url, given="autolog_wrong\n", code=1)
    lab.autolog("sync", code=1)
    lab.environment["AUTOLOG_EXIT_WAIT"] = "5"
    told = account(lab)
    assert "autolog login" in told["error"]
    assert told["records"]["pending"] == 1
    assert f"autolog login {sent.url}" in lab.autolog("sync", "--status")
    lab.autolog("login", sent.url, given=f"{sent.token('ada', 'writer')}\n")
    lab.environment["AUTOLOG_TOKEN"] = "al_" + "0" * 40  # an old one, still in the environment
    lab.autolog("sync", name)
    assert account(lab)["complete"]
