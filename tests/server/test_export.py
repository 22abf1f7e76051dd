"""Exports of a server: exact in every format, streamed in bounded memory, and only of what one may see."""

import csv
import io
import json
import math
import socket
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from autolog import events

RUNS = [f"20261122-11113{n}-537-9f3c2a8{n}" for n in range(4)]
VALUES = [0.1, 1e-300, math.nan, math.inf, -math.inf, -0.0, 2**53 + 1, 3]


def lines(*records):
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def records(n, project):
    run = {"type": "run", "time": 1000.0 + n, "id": RUNS[n], "name": f"run-{n}", "project": project}
    yield run
    yield {"type": "params", "time": 1.0, "values": {"lr": 10.0**-n, "opt": "=adam()", "deep": {"a": n or "x"}}}
    yield {"type": "args", "time": 1.0, "values": {"v": {"value": "-v"}}}
    yield {"type": "child", "time": 1.0, "child": "c", "name": "fold", "kind": "fold"}
    for step, value in enumerate(VALUES):
        yield {"type": "metrics", "time": 2000.0 + step, "values": {"loss": events.to_wire(value)}, "step": step}
    yield {"type": "metrics", "time": 3000.0, "values": {"inner": 7.5}, "epoch": 2, "child": "c"}
    yield {"type": "end", "time": 4000.0, "status": "completed", "exit_code": 0}


@pytest.fixture
def filled(server, eventually):
    server.base = f"/api/v1/projects/{server.project}"
    for n in range(4):
        path = f"{server.base}/runs/{RUNS[n]}/journals/journal.jsonl?offset=0"
        assert server.ask("POST", path, lines(*records(n, server.project))).status == 200
    eventually(lambda: server.ask("GET", f"{server.base}/runs").json["total"] == 4)
    edit = {"add_tags": ["a", "b"], "fields": {"owner": "ann"}, "note": "=1+1"}
    assert server.ask("PATCH", f"{server.base}/runs/{RUNS[0]}", json.dumps(edit).encode()).status == 200
    assert server.ask("PATCH", f"{server.base}/runs/{RUNS[3]}", b'{"archived": true}').status == 200
    return server


def rows(answer):
    """The rows of any format, values as they stand there."""
    assert answer.status == 200, answer.body
    kind = answer.headers["content-type"]
    if kind.startswith("text/csv"):
        return list(csv.DictReader(io.StringIO(answer.body.decode())))
    if kind == "application/json":
        return json.loads(answer.body)
    if kind == "application/jsonl":
        return [json.loads(line) for line in answer.body.splitlines()]
    assert kind == "application/vnd.apache.parquet"
    return pq.read_table(io.BytesIO(answer.body)).to_pylist()


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "parquet"])
def test_points_are_exact(filled, kind):
    answer = filled.ask("GET", f"{filled.base}/export/points?format={kind}&run={RUNS[1]}&metric=loss")
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="{filled.project}-points.{kind}"')
    found = rows(answer)
    assert list(found[0]) == ["run", "metric", "step", "epoch", "time", "value", "child"]
    if kind == "csv":
        told = ["0.1", "1e-300", "NaN", "Infinity", "-Infinity", "-0.0", str(2**53 + 1), "3"]
    elif kind == "parquet":
        told = [0.1, 1e-300, math.nan, math.inf, -math.inf, -0.0, float(2**53 + 1), 3.0]
    else:
        told = [0.1, 1e-300, "NaN", "Infinity", "-Infinity", -0.0, 2**53 + 1, 3]
    assert repr([row["value"] for row in found]) == repr(told)
    assert [float(row["step"]) for row in found] == list(range(8))
    assert {row["run"] for row in found} == {RUNS[1]}


def test_points_of_child_runs_and_of_what_a_query_finds(filled):
    found = rows(filled.ask("GET", f"{filled.base}/export/points?format=jsonl&where=params.lr%20<%200.5&sort=name"))
    assert [row["run"] for row in found] == [RUNS[1]] * 9 + [RUNS[2]] * 9  # the third one is archived
    inner = [row for row in found if row["metric"] == "inner"]
    assert [(row["child"], row["epoch"], row["value"]) for row in inner] == [("c", 2, 7.5)] * 2


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "parquet"])
def test_the_table_of_runs(filled, kind):
    found = rows(filled.ask("GET", f"{filled.base}/export/runs?format={kind}&sort=-name"))
    assert [row["name"] for row in found] == ["run-2", "run-1", "run-0"]
    assert [float(row["params.lr"]) for row in found] == [0.01, 0.1, 1.0]
    assert [str(row["params.deep.a"]) for row in found] == ["2", "1", "x"]
    last = found[-1]
    assert (last["fields.owner"], last["params.opt"], last["note"]) == ("ann", "=adam()", "=1+1")
    assert last["tags"] == (["a", "b"] if kind.startswith("json") else '["a","b"]')
    assert last["started_at"] == "1970-01-01T00:16:40.000000Z"
    assert float(last["metrics.loss.count"]) == 8
    assert str(last["metrics.loss.max"]) in ("inf", "Infinity")


def test_columns_that_are_chosen(filled):
    base = f"{filled.base}/export/runs?columns=name,started,metrics.loss.min&columns=params.nothing,children"
    found = rows(filled.ask("GET", f"{base}&archived=true&sort=name"))
    assert found[3] == {
        "name": "run-3", "started": "1970-01-01T00:16:43.000000Z", "metrics.loss.min": "-Infinity",
        "params.nothing": "", "children": "1",
    }  # fmt: skip
    assert len(found) == 4
    assert rows(filled.ask("GET", f"{base}&where=archived&format=json"))[0]["params.nothing"] is None


def test_what_a_spreadsheet_would_run_is_marked_where_that_is_asked_for(filled):
    table = rows(filled.ask("GET", f"{filled.base}/export/runs?spreadsheet=true&sort=name"))
    assert (table[0]["params.opt"], table[0]["note"], table[0]["args.v"]) == ("'=adam()", "'=1+1", "'-v")
    assert table[0]["params.lr"] == "1.0"
    points = rows(filled.ask("GET", f"{filled.base}/export/points?spreadsheet=true&metric=loss&run={RUNS[0]}"))
    assert [row["value"] for row in points][4:6] == ["-Infinity", "-0.0"]  # numbers are numbers


def test_samples_of_machines(filled):
    journal = lines(
        {"type": "run", "time": 1.0, "id": RUNS[0], "name": "x", "project": "p"},
        {"type": "system", "time": 5.0, "values": {"cpu": 12.5, "memory": 3}},
    )
    for name in ("system.jsonl", "system.7.jsonl"):
        path = f"{filled.base}/runs/{RUNS[0]}/journals/{name}?offset=0"
        assert filled.ask("POST", path, journal).status == 200
    found = rows(filled.ask("GET", f"{filled.base}/export/system?format=json"))
    assert sorted((row["child"] or "", row["metric"], row["value"]) for row in found) == [
        ("", "cpu", 12.5), ("", "memory", 3), ("7", "cpu", 12.5), ("7", "memory", 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "code"),
    [("format=xls", "parameter"), ("where=a+b", "query"), ("sort=x", "column"), ("run=../x", "run_id"),
     ("spreadsheet=1", "parameter")],
)  # fmt: skip
@pytest.mark.parametrize("what", ["runs", "points", "system"])
def test_what_cannot_be_understood_is_told_before_anything_is_sent(filled, what, query, code):
    answer = filled.ask("GET", f"{filled.base}/export/{what}?{query}")
    assert answer.code == code
    assert answer.status in (400, 422)


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "parquet"])
@pytest.mark.parametrize("what", ["runs", "points", "system"])
def test_an_export_of_nothing_is_a_file(filled, what, kind):
    assert rows(filled.ask("GET", f"{filled.base}/export/{what}?format={kind}&where=name%20==%20'none'")) == []


def test_exports_are_for_those_who_may_read(filled):
    reader, stranger = filled.token("r2", "reader", member=True), filled.token("s2")
    for what in ("runs", "points", "system"):
        path = f"{filled.base}/export/{what}"
        assert filled.ask("GET", path, token=reader).status == 200
        assert filled.ask("GET", path, token=stranger).status == 404
        assert filled.ask("GET", path, token="").status == 401


def test_a_large_export_takes_little_memory_and_ends_with_its_reader(own_server, eventually):
    """Six runs of 100,000 points: what is read and written of them at a moment is in memory, and no more."""
    header = {"type": "run", "time": 1.0, "name": "long", "project": "lab"}
    body = b"".join(
        b'{"type":"metrics","time":%d.5,"values":{"a/loss":%d.25,"b/loss":1.5},"step":%d}\n' % (step, step, step)
        for step in range(50_000)
    )
    for n in range(6):
        run = f"20261122-111134-537-0000000{n}"
        data = lines(header | {"id": run}) + body
        path = f"/api/v1/projects/lab/runs/{run}/journals/journal.jsonl?offset=0"
        assert own_server.ask("POST", path, data).status == 200
    eventually(lambda: own_server.ask("GET", "/api/v1/projects/lab/runs").json["total"] == 6)
    status = Path(f"/proc/{own_server.process.pid}/status")

    def resident(key):
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(key))

    own_server.ask("GET", "/api/v1/projects/lab/export/points?format=parquet&metric=none")  # what writes it is loaded
    before = resident("VmHWM")
    answer = own_server.ask("GET", "/api/v1/projects/lab/export/points?format=csv")
    assert answer.body.count(b"\n") == 1 + 6 * 100_000
    table = own_server.ask("GET", "/api/v1/projects/lab/export/points?format=parquet")
    assert pq.read_table(io.BytesIO(table.body)).num_rows == 600_000
    assert resident("VmHWM") - before < 100_000  # kB; the rows are some 200,000
    opened = Path(f"/proc/{own_server.process.pid}/fd")

    def reading():
        return [link for each in opened.iterdir() if "journal.jsonl" in (link := str(each.readlink()))]

    with socket.create_connection(("127.0.0.1", own_server.port)) as client:
        client.sendall(
            b"GET /api/v1/projects/lab/export/points HTTP/1.1\r\nHost: x\r\n"
            b"Authorization: Bearer " + own_server.admin.encode() + b"\r\n\r\n"
        )
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        eventually(lambda: len(reading()) == 1)  # it waits for its reader
    eventually(lambda: not reading())
    assert own_server.ask("GET", "/healthz", token="").status == 200
