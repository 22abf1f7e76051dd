"""A run whose machine died becomes lost on the server, by the server's own clock; one that is heard of does not."""

import os
import time

import pytest

from tests.servers import RUN


def sent(server, age):
    """A run of another machine, whose clock is ``age`` seconds behind, that has not ended."""
    then = time.time() - age
    lines = (
        f'{{"type":"run","time":{then},"id":"{RUN}","name":"far","project":"p","pid":5,"host":"elsewhere","boot":"b",'
        f'"pid_started":1.0}}\n{{"type":"metrics","time":{then + 1},"values":{{"loss":1.0}}}}\n'
    )
    assert server.append(lines.encode()).status == 200


def status(server):
    return server.ask("GET", server.address).json["status"]


@pytest.mark.parametrize("age", [0, 1800, -7200])
def test_a_wrong_clock_does_not_make_a_run_lost(server, age):
    sent(server, age)
    assert status(server) == "running"


@pytest.mark.parametrize("age", [0, 1800, -7200])
def test_a_run_of_which_nothing_is_heard_is_lost(server, age):
    sent(server, age)
    path = server.run / "journal.jsonl"
    long_ago = time.time() - 200  # what would have passed
    os.utime(path, (long_ago, long_ago))
    assert status(server) == "lost"


def test_records_that_come_a_day_late_do_not_revive_a_run(server):
    sent(server, 86400)
    assert status(server) == "lost"
