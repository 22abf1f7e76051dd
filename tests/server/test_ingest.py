"""Taking records: idempotent, at offsets, on disk when acknowledged; whatever is wrong is refused whole."""

import gzip
import hashlib
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import sqlalchemy as sa
import zstandard

from autolog.server import tables
from tests.waiting import PATIENCE

STORAGES = ["local", "remote"]
RUN = "20261122-111134-537-9f3c2a81"
HEADER = b'{"type":"run","time":1.0,"id":"%s","name":"calm-otter-01","project":"lab"}\n' % RUN.encode()
LINE = b'{"type":"metrics","time":2.0,"values":{"loss":0.5},"step":1}\n'


def stored(server, name="journal.jsonl"):
    return server.stored(name)


def test_bytes_arrive_as_they_are_and_once(server):
    assert server.append(HEADER + LINE).json == {"size": len(HEADER + LINE)}
    assert server.append(LINE, len(HEADER + LINE)).json == {"size": len(HEADER + LINE + LINE)}
    again = server.append(LINE + LINE, len(HEADER))  # all of it is there
    assert (again.status, again.json) == (200, {"size": len(HEADER + LINE + LINE)})
    longer = server.append(LINE + LINE + LINE, len(HEADER))  # some of it is
    assert longer.json == {"size": len(HEADER) + 3 * len(LINE)}
    assert stored(server) == HEADER + 3 * LINE
    state = server.ask("GET", f"{server.address}/journals")
    assert state.json == {"journals": {"journal.jsonl": len(HEADER) + 3 * len(LINE)}}


def test_foreign_offsets_change_nothing(server):
    server.append(HEADER + LINE)
    gap = server.append(LINE, 10_000)
    assert (gap.status, gap.code, gap.json["error"]["size"]) == (409, "gap", len(HEADER + LINE))
    conflict = server.append(LINE.replace(b"0.5", b"0.6"), len(HEADER))
    assert (conflict.status, conflict.code) == (409, "conflict")
    assert stored(server) == HEADER + LINE


def test_what_goes_on_where_nothing_has_begun_makes_nothing(server):
    assert (server.append(LINE, 50).code, server.append(LINE, 50).json["error"]["size"]) == ("gap", 0)
    assert server.ask("PUT", f"{server.address}/console/console.log?offset=5", b"x").code == "gap"
    assert not server.run.exists()


def test_what_was_acknowledged_survives_a_kill(own_server):
    for number in range(20):
        offset = len(HEADER + number * LINE) if number else 0
        assert own_server.append((b"" if number else HEADER) + LINE, offset).status == 200
    own_server.end(signal.SIGKILL)
    own_server.start()
    assert stored(own_server) == HEADER + 20 * LINE
    assert own_server.append(LINE, len(HEADER + 20 * LINE)).status == 200


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstd"])
def test_packed_bodies(server, pack):
    encoding = "gzip" if pack is gzip.compress else "zstd"
    assert server.append(pack(HEADER + LINE), Content_Encoding=encoding).status == 200
    assert stored(server) == HEADER + LINE
    cut = server.append(pack(LINE)[:-5], len(HEADER + LINE), Content_Encoding=encoding)
    assert (cut.status, cut.code) == (400, "damaged")
    junk = server.append(b"no such thing", len(HEADER + LINE), Content_Encoding=encoding)
    assert (junk.status, junk.code) == (400, "damaged")
    assert stored(server) == HEADER + LINE


def bomb():
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(b"\n" * (1 << 24)) for _ in range(64)]  # 1 GiB in 1 MB
    return b"".join(parts) + packer.flush()


@pytest.mark.parametrize(
    "body",
    [(bomb, "gzip"), (lambda: zstandard.ZstdCompressor().compress(bytes(1 << 30)), "zstd")],
    ids=["gzip", "zstd"],
)
def test_bombs_are_refused_before_they_unpack(own_server, body):
    make, encoding = body
    answer = own_server.append(make(), Content_Encoding=encoding)
    assert (answer.status, answer.code) == (413, "too_large")
    lines = Path(f"/proc/{own_server.process.pid}/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    assert peak < 300_000  # kB


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "empty"),
        (HEADER + LINE[:-1], 400, "unfinished_line"),
        (HEADER + b"{nonsense\n", 422, "invalid_line"),
        (HEADER + b'"text"\n', 422, "invalid_line"),
        (HEADER + b'{"a":"\xff"}\n', 422, "invalid_line"),
        (LINE, 422, "no_header"),
        (HEADER.replace(RUN.encode(), b"20261122-111134-537-00000000"), 422, "foreign_journal"),
        (HEADER + b'{"text":"' + b"x" * (5 << 20) + b'"}\n', 413, "line_too_long"),
        (HEADER + LINE * 200_000, 413, "too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bad_bodies_leave_nothing(server, body, status, code):
    answer = server.append(body)
    assert (answer.status, answer.code) == (status, code)
    assert answer.json["error"]["message"]
    assert stored(server) is None


def test_lines_that_are_known_to_be_torn_are_kept_as_they_are(server):
    torn = HEADER + b'{"type":"metr\n' + LINE
    assert server.append(torn).code == "invalid_line"
    assert server.append(torn, Autolog_Damaged_Lines="1").status == 200
    assert stored(server) == torn


def test_unknown_records_and_fields_are_kept(server):
    body = HEADER + b'{"type":"of the future","time":3.0,"deep":{"a":[1]}}\n' + LINE.replace(b"}\n", b',"new":1}\n')
    assert server.append(body).status == 200
    assert stored(server) == body


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/v1/projects/..%2f..%2fetc/runs/{run}/journals", "not_found"),
        ("/api/v1/projects/.hidden/runs/{run}/journals", "project_name"),
        ("/api/v1/projects/{project}/runs/..%2f..%2fx/journals", "not_found"),
        ("/api/v1/projects/{project}/runs/nonsense/journals", "run_id"),
        ("/api/v1/projects/{project}/runs/{run}/journals/passwd?offset=0", "journal_name"),
        ("/api/v1/projects/{project}/runs/{run}/journals/journal.jsonl?offset=-1", "parameter"),
        ("/api/v1/projects/{project}/runs/{run}/journals/journal.jsonl", "parameter"),
        ("{up}/../../x?sha256=" + "0" * 64 + "&size=1", "file_path"),
        (
            "{up}/a/..%2f..%2f..%2fx?sha256=" + "0" * 64 + "&size=1",
            "file_path",
        ),
        ("{up}/journal.jsonl?sha256=" + "0" * 64 + "&size=1", "file_path"),
        (
            "{up}/assets/00/name.txt?sha256=" + "1" * 64 + "&size=1",
            "file_path",
        ),
        ("{up}/a.txt?sha256=xyz&size=1", "parameter"),
        ("/api/v1/projects/{project}/runs/{run}/console/passwd?offset=0", "console_name"),
    ],
)
def test_names_that_lead_astray_are_refused(server, path, code):
    method = "GET" if path.endswith("/journals") else "POST" if "/journals/" in path else "PUT"
    answer = server.ask(
        method,
        path.format(run=RUN, project=server.project, up=f"{server.address}/uploads"),
        None if method == "GET" else LINE,
    )
    assert answer.code == code
    assert answer.status in (400, 404, 422)
    with server.storage() as storage:
        assert storage.sizes((server.project, RUN)) == {}
        assert storage.files((server.project, RUN)) == []
    assert not (server.data.parent / "x").exists()


def test_a_file_comes_in_pieces_and_appears_whole(own_server):
    content = bytes(range(256)) * 1000
    digest = hashlib.sha256(content).hexdigest()
    path = f"{own_server.address}/uploads/assets/{digest[:2]}/{digest}.bin?sha256={digest}"
    place = f"assets/{digest[:2]}/{digest}.bin"
    assert own_server.ask("PUT", f"{path}&offset=0&size={len(content)}", content[:1000]).json == {
        "complete": False, "size": 1000,
    }  # fmt: skip
    assert own_server.stored(place) is None
    own_server.end(signal.SIGKILL)
    own_server.start()
    assert own_server.ask("GET", path).json == {"complete": False, "size": 1000}
    assert own_server.ask("PUT", f"{path}&offset=2000&size={len(content)}", content[2000:]).code == "gap"
    done = own_server.ask("PUT", f"{path}&offset=1000&size={len(content)}", content[1000:])
    assert done.json == {"complete": True, "size": len(content)}
    assert own_server.stored(place) == content
    assert own_server.ask("GET", path).json["complete"]
    assert own_server.ask("PUT", f"{path}&offset=0&size={len(content)}", content).json["complete"]
    assert own_server.ask("PUT", f"{path}&offset=0&size=5", content).code == "too_long"


def test_a_file_with_another_hash_never_appears(server):
    digest = hashlib.sha256(b"right").hexdigest()
    path = f"{server.address}/uploads/source/a.py?sha256={digest}&size=5"
    assert server.ask("PUT", path, b"wrong").code == "hash"
    assert server.stored("source/a.py") is None
    assert server.ask("PUT", path, b"right").json["complete"]


def test_a_console_rewrites_its_end(server):
    path = f"{server.address}/console/console.log?offset="
    assert server.ask("PUT", path + "0", b"one\n50%").json == {"size": 7}
    assert server.ask("PUT", path + "4", b"100%\ntwo\n").json == {"size": 13}
    assert stored(server, "console.log") == b"one\n100%\ntwo\n"
    assert server.ask("PUT", path + "4", b"x").json == {"size": 5}
    assert server.ask("PUT", path + "50", b"x").code == "gap"


def test_nobody_writes_without_a_token(server):
    bob, eve = server.token("bob"), server.token("eve", "reader")
    assert server.append(HEADER, token="").status == 401
    assert server.append(HEADER, token="autolog_nonsense").status == 401
    assert server.append(HEADER, token=eve).status == 404  # a reader begins no project, and sees none
    assert server.append(HEADER, token=bob).status == 200  # his project now
    assert server.append(LINE, len(HEADER), token=server.token("carol")).status == 404
    assert server.append(LINE, len(HEADER), token=server.token("dan", "reader", member=True)).status == 403
    assert server.append(LINE, len(HEADER), token=server.token("dora", member=True)).status == 200
    assert server.append(LINE, len(HEADER), token=server.token("bob", project="other")).status == 404
    assert server.append(LINE, len(HEADER)).status == 200  # the admin
    assert stored(server) == HEADER + LINE


def test_tokens_are_stored_hashed_and_end(own_server):
    token = own_server.command("token", "bob", "--label", "of bob's laptop").strip()
    assert own_server.append(HEADER, token=token).status == 200
    with own_server.engine.connect() as connection:
        rows = connection.execute(sa.select(tables.tokens)).all()
    assert "of bob's laptop" in str(rows)
    assert token not in str(rows)
    listed = next(line for line in own_server.command("tokens").splitlines() if "laptop" in line)
    own_server.command("revoke", listed.split()[0])
    assert own_server.append(LINE, len(HEADER), token=token).status == 401
    assert own_server.append(LINE, len(HEADER), token=own_server.token("bob", days=-1)).status == 401


def test_a_server_without_users_does_not_start(tmp_path):
    """Also: ``start`` is what is meant where no command is named, with options too."""
    done = subprocess.run(
        [sys.executable, "-m", "autolog.cli", "server", "--data", str(tmp_path), "--port", "0"],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "autolog server init" in done.stderr
