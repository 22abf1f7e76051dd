"""Nobody sees anything of a project that is not theirs, over any route: requests are made from the list of routes."""

import hashlib
import json
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pytest

from autolog.server.app import ENDPOINTS
from tests.people import Browser
from tests.servers import Server
from tests.waiting import until

SECRET = "zqzq"
"""Is in whatever the victim has recorded, named or said."""
RUN, SHOWN = "20261122-111134-537-0000aaaa", "20261122-111134-537-0000bbbb"
FILE = b"weights zqzq\n"
HASH = hashlib.sha256(FILE).hexdigest()
REFUSED = {401, 403, 404}


def journal(run, name, mark):
    records = [
        {"type": "run", "time": 1.0, "id": run, "name": name, "project": "x"},
        {"type": "params", "time": 1.0, "values": {f"lr{mark}": 1}},
        {"type": "metrics", "time": 2.0, "values": {f"loss{mark}": 0.5}, "step": 1},
        {"type": "tags", "time": 2.0, "add": [f"tag{mark}"]},
        {"type": "note", "time": 2.0, "text": f"note{mark}"},
    ]
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


class Victim:
    """A project with all there can be in one, and the names by which requests could mean it."""

    def __init__(self, server: Server, eventually: Any) -> None:
        self.server = server
        self.project = "victim"
        self.token = server.token(f"vera-{SECRET}", "admin", label=SECRET)
        self.base = f"/api/v1/projects/{self.project}"
        for run, mark in ((RUN, SECRET), (SHOWN, "shown")):
            path = f"{self.base}/runs/{run}/journals/journal.jsonl?offset=0"
            assert self.ask("POST", path, journal(run, f"name-{mark}", mark)).status == 200
        run = f"{self.base}/runs/{RUN}"
        self.file = f"assets/{HASH}.txt"
        assert self.ask("PUT", f"{run}/uploads/{self.file}?sha256={HASH}&size={len(FILE)}", FILE).status == 200
        assert self.ask("PUT", f"{run}/console/console.log?offset=0", b"printed zqzq\n").status == 200
        self.workspace = f"space-{SECRET}"
        self.send("POST", "/api/v1/workspaces", {"name": self.workspace})
        self.send("PATCH", self.base, {"workspace": self.workspace})
        self.share = self.send("POST", f"{self.base}/shares", {"label": SECRET}).json["id"]
        self.token_id = self.send("POST", "/api/v1/me/tokens", {"label": SECRET, "project": "victim"}).json["id"]
        eventually(lambda: self.ask("GET", f"{self.base}/runs").json["total"] == 2)

    def ask(self, method, path, body=None):
        return self.server.ask(method, path, body, token=self.token)

    def send(self, method, path, body):
        answer = self.server.send(method, path, body, token=self.token)
        assert answer.status == 200, answer.body
        return answer

    def everything(self):
        """What must be as it was afterwards."""
        run = f"{self.base}/runs/{RUN}"
        paths = [
            self.base, f"{self.base}/members", f"{self.base}/shares", f"{self.base}/audit", run, f"{run}/console",
            f"{run}/journals", f"{run}/files/{self.file}", "/api/v1/me/tokens", f"/api/v1/workspaces/{self.workspace}",
            f"/api/v1/workspaces/{self.workspace}/members", f"{self.base}/runs",
        ]  # fmt: skip
        return {path: (self.ask("GET", path).status, self.ask("GET", path).body) for path in paths}

    def of_path(self) -> dict[str, str]:
        """What stands for the parts of a path."""
        return {
            "project": self.project, "run": RUN, "journal": "journal.jsonl", "path": self.file, "name": "console.log",
            "user": f"vera-{SECRET}", "workspace": self.workspace, "share": self.share, "token": self.token_id,
        }  # fmt: skip

    def of_field(self) -> dict[str, Any]:
        """What stands for parts of a query or body, by name."""
        return {
            "project": self.project, "projects": [self.project], "run": RUN, "runs": [RUN], "ids": [RUN],
            "metric": f"loss{SECRET}", "metrics": [f"loss{SECRET}"], "sha256": HASH, "size": len(FILE), "offset": 0,
            "points": 100, "user": f"vera-{SECRET}", "workspace": self.workspace, "role": "reader", "limit": 100,
            "days": 1.0,
        }  # fmt: skip


@pytest.fixture(scope="module")
def victim(shared_server):
    return Victim(shared_server, until)


# -- requests, made from what a route says of itself -------------------------------------------------------------------


def address(each, victim):
    parts = {name.split(":")[0] for name in parts_of(each.path)}
    unknown = parts - victim.of_path().keys()
    assert not unknown, f"{each.path}: say in Victim.of_path what stands for {unknown}"
    path = each.path.replace(":path", "").format(**{k: quote(v) for k, v in victim.of_path().items()})
    known, query = victim.of_field(), []
    for one in each.query:
        if one.name in known or one.required:
            value = known.get(one.name, 1 if one.kind is int else "x")
            query += [(one.name, item) for item in (value if isinstance(value, list) else [value])]
    return f"{path}?{urlencode(query)}" if query else path


def parts_of(path):
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def body(each, victim):
    if each.takes is None:
        return None
    if each.takes is bytes:
        return journal(RUN, "x", "x")
    schema = msgspec.json.schema(each.takes)
    return json.dumps(example(schema, schema.get("$defs", {}), victim.of_field())).encode()


def example(schema, defs, known):
    """Something of the shape; where a name could mean the victim, it does."""
    if "$ref" in schema:
        return example(defs[schema["$ref"].rpartition("/")[2]], defs, known)
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return example(schema[choice][0], defs, known)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        wanted = schema.get("properties", {})
        return {
            name: known[name] if name in known else example(field, defs, known)
            for name, field in wanted.items()
            if name in known or name in schema.get("required", [])
        }
    return {"array": [], "integer": 1, "number": 1.0, "boolean": True, "null": None}.get(kind, "xxxxxxxxxxxx")


# -- those who ask -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mine(shared_server, victim):
    """A project of the stranger, with a run of the same id."""
    token = shared_server.token("stranger", "admin")
    path = f"/api/v1/projects/mine/runs/{RUN}/journals/journal.jsonl?offset=0"
    assert shared_server.ask("POST", path, journal(RUN, "my own", ""), token=token).status == 200
    return token


def by_token(server, token):
    return lambda method, path, data: server.ask(method, path, data, token=token)


def by_session(server, token):
    def ask(method, path, data):
        browser = Browser(server)
        assert browser.sign_in(token=token).status == 200
        return browser.ask(method, path, None if data is None else json.loads(data.partition(b"\n")[0]))

    return ask


def shared(server, token, project, **given):
    answer = server.send("POST", f"/api/v1/projects/{project}/shares", given, token=token)
    assert answer.status == 200, answer.body
    return answer.json["secret"]


@pytest.mark.parametrize("stranger", ["nobody", "user", "session", "token", "unknown", "share of a project"])
def test_strangers_see_nothing(shared_server, victim, mine, stranger):
    server = shared_server
    ask = {
        "nobody": lambda: by_token(server, ""),
        "user": lambda: by_token(server, mine),
        "session": lambda: by_session(server, mine),
        "token": lambda: by_token(server, server.token("stranger", "admin", project="mine")),
        "unknown": lambda: by_token(server, "autolog_of_somebody_who_is_gone"),
        "share of a project": lambda: by_token(server, shared(server, mine, "mine")),
    }[stranger]()
    before, wrong = victim.everything(), []
    for each in ENDPOINTS:
        answer = ask(each.method, address(each, victim), body(each, victim))
        seen = b"loss" + SECRET.encode(), b"name-" + SECRET.encode(), FILE, b"printed", b"note" + SECRET.encode()
        if "{project}" in each.path and answer.status not in REFUSED:
            wrong.append((each.method, each.path, answer.status, answer.body[:200]))
        elif any(text in answer.body for text in seen) or leaks(each, answer):
            wrong.append((each.method, each.path, "tells of it", answer.body[:300]))
    assert wrong == []
    assert victim.everything() == before


def leaks(each, answer):
    """Whether a name is told that the request has not named; those of errors repeat what was asked for."""
    return answer.status == 200 and (SECRET.encode() in answer.body or b"victim" in answer.body)


def test_a_link_to_one_run_tells_nothing_of_another(shared_server, victim):
    ask = by_token(shared_server, shared(shared_server, victim.token, "victim", run=SHOWN))
    assert ask("GET", f"{victim.base}/runs/{SHOWN}", None).status == 200
    before, wrong = victim.everything(), []
    for each in ENDPOINTS:
        if each.gives == "text/event-stream":  # does not end; tests/server/test_access_projects.py listens to it
            continue
        answer = ask(each.method, address(each, victim), body(each, victim))
        if "{run}" in each.path and answer.status not in REFUSED:
            wrong.append((each.method, each.path, answer.status, answer.body[:200]))
        elif answer.status == 200 and (SECRET.encode() in answer.body or RUN.encode() in answer.body):
            wrong.append((each.method, each.path, "tells of it", answer.body[:300]))
    assert wrong == []
    assert victim.everything() == before


def test_the_requests_are_good_ones(victim):
    """Or they would be refused for another reason: to whom the project belongs nearly all of them are answered."""
    reads = [each for each in ENDPOINTS if each.method == "GET" and "{project}" in each.path]
    refused = {}
    for each in reads:
        if each.gives != "text/event-stream":
            answer = victim.ask("GET", address(each, victim))
            if answer.status != 200:
                refused[each.path] = answer.body
    assert refused == {}
    assert len(reads) > 10
