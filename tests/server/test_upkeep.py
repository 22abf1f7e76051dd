"""Backups while clients write, bringing them back, and looking whether all is well."""

import hashlib
import json
import os
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa

from autolog.server import tables
from autolog.server.upkeep import backup
from tests.servers import RUN, Server
from tests.waiting import PATIENCE, until

HEADER = b'{"type":"run","time":1.0,"id":"%s","name":"calm-otter-01","project":"lab"}\n' % RUN.encode()
ASSET = b"weights" * 1000
DIGEST = hashlib.sha256(ASSET).hexdigest()
PATH = f"assets/{DIGEST[:2]}/{DIGEST}.bin"


def line(number):
    return b'{"type":"metrics","time":2.0,"values":{"loss":%d},"step":%d}\n' % (number, number)


def command(server, *words, code=0, data=None):
    done = subprocess.run(
        [sys.executable, "-m", "autolog.cli", "server", *words, "--data", str(data or server.data)],
        env=server.environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def send(server, journal, data, offset):
    """As a client does: from where the server stands, if that is elsewhere; the size then."""
    path = f"{server.address}/journals/{journal}"
    answer = server.ask("POST", f"{path}?offset={offset}", data[offset:])
    if answer.status == 409 and answer.code == "gap":
        size = answer.json["error"]["size"]
        answer = server.ask("POST", f"{path}?offset={size}", data[size:])
    assert answer.status == 200, answer.body
    return answer.json["size"]


class Writer(threading.Thread):
    """A client that appends to a journal of its own, line by line, until it is told to stop."""

    def __init__(self, server, name):
        super().__init__()
        self.server, self.name_of_journal = server, name
        self.data, self.size, self.ended = HEADER, 0, threading.Event()

    def run(self):
        number = 0
        while not self.ended.is_set():
            self.size = send(self.server, self.name_of_journal, self.data, self.size)
            number += 1
            self.data += line(number)


def store_asset(server):
    path = f"{server.address}/uploads/{PATH}?sha256={DIGEST}&size={len(ASSET)}"
    assert server.ask("PUT", path, ASSET).status == 200
    record = {"type": "asset", "time": 3.0, "name": "w", "kind": "model", "media_type": "x/y",
              "hash": f"sha256:{DIGEST}", "size": len(ASSET), "path": PATH}  # fmt: skip
    assert server.append(HEADER + json.dumps(record).encode() + b"\n").status == 200


def test_a_backup_is_taken_while_clients_write_and_they_go_on_with_what_it_brings_back(own_server, tmp_path):
    server, folder = own_server, tmp_path / "backups"
    store_asset(server)
    writers = [Writer(server, f"journal.w{number}.jsonl") for number in range(4)]
    for writer in writers:
        writer.start()
    until(lambda: min(len(writer.data) for writer in writers) >= 1000)
    command(server, "backup", str(folder))
    assert "are new" in command(server, "backup", str(folder))
    for writer in writers:
        writer.ended.set()
        writer.join()
    first, second = sorted(folder.iterdir())
    for snapshot in (first, second):
        run = snapshot / "lab" / RUN
        assert (run / PATH).read_bytes() == ASSET
        for writer in writers:
            held = (run / writer.name_of_journal).read_bytes()
            assert writer.data.startswith(held)
            assert held.endswith(b"\n")
        assert not (snapshot / ".parquet").exists()
    assert (first / "lab" / RUN / PATH).samefile(second / "lab" / RUN / PATH)  # nothing is copied twice
    assert (first / "server.sqlite").stat().st_mode & 0o777 == 0o600
    server.end()

    other = Server.__new__(Server)
    other.__dict__ |= server.__dict__ | {"data": tmp_path / "restored", "port": 0, "process": None}
    told = command(server, "restore", str(folder), data=other.data)
    assert str(second) in told
    assert "all is well" in command(other, "check") or "nothing is lost" in command(other, "check")
    other.start()
    try:
        assert other.ask("GET", f"{other.address}/files/{PATH}").body == ASSET
        for writer in writers:
            assert send(other, writer.name_of_journal, writer.data, writer.size) == len(writer.data)
            assert (other.data / "lab" / RUN / writer.name_of_journal).read_bytes() == writer.data
    finally:
        other.end()
    assert "is not empty" in command(server, "restore", str(folder), code=1, data=other.data)


def test_only_so_many_backups_are_kept(own_server, tmp_path):
    folder = tmp_path / "backups"
    own_server.append(HEADER)
    made = [backup.backup(own_server.data, folder, keep=2)[0] for _ in range(3)]
    assert sorted(folder.iterdir()) == sorted(made)[1:]
    (folder / "20990101-000000").mkdir()  # not whole: something else, or an interrupted copy of it
    assert backup.snapshots(folder) == sorted(made)[1:]
    assert "another disk" in command(own_server, "backup", str(own_server.data / "x"), code=1)
    with pytest.raises(backup.BackupError, match="no data directory"):
        backup.backup(tmp_path / "nowhere", folder)
    with pytest.raises(backup.BackupError, match="no backup"):
        backup.restore(tmp_path, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.fixture
def filled(own_server, eventually):
    store_asset(own_server)
    own_server.ask("POST", f"{own_server.address}/journals/journal.1.jsonl?offset=0", HEADER + line(1))
    eventually(lambda: own_server.ask("GET", "/api/v1/projects/lab/runs").json["total"] == 1)
    own_server.ask("GET", own_server.address)  # the index is up to date now
    own_server.end()
    return own_server


def test_all_is_well(filled):
    assert command(filled, "check") == "all is well\n"


def test_what_is_lost_or_damaged_is_told(filled):
    (filled.run / PATH).write_bytes(b"x" + ASSET[1:])
    with (filled.run / "journal.1.jsonl").open("ab") as file:
        file.write(b'broken\n{"type":"metr')
    told = command(filled, "check", code=1)
    assert f"lab/{RUN}: {PATH} has another hash than its record says" in told
    assert "journal.1.jsonl: its last line is not whole" in told
    assert "journal.1.jsonl: 2 lines are no records" in told
    assert "autolog sync" in told
    assert "another hash" not in command(filled, "check", "--quick", code=1)
    (filled.run / PATH).unlink()
    assert f"{PATH} is not there" in command(filled, "check", "--quick", code=1)


def test_the_index_is_compared_and_made_anew(filled):
    with filled.engine.begin() as connection:
        connection.execute(sa.update(tables.INDEX["metrics"]).values(last=99.0))
        connection.execute(sa.insert(tables.INDEX["runs"]).values(project="lab", run="gone", stamp="", started_at=1.0))
        connection.execute(sa.delete(tables.projects))
    told = command(filled, "check", code=1)
    assert f"lab/{RUN}: the index differs from the journals: metrics" in told
    assert "lab/gone: it is in the index, but has no journals" in told
    assert "lab: the project is not listed" in told
    repaired = command(filled, "check", "--repair")
    assert repaired.count("(repaired)") == 3
    assert command(filled, "check") == "all is well\n"


def test_the_index_is_made_anew_while_the_server_runs(own_server, eventually):
    own_server.append(HEADER + line(7))
    eventually(lambda: own_server.ask("GET", "/api/v1/projects/lab/runs").json["total"] == 1)
    with own_server.engine.begin() as connection:
        connection.execute(sa.update(tables.INDEX["metrics"]).values(last=99.0))
    assert command(own_server, "reindex") == "1 runs\n"
    (run,) = own_server.ask("GET", "/api/v1/projects/lab/runs?columns=metrics.loss").json["runs"]
    assert run["values"] == {"metrics.loss": 7}


def test_where_runs_are_elsewhere_their_place_has_its_own_backups(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AUTOLOG")}
    for word in ("backup", "restore"):
        done = subprocess.run(
            [sys.executable, "-m", "autolog.cli", "server", word, str(tmp_path / "b"), "--database", "postgresql://x/y"],
            env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert "pg_dump" in done.stderr
