"""A project on a server with a few runs in it, and somebody who has signed in, for tests of the pages."""

import json

import pytest

from tests.people import Browser
from tests.servers import Server

RUNS = [f"20261122-11113{n}-537-9f3c2a8{n}" for n in range(3)]


@pytest.fixture
def filled(server, eventually):
    """Three runs in a project of the test: run-0, run-1, run-2, the last one newest."""
    for n, run in enumerate(RUNS):
        records = [
            {"type": "run", "time": 1000.0 + n, "id": run, "name": f"run-{n}", "project": "lab"},
            {"type": "metrics", "time": 2000.0, "values": {"loss": n}, "step": 1},
            {"type": "end", "time": 3000.0, "status": "completed"},
        ]
        body = "".join(json.dumps(record) + "\n" for record in records).encode()
        path = f"/api/v1/projects/{server.project}/runs/{run}/journals/journal.jsonl?offset=0"
        assert server.ask("POST", path, body).status == 200
    eventually(lambda: server.ask("GET", f"/api/v1/projects/{server.project}/runs").json["total"] == 3)
    return server


def as_user(watched, server: Server, token: str = "", **given: str):
    """The browser's page, signed in with a token (unless it is given: the admin's), or as ``sign_in`` takes it."""
    browser = Browser(server)
    answer = browser.sign_in(**(given or {"token": token or server.admin}))
    assert answer.status == 200, answer.body
    cookie = {"name": "autolog_session", "value": browser.cookie, "url": server.url, "httpOnly": True}
    watched.page.context.add_cookies([cookie])
    return watched.page


def told(server: Server, run: str):
    """What the server says of a run."""
    return server.ask("GET", f"/api/v1/projects/{server.project}/runs/{run}").json


def names(page):
    """The runs of the table."""
    return page.get_by_role("table", name="Runs", exact=True).locator("tbody th[scope=row] a")
