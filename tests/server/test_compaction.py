"""Runs that have ended become Parquet that DuckDB reads in place; charts come from there; the journals stay."""

import json
import math
from urllib.parse import quote

import duckdb
import pytest

from autolog import events
from tests.servers import Server

RUNS = [f"20261122-11113{n}-537-9f3c2a8{n}" for n in range(3)]
PROJECT = "vision für text"
VALUES = [1.5, math.nan, math.inf, -math.inf, 5e-324, -0.0, 0.1 + 0.2]


@pytest.fixture(scope="module")
def compacting(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("compacting"))
    server.options = ("--compact-after", "0.2")
    server.start()
    yield server
    server.close()


def line(**record):
    return json.dumps(record).encode() + b"\n"


def metric(step, values, **more):
    wire = {name: events.to_wire(value) for name, value in values.items()}
    return line(type="metrics", time=2000.0 + step, values=wire, step=step, **more)


def send(server, project, run, data, offset=0):
    path = f"/api/v1/projects/{quote(project)}/runs/{run}/journals/journal.jsonl"
    answer = server.ask("POST", f"{path}?offset={offset}", data)
    assert answer.status == 200, answer.body
    return answer.json["size"]


def header(run, project):
    return line(type="run", time=1000.0, id=run, name="n", project=project)


END = line(type="end", time=9000.0, status="completed", exit_code=0)


def query(server, sql):
    source = f"read_parquet('{server.data}/.parquet/*/*/*.parquet', hive_partitioning = true)"
    with duckdb.connect() as connection:
        return connection.execute(sql.replace("POINTS", source)).fetchall()


def folder(server, project, run):
    return server.data / ".parquet" / f"project={project}" / f"run={run}"


def bits(value):
    return "nan" if value != value else value.hex()


def test_duckdb_reads_the_points_of_all_projects(compacting, eventually):
    sent = {}
    for project, run in ((PROJECT, RUNS[0]), (PROJECT, RUNS[1]), ("lab-2", RUNS[2])):
        body = [line(type="child", time=1500.0, child="c1", name="fit", kind="fit")]
        body += [metric(n, {"loss": value, "n": n}, child="c1", epoch=n / 2) for n, value in enumerate(VALUES)]
        body += [metric(n, {"lösß": value}) for n, value in enumerate(VALUES)]
        send(compacting, project, run, header(run, project) + b"".join(body) + END)
        for n, value in enumerate(VALUES):
            sent[project, run, "loss", "c1", n] = (n / 2, 2000.0 + n, bits(value))
            sent[project, run, "n", "c1", n] = (n / 2, 2000.0 + n, bits(float(n)))
            sent[project, run, "lösß", None, n] = (None, 2000.0 + n, bits(value))
    places = [("vision%20f%C3%BCr%20text", RUNS[0]), ("vision%20f%C3%BCr%20text", RUNS[1]), ("lab-2", RUNS[2])]
    eventually(lambda: all((folder(compacting, *place) / ".metrics.arrow").exists() for place in places))
    rows = query(compacting, "SELECT project, run, metric, child, step, epoch, time, value FROM POINTS")
    found = {(p, r, m, c, int(s)): (e, t, bits(v)) for p, r, m, c, s, e, t, v in rows}
    assert len(rows) == len(found)
    assert found == sent
    means = query(compacting, "SELECT project, count(*) FROM POINTS WHERE isfinite(value) GROUP BY project ORDER BY 1")
    assert means == [("lab-2", 15), (PROJECT, 30)]


def test_a_run_that_goes_on_is_compacted_again(compacting, eventually):
    run, place = RUNS[0], folder(compacting, "again", RUNS[0])
    first = header(run, "again") + metric(1, {"loss": 1.0})
    size = send(compacting, "again", run, first + END)
    eventually((place / ".metrics.arrow").exists)
    more = line(type="run", time=9500.0, id=run, name="n", project="again", resumed=True)
    size = send(compacting, "again", run, more + metric(2, {"loss": 2.0}), size)
    steps = compacting.ask("GET", f"/api/v1/projects/again/runs/{run}/series?metric=loss").json["series"][0]["steps"]
    assert steps == [1, 2]  # at once, from the journal
    send(compacting, "again", run, END.replace(b"9000", b"9900"), size)
    eventually(lambda: len(query(compacting, "SELECT * FROM POINTS WHERE project = 'again'")) == 2)
    answer = compacting.ask("GET", f"/api/v1/projects/again/runs/{run}/series?metric=loss").json["series"][0]
    assert answer["values"] == [1.0, 2.0]


def test_a_run_that_is_taken_away_is_withdrawn(compacting, eventually):
    run, place = RUNS[0], folder(compacting, "gone", RUNS[0])
    send(compacting, "gone", run, header(run, "gone") + metric(1, {"loss": 1.0}) + END)
    eventually((place / ".metrics.arrow").exists)
    assert compacting.ask("DELETE", f"/api/v1/projects/gone/runs/{run}").status < 300
    eventually(lambda: not list(place.glob("*")) and not list(place.glob(".*")))


def test_charts_come_from_the_files_and_are_those_of_the_journal(compacting, eventually):
    run, place = RUNS[0], folder(compacting, "long", RUNS[0])
    values = [
        math.sin(n / 50) if n % 997 else math.nan for n in range(30_000)
    ]  # more than is done in the server itself
    data = header(run, "long") + b"".join(metric(n, {"wave": value}) for n, value in enumerate(values))
    size = send(compacting, "long", run, data)
    path = f"/api/v1/projects/long/runs/{run}/series?metric=wave"
    growing = compacting.ask("GET", f"{path}&points=500")
    send(compacting, "long", run, END, size)
    eventually((place / ".metrics.arrow").exists)
    stored = compacting.ask("GET", f"{path}&points=500")
    assert stored.json == growing.json
    (one,) = stored.json["series"]
    assert one["total"] == 30_000
    assert 250 < len(one["values"]) < 1000
    (every,) = compacting.ask("GET", path).json["series"]
    assert [events.from_wire(value) if isinstance(value, str) else value for value in every["values"][1:990]] == values[
        1:990
    ]
    assert every["steps"] == list(range(30_000))
    (place / "metrics.parquet").write_bytes(b"damaged")
    (place / ".metrics.arrow").write_bytes(b"damaged")
    assert compacting.ask("GET", f"{path}&points=500").json == growing.json
