"""Every operation of the OpenAPI document, asked with what schemathesis makes of it, and with what it forbids.

The server never fails (no 5xx), and whatever it answers is what its document says: statuses, media types, shapes. Most
of the requests mean a project and a run that are there, and ask something that can be asked. They are the same whenever
the tests are run; FUZZ_EXAMPLES=300 looks further.
"""

import hashlib
import json
import os
import re
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from autolog.server.app import ENDPOINTS
from tests.servers import Server
from tests.waiting import PATIENCE, until

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
RUNS = [f"20261122-11113{n}-537-9f3c2a8{n}" for n in range(3)]
FILE = b"print(1)\n"
ENDLESS = "/api/v1/projects/{project}/live"
OPERATIONS = [
    (each.method, each.path.replace(":path", ""))
    for each in sorted(ENDPOINTS, key=lambda each: each.method == "DELETE")  # what takes away comes last
    if each.path != ENDLESS
]
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "12"))
HASH = hashlib.sha256(FILE).hexdigest()


@pytest.fixture(scope="module")
def asked(shared_server: Server) -> Any:
    """The server, with a project to ask about, and its document as schemathesis reads it."""
    shared_server.project = "fuzzed"
    for run in RUNS:
        records = [
            {"type": "run", "time": 1.0, "id": run, "name": "fuzzed", "project": "fuzzed"},
            {"type": "params", "time": 1.0, "values": {"lr": 0.1, "deep": {"a": ["x", None]}}},
            {"type": "metrics", "time": 2.0, "values": {"loss": 0.5, "nan": "NaN", "inf": "Infinity"}, "step": 1},
            {"type": "tags", "time": 2.0, "add": ["a"]},
        ]
        body = b"".join(json.dumps(record).encode() + b"\n" for record in records)
        base = f"/api/v1/projects/fuzzed/runs/{run}"
        assert shared_server.ask("POST", f"{base}/journals/journal.jsonl?offset=0", body).status == 200
        path = f"{base}/uploads/source/a.py?size={len(FILE)}&sha256={hashlib.sha256(FILE).hexdigest()}"
        assert shared_server.ask("PUT", path, FILE).status == 200
        assert shared_server.ask("PUT", f"{base}/console/console.log?offset=0", b"out\n").status == 200
    shared_server.token("fuzz")
    assert shared_server.send("POST", "/api/v1/workspaces", {"name": "fuzz"}).status == 200
    until(lambda: shared_server.ask("GET", "/api/v1/projects/fuzzed/runs").json["total"] == len(RUNS))
    schema = schemathesis.openapi.from_dict(shared_server.ask("GET", "/api/v1/openapi.json", token="").json)
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {shared_server.admin}"
        yield shared_server, schema, session


WHERE = [
    "metrics.loss < 1", "'a' in tags", "isnan(metrics.nan)", "params['deep.a'] == 'x' or archived", "age < '9999w'",
    "metrics.loss <", "not " * 150 + "name", "name == '\\0'", "name == '\0'", "params.lr == 1e400",
    "started > '0001-01-01'",
    "matches(name, '*?%_[')", "took > '99999999999999999999d'", "children.metrics.loss.min != inf",
]  # fmt: skip
SORT = ["name", "-metrics.loss.min", "params.deep.a", "duration", "tags", "-", "metrics.", "fields.x"]
COLUMNS = ["name,metrics.loss", "params.deep.a", "metrics.nan.max", ",,", "fields.x,facts.git.commit"]
QUERY = {
    name: st.sampled_from(known)
    for name, known in {
        "where": WHERE,
        "sort": SORT,
        "columns": COLUMNS,
        "cursor": ["", "W10", "bnVsbA", "WyIiLDEsMV0", "WyJ4IiwxZTk5OSwxXQ", "WyJ4IiwwLC01XQ"],
        "sha256": [HASH, HASH.upper(), "0" * 64],
        "format": ["csv", "json", "jsonl", "parquet"],
        "metric": ["loss", "nan", "inf", "\0", "x" * 1000],
        "offset": [0, 1, 2**31, 2**62],
        "size": [0, len(FILE), 2**40],
        "frame": ["a", "../x"],
    }.items()
}
"""What can stand in a query, beside what schemathesis thinks of."""
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
TYPES = """run metrics params args fact tags note name fields archive other asset health end exit child child_end system
removed future""".split()
PARTS = dict.fromkeys(("step", "child", "add", "text", "name", "status", "id", "pid"), VALUES) | {
    "time": st.sampled_from([0, -1e300, 1e300, 1e12, 5.0]),
    "values": st.dictionaries(st.text(max_size=5), VALUES, max_size=3),
}
RECORDS = st.fixed_dictionaries({"type": st.sampled_from(TYPES)}, optional=PARTS)


def _lines(records: list[Any]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def _meant(case: Any, data: st.DataObject, path: str) -> None:
    """Have a case mean what is there."""
    case.path_parameters |= data.draw(st.fixed_dictionaries(_real(path)))
    for parameter in case.operation.query:
        if parameter.name in QUERY and data.draw(st.booleans()):
            case.query[parameter.name] = data.draw(QUERY[parameter.name])
    if path.endswith("{journal}"):
        run = case.path_parameters["run"]
        time = data.draw(st.sampled_from([1.0, -1e300, 1e300, 1e12]))
        first = {"type": "run", "time": time, "id": run, "name": "fuzzed", "project": "fuzzed"}
        case.path_parameters["journal"] = f"journal.{data.draw(st.integers(1, 10**6))}.jsonl"
        case.query["offset"] = 0
        case.body = _lines([first, *data.draw(st.lists(RECORDS, max_size=8))])
    elif "/uploads/" in path and case.method == "PUT":
        case.body = FILE


def _real(path: str) -> dict[str, st.SearchStrategy[str]]:
    """What stands for the parts of a path, such as are there."""
    known = {
        "project": st.just("fuzzed"),
        "run": st.sampled_from(RUNS),
        "journal": st.sampled_from(["journal.jsonl", "system.jsonl", "journal.edits.jsonl"]),
        "path": st.sampled_from(["source/a.py", "console.log", "assets/x.bin"]),
        "name": st.sampled_from(["console.log", "console.1.log"]),
        "user": st.just("fuzz"),
        "workspace": st.just("fuzz"),
    }
    return {name: known[name] for name in re.findall(r"{(\w+)}", path) if name in known}


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=lambda value: str(value).replace("/api/v1", ""))
def test_the_server_never_fails_and_answers_what_its_document_says(asked, method, path):
    server, schema, session = asked
    operation = schema[path][method]

    @hypothesis.settings(
        max_examples=EXAMPLES, derandomize=True, database=None, deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(data=st.data())
    def ask(data):
        mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        if data.draw(st.integers(0, 3)):
            _meant(case, data, path)
        answer = case.call(base_url=server.url, session=session, timeout=PATIENCE)
        case.validate_response(answer, checks=CHECKS)

    ask()
    assert server.process.poll() is None


def test_what_happened_in_between_left_the_server_whole(asked):
    """After all of that, the index is that of the journals, and the runs can be brought back and read."""
    server, _, _ = asked
    for run in RUNS:
        server.ask("POST", f"/api/v1/projects/fuzzed/runs/{run}/restore")
        told = server.ask("GET", f"/api/v1/projects/fuzzed/runs/{run}")
        assert told.status == 200
        assert told.json["metrics"]["loss"]["last"] == 0.5
    assert server.ask("GET", "/readyz", token="").status == 200
