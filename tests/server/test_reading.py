"""Reading what was taken in: lists, runs, series, files, consoles, live news; and editing."""

import hashlib
import json
import math
import urllib.request
from urllib.parse import urlencode

import pytest

from autolog import events
from tests.servers import heard
from tests.waiting import PATIENCE

STORAGES = ["local", "remote"]
PROJECT_RUNS = [f"20261122-11113{n}-537-9f3c2a8{n}" for n in range(6)]


def header(run, name):
    return {"type": "run", "time": 1000.0 + int(run[14]), "id": run, "name": name, "project": "lab"}


def lines(*records):
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def metric(step, **values):
    wire = {name: events.to_wire(value) for name, value in values.items()}
    return {"type": "metrics", "time": 2000.0 + step, "values": wire, "step": step}


@pytest.fixture
def filled(server, eventually):
    """Six runs: rates 1, 2 …, losses that fall; the last one has a NaN for a loss and no rate."""
    for n, run in enumerate(PROJECT_RUNS):
        records = [header(run, f"run-{n}")]
        if n < 5:
            records.append({"type": "params", "time": 1500.0, "values": {"lr": n + 1, "opt": "ab"[n % 2]}})
        records += [metric(step, loss=(math.nan if n == 5 else 10.0 - n + step)) for step in range(3)]
        records.append({"type": "tags", "time": 3000.0, "add": [f"t{n % 2}"]})
        records.append({"type": "end", "time": 4000.0, "status": "completed", "exit_code": 0})
        path = f"/api/v1/projects/{server.project}/runs/{run}/journals/journal.jsonl?offset=0"
        assert server.ask("POST", path, lines(*records)).status == 200
    server.base = f"/api/v1/projects/{server.project}"
    eventually(lambda: server.ask("GET", f"{server.base}/runs").json["total"] == 6)
    return server


def names(answer):
    return [run["name"] for run in answer.json["runs"]]


def test_runs_are_listed_newest_first_with_what_is_asked_for(filled):
    answer = filled.ask("GET", f"{filled.base}/runs?columns=metrics.loss,metrics.loss.min,params.lr&columns=params.opt")
    assert names(answer) == [f"run-{n}" for n in (5, 4, 3, 2, 1, 0)]
    by_name = {run["name"]: run for run in answer.json["runs"]}
    assert by_name["run-1"]["values"] == {"metrics.loss": 11, "metrics.loss.min": 9, "params.lr": 2, "params.opt": "b"}
    assert by_name["run-5"]["values"] == {"metrics.loss": "NaN", "metrics.loss.min": None}
    assert by_name["run-1"]["tags"] == ["t1"]
    assert by_name["run-1"]["status"] == "completed"
    assert by_name["run-1"]["ended_at"] == 4000.0


def test_a_column_may_have_any_name(server, eventually):
    odd = {"f1, macro": 0.5, 'a "b"': 1.5, "x,": 2.5}
    records = [header(PROJECT_RUNS[0], "odd"), metric(1, **odd), {"type": "params", "time": 1.0, "values": {"a,b": 3}}]
    base = f"/api/v1/projects/{server.project}"
    path = f"{base}/runs/{PROJECT_RUNS[0]}/journals/journal.jsonl?offset=0"
    assert server.ask("POST", path, lines(*records)).status == 200
    eventually(lambda: server.ask("GET", f"{base}/runs").json["total"] == 1)
    asked = urlencode([("columns", '"metrics.f1, macro","metrics.a ""b""",params.lr'), ("columns", '"metrics.x,.min"'),
                       ("columns", '"params.a,b"')])  # fmt: skip
    (run,) = server.ask("GET", f"{base}/runs?{asked}").json["runs"]
    assert run["values"] == {
        "metrics.f1, macro": 0.5, 'metrics.a "b"': 1.5, "metrics.x,.min": 2.5, "params.a,b": 3
    }  # fmt: skip
    table = server.ask("GET", f"{base}/export/runs?format=json&{asked}").json
    assert table[0]["metrics.f1, macro"] == 0.5
    for wrong in ('"metrics.loss', '"a"b'):
        refused = server.ask("GET", f"{base}/runs?{urlencode({'columns': wrong})}")
        assert (refused.status, refused.code) == (400, "columns")


def test_the_query_language_filters(filled):
    assert names(filled.ask("GET", f"{filled.base}/runs?where=params.lr%20%3E%3D%203%20and%20't0'%20in%20tags")) == [
        "run-4",
        "run-2",
    ]
    nothing = filled.ask("GET", f"{filled.base}/runs?where=params.lrr%20%3E%203").json
    assert nothing["total"] == 0
    assert "did you mean 'lr'" in nothing["hints"][0]
    wrong = filled.ask("GET", f"{filled.base}/runs?where=params.lr%20%3E")
    assert (wrong.status, wrong.code) == (400, "query")
    assert wrong.json["error"]["position"]


def test_runs_are_sorted_with_missing_and_nan_last(filled):
    ascending = names(filled.ask("GET", f"{filled.base}/runs?sort=metrics.loss"))
    assert ascending == ["run-4", "run-3", "run-2", "run-1", "run-0", "run-5"]
    descending = names(filled.ask("GET", f"{filled.base}/runs?sort=-params.lr"))
    assert descending == ["run-4", "run-3", "run-2", "run-1", "run-0", "run-5"]
    assert names(filled.ask("GET", f"{filled.base}/runs?sort=params.opt"))[:3] == ["run-4", "run-2", "run-0"]
    assert filled.ask("GET", f"{filled.base}/runs?sort=nonsense").code == "column"


def test_pages_hold_each_run_once(filled):
    seen, cursor = [], ""
    while cursor is not None:
        page = filled.ask("GET", f"{filled.base}/runs?limit=2&sort=name&cursor={cursor}").json
        seen += [run["name"] for run in page["runs"]]
        cursor = page["cursor"]
    assert seen == [f"run-{n}" for n in range(6)]
    assert filled.ask("GET", f"{filled.base}/runs?cursor=nonsense").code == "cursor"
    assert filled.ask("GET", f"{filled.base}/runs?limit=0").code == "parameter"


def test_a_run_has_everything(filled):
    told = filled.ask("GET", f"{filled.base}/runs/{PROJECT_RUNS[1]}").json
    assert told["params"] == {"lr": 2, "opt": "b"}
    assert told["metrics"]["loss"] == {
        "last": 11.0, "min": 9.0, "max": 11.0, "count": 3, "last_step": 2, "last_epoch": None,
    }  # fmt: skip
    assert filled.ask("GET", f"{filled.base}/runs/20261122-111134-537-00000000").status == 404


def test_series_are_exact_or_reduced_to_their_extremes(server, eventually):
    run = PROJECT_RUNS[0]
    values = [math.sin(n / 50) for n in range(5000)]
    values[1234], values[2345], values[3456], values[4000] = 50.0, -50.0, math.nan, math.inf
    body = lines(header(run, "long"), *(metric(step, wave=value) for step, value in enumerate(values)))
    base = f"/api/v1/projects/{server.project}/runs/{run}"
    assert server.ask("POST", f"{base}/journals/journal.jsonl?offset=0", body).status == 200
    (exact,) = server.ask("GET", f"{base}/series?metric=wave").json["series"]
    assert exact["steps"] == list(range(5000))
    assert exact["values"] == [events.to_wire(value) for value in values]
    (few,) = server.ask("GET", f"{base}/series?metric=wave&points=100").json["series"]
    assert few["total"] == 5000
    assert len(few["values"]) <= 100 + 25
    assert {50.0, -50.0, "NaN", "Infinity"} <= set(few["values"])
    assert (few["steps"][0], few["steps"][-1]) == (0, 4999)
    assert server.ask("GET", f"{base}/series?metric=wave&points=3").code == "points"


def test_several_series_in_one_request(filled):
    question = {"runs": PROJECT_RUNS[:3], "metrics": ["loss", "nothing"], "points": 100}
    answer = filled.ask("POST", f"{filled.base}/series", json.dumps(question).encode())
    assert [one["run"] for one in answer.json["series"]] == PROJECT_RUNS[:3]
    assert filled.ask("POST", f"{filled.base}/series", b'{"runs": "x"}').code == "shape"
    assert filled.ask("POST", f"{filled.base}/series", b"{").code == "json"
    assert filled.ask("POST", f"{filled.base}/series", b'{"runs":["../x"],"metrics":[]}').code == "run_id"
    assert filled.ask("POST", f"{filled.base}/series", b'{"runs":[],"metrics":[],"more":1}').code == "shape"


def put_file(server, path, content):
    digest = hashlib.sha256(content).hexdigest()
    address = f"{server.address}/uploads/{path}?sha256={digest}&size={len(content)}"
    assert server.ask("PUT", address, content).status == 200


def test_files_are_served_with_ranges_and_never_run(server):
    page = b"<script>alert(1)</script>"
    put_file(server, "assets/x.html".replace("x", hashlib.sha256(page).hexdigest()), page)
    name = hashlib.sha256(page).hexdigest()
    whole = server.ask("GET", f"{server.address}/files/assets/{name}.html")
    assert whole.body == page
    assert "sandbox" in whole.headers["content-security-policy"]
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["content-disposition"].startswith("attachment")
    part = server.ask("GET", f"{server.address}/files/assets/{name}.html", Range="bytes=1-6")
    assert (part.status, part.body) == (206, b"script")
    put_file(server, "source/train.py", b"print(1)\n")
    assert server.ask("GET", f"{server.address}/files/source/train.py").headers["content-type"].startswith("text/plain")
    assert server.ask("GET", f"{server.address}/files/../../server.sqlite").status in (404, 422)
    assert server.ask("GET", f"{server.address}/files/nothing.txt").status == 404


def test_the_console_is_read_from_its_end(server):
    server.ask("PUT", f"{server.address}/console/console.log?offset=0", "één\ntwo\n".encode())
    assert server.ask("GET", f"{server.address}/console").json == {"text": "één\ntwo\n", "offset": 0, "size": 10}
    assert server.ask("GET", f"{server.address}/console?bytes=4").json == {"text": "two\n", "offset": 6, "size": 10}


def test_news_are_told_live_and_again(filled):
    def listen(since):
        request = urllib.request.Request(
            f"{filled.url}{filled.base}/live?since={since}", headers={"Authorization": f"Bearer {filled.admin}"}
        )
        return urllib.request.urlopen(request, timeout=PATIENCE)

    with listen("") as stream:
        assert heard(stream) == b": welcome\n"
        heard(stream)
        path = f"{filled.base}/runs/{PROJECT_RUNS[0]}/journals/journal.edits.jsonl?offset=0"
        filled.ask("POST", path, lines(header(PROJECT_RUNS[0], "x"), {"type": "note", "time": 1.0, "text": "n"}))
        number = int(heard(stream).split()[1])
        assert heard(stream) == b"event: run\n"
        assert json.loads(heard(stream)[6:]) == {"run": PROJECT_RUNS[0]}
    with listen(number - 1) as again:
        assert heard(again) == b": welcome\n"
        heard(again)
        assert int(heard(again).split()[1]) >= number
    with listen(10**9) as unknown:
        assert [heard(unknown) for _ in range(2)][1] == b"event: all\n"


def test_readers_read_and_others_see_nothing(filled):
    reader, stranger = filled.token("r", "reader", member=True), filled.token("s")
    paths = [
        "/runs", "/columns", f"/runs/{PROJECT_RUNS[0]}", f"/runs/{PROJECT_RUNS[0]}/series?metric=loss",
        f"/runs/{PROJECT_RUNS[0]}/system", f"/runs/{PROJECT_RUNS[0]}/console",
    ]  # fmt: skip
    for path in paths:
        assert filled.ask("GET", filled.base + path, token=reader).status == 200, path
        assert filled.ask("GET", filled.base + path, token=stranger).status == 404, path
        assert filled.ask("GET", filled.base + path, token="").status == 401, path
    assert filled.ask("PATCH", f"{filled.base}/runs/{PROJECT_RUNS[0]}", b"{}", token=reader).status == 403
    assert filled.ask("DELETE", f"{filled.base}/runs/{PROJECT_RUNS[0]}", token=reader).status == 403
    assert filled.project in filled.ask("GET", "/api/v1/projects", token=reader).json["projects"]
    assert filled.ask("GET", "/api/v1/projects", token=stranger).json == {"projects": {}}


def test_the_index_is_a_cache(own_server, eventually):
    server = own_server
    body = lines(header(PROJECT_RUNS[0], "kept"), metric(1, loss=0.5))
    path = f"/api/v1/projects/lab/runs/{PROJECT_RUNS[0]}/journals/journal.jsonl?offset=0"
    assert server.ask("POST", path, body).status == 200
    server.end()
    with server.engine.begin() as connection:
        for table in ("runs", "progress", "fields", "metrics", "tags"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    server.start()
    eventually(lambda: server.ask("GET", "/readyz", token="").status == 200)
    assert names(server.ask("GET", "/api/v1/projects/lab/runs")) == ["kept"]


def test_the_openapi_document_names_every_route(server):
    from autolog.server.app import ENDPOINTS

    told = server.ask("GET", "/api/v1/openapi.json", token="").json
    assert told["openapi"].startswith("3.1")
    operations = {(method, path) for path, methods in told["paths"].items() for method in methods}
    assert operations == {(each.method.lower(), each.path.replace(":path", "")) for each in ENDPOINTS}
